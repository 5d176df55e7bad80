"""What lies in front of a part: a hand, a microphone, food.

A part that is covered looks unlike itself. Colours at landmarks on and around the part are compared with what they
have been so far; where several neighbours differ at once, something is in front, and the target's own pixels stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import colour, masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.methods.face_look import FaceLooks
from faceloom.methods.light import SKIN_POINTS, SMOOTHING_RADIUS
from faceloom.methods.memo import FrameMemo
from faceloom.perceive.temporal_filter import smooth_parameters
from faceloom.types import Box, Face, Frame, Matte, Part

_ON_PART: dict[Part, tuple[int, ...]] = {
    Part.MOUTH: (40, 39, 37, 0, 267, 269, 270, 91, 181, 84, 17, 314, 405, 321, 73, 11, 303, 180, 16, 404),
    Part.NOSE: (195, 5, 4, 1, 51, 281, 45, 275, 115, 344, 220, 440, 196, 419, 197, 6),
    Part.LEFT_EYE: t.LEFT_UPPER_LID_SKIN[1:-1] + t.LEFT_LOWER_LID_SKIN[1:-1] + t.LEFT_UNDER_EYE[1:-1],
    Part.RIGHT_EYE: t.RIGHT_UPPER_LID_SKIN[1:-1] + t.RIGHT_LOWER_LID_SKIN[1:-1] + t.RIGHT_UNDER_EYE[1:-1],
    Part.LEFT_EYEBROW: t.LEFT_EYEBROW_UPPER + t.LEFT_EYEBROW_LOWER,
    Part.RIGHT_EYEBROW: t.RIGHT_EYEBROW_UPPER + t.RIGHT_EYEBROW_LOWER,
}
_ALL_OVER = (10, 151, 9, 8, 50, 280, 101, 330, 205, 425, 187, 411, 36, 266, 199, 200, 175, 197, 5, 104, 333, 69, 299)
"""Skin all over the face: its median carries the light of the frame, whatever covers one part."""

_MEMORY = 1 / 50
"""Share of each new frame in the remembered look."""
_FORGIVENESS = 1 / 250
"""The same for a point that looks covered: if it stays that way for many seconds, that is how it looks."""
_LEAST_DEVIATION = np.array([0.30, 0.10, 0.10])
_MOST_DEVIATION = np.array([0.45, 0.15, 0.15])
"""Bounds of the remembered deviation: pores and shading at least, and never so wide that a cover fits in."""
_SUSPECT, _CERTAIN = 3.0, 4.2
"""Deviations from the remembered look at which a point starts to count as covered, and counts in full."""
_NEIGHBOURS = 5
_REACH = 0.10
"""How far a covered point speaks for the pixels around it, in inter-ocular distances."""


@dataclass(eq=False)
class _Look:
    """The remembered look of one person's part: mean and mean squared deviation of the points' features."""

    mean: NDArray[np.float64]
    square: NDArray[np.float64]

    def copy(self) -> _Look:
        return _Look(self.mean.copy(), self.square.copy())


@dataclass(eq=False)
class CoverWatch:
    """Watches one part of every person in a clip. Frames must come in order; windows may overlap by their context."""

    part: Part
    looks: FaceLooks
    _looks: dict[int, _Look] = field(default_factory=dict)
    _past: FrameMemo[NDArray[np.float64]] = field(default_factory=FrameMemo)

    @cached_property
    def points(self) -> list[int]:
        """Landmarks looked at."""
        return list(dict.fromkeys(_ON_PART[self.part] + SKIN_POINTS[self.part]))

    def covered(
        self, frames: Sequence[Frame], faces: Sequence[Face | None], core: slice
    ) -> list[NDArray[np.float64] | None]:
        """How much each of ``points`` is covered, 0 to 1, for every frame of a window; None without a face.

        Only core frames enter the memory, each once, so that the result does not depend on how a clip is cut.
        """
        seen = [face for face in faces if face is not None]
        if not seen:
            return [None] * len(faces)
        stop = core.indices(len(frames))[1]
        self._past.forget_before(frames[0].index)
        raw: dict[int, NDArray[np.float64]] = {}
        ahead: _Look | None = None
        for i, (frame, face) in enumerate(zip(frames, faces, strict=True)):
            if face is None:
                continue
            features = self._features(frame, face)
            look = self._looks.setdefault(face.track, _Look(features, np.zeros_like(features)))
            if i < stop:
                raw[i] = self._past.get(face.track, frame.index, partial(self._compare, look, features))
            else:
                # Frames to come are compared with a copy: they enter the memory when their turn comes.
                ahead = look.copy() if ahead is None else ahead
                raw[i] = self._compare(ahead, features)
        return self._smooth(raw, len(frames))

    def forget(self, person: int) -> None:
        """Drop everything of a person: another clip begins."""
        self._looks.pop(person, None)
        self._past.forget(person)

    def _features(self, frame: Frame, face: Face) -> NDArray[np.float64]:
        """(K, 3) features of the points, relative to the face's skin in the same frame."""
        features = self.looks.of(frame, face).features
        return features[self.points] - colour.column_medians(features[list(_ALL_OVER)])

    def _compare(self, look: _Look, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covered points of one frame; updates ``look`` with those that are not."""
        deviation = np.clip(np.sqrt(look.square), _LEAST_DEVIATION, _MOST_DEVIATION)
        distance = np.sqrt((((features - look.mean) / deviation) ** 2).sum(axis=1))
        covered = masks.smoothstep(distance.astype(np.float32), _SUSPECT, _CERTAIN).astype(np.float64)
        rate = (_FORGIVENESS + (_MEMORY - _FORGIVENESS) * (1 - covered))[:, None]
        look.square += rate * ((features - look.mean) ** 2 - look.square)
        look.mean += rate * (features - look.mean)
        return covered

    def _smooth(self, raw: dict[int, NDArray[np.float64]], count: int) -> list[NDArray[np.float64] | None]:
        valid = np.array([i in raw for i in range(count)])
        table = np.stack([raw.get(i, np.zeros(len(self.points))) for i in range(count)])
        smooth = smooth_parameters(table, valid, radius=SMOOTHING_RADIUS, sigma=1.5)
        return [row if ok else None for row, ok in zip(smooth, valid, strict=True)]


def cover_matte(
    points: Sequence[int], covered: NDArray[np.float64], landmarks: NDArray[np.float64], box: Box
) -> Matte | None:
    """Where something lies in front of a part: (h, w) float32 in [0, 1] over ``box``, or None if nothing does.

    A point counts as covered when most of its nearest neighbours do; one alone is a shadow, a tooth or a hair.
    """
    if float(covered.max(initial=0.0)) < 0.05:
        return None
    xy = landmarks[list(points), :2]
    gaps = np.linalg.norm(xy[:, None] - xy[None], axis=-1)
    nearest = np.argsort(gaps, axis=1)[:, :_NEIGHBOURS]
    agreed = np.median(covered[nearest], axis=1)
    if float(agreed.max()) < 0.02:
        return None
    return _spread(xy, agreed, _REACH * face_scale(landmarks), box)


def _spread(xy: NDArray[np.float64], values: NDArray[np.float64], reach: float, box: Box) -> Matte:
    """Values at points as a smooth field: the Gaussian-weighted mean of the points around each pixel."""
    step = max(2, int(reach / 2))
    x = np.arange(box.left, box.right + step, step)
    y = np.arange(box.top, box.bottom + step, step)
    squared = (x[None, :, None] - xy[:, 0]) ** 2 + (y[:, None, None] - xy[:, 1]) ** 2
    weight = np.exp(-0.5 * squared / reach**2) + 1e-12
    coarse = (weight @ values / weight.sum(axis=-1)).astype(np.float32)
    to_coarse = np.array([[1 / step, 0, 0], [0, 1 / step, 0]])
    field_ = cv2.warpAffine(
        coarse,
        to_coarse,
        (box.width, box.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return masks.smoothstep(field_, 0.15, 0.6)
