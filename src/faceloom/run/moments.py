"""The telling moments of a performance: where an edit of the face is hardest, or easiest to judge."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from faceloom.geometry.partcover import eye_openness, mouth_openness
from faceloom.media import open_clip
from faceloom.perceive import Perception
from faceloom.perceive.tracker import FaceTracker
from faceloom.run.ahead import ahead
from faceloom.run.sources import head_yaw
from faceloom.types import Box, Face, Part


@dataclass(frozen=True)
class Moment:
    """One frame of a clip: ``index`` counted from its first, what it shows in words, and where the face is in it."""

    index: int
    name: str
    box: Box


@dataclass(frozen=True)
class _Look:
    """What one frame shows: ``mouth`` and ``eyes`` are openings over widths, ``yaw`` degrees to the subject's left."""

    index: int
    box: Box
    mouth: float
    eyes: float
    yaw: float


# In this order, because moments lie apart: each later one takes the best of the frames that are left.
_MOMENTS: tuple[tuple[str, Callable[[_Look], float]], ...] = (
    ("mouth open", lambda look: look.mouth),
    ("blink", lambda look: -look.eyes),
    ("turned left", lambda look: look.yaw),
    ("turned right", lambda look: -look.yaw),
    ("lips closed", lambda look: -look.mouth - abs(look.yaw) / 90 - (look.eyes < 0.15)),
    ("facing", lambda look: look.eyes - abs(look.yaw) / 30 - look.mouth),
)


def telling_moments(target: str | os.PathLike[str], track: int, perception: Perception) -> list[Moment]:
    """Up to six different frames of one person, in order of time: mouth open, lips closed, a blink, turned head.

    Args:
        target: video, read once with memory that does not grow with its length (a few numbers a frame).
        track: the person's id, as in ``Report.edited_tracks``.

    Raises:
        MediaError: the file cannot be read.
    """
    tracker, looks = FaceTracker(perception), []
    with open_clip(target, allow_partial=True) as clip:
        frames = ahead(clip, depth=2)
        try:
            for frame in frames:
                looks += [_look(frame.index, face) for face in tracker.update(frame) if face.track == track]
        finally:
            frames.close()
    moments: list[Moment] = []
    apart = len(looks) // 20
    for name, score in _MOMENTS:
        left = [look for look in looks if all(abs(look.index - moment.index) > apart for moment in moments)]
        if left:
            best = max(left, key=score)
            moments.append(Moment(best.index, name, best.box))
    return sorted(moments, key=lambda moment: moment.index)


def _look(index: int, face: Face) -> _Look:
    landmarks = face.landmarks.astype(np.float64)
    eyes = np.mean([eye_openness(part, landmarks) for part in (Part.LEFT_EYE, Part.RIGHT_EYE)])
    return _Look(index, face.box, mouth_openness(landmarks), float(eyes), head_yaw(face))
