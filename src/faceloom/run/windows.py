"""Cut a stream of perceived frames into bounded windows with steady faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from faceloom.perceive.motion import FOLLOW_SUPPORT, follow_motion
from faceloom.perceive.smooth import SUPPORT, smooth_faces
from faceloom.types import Face, Frame, Window

STEADY_SUPPORT = SUPPORT + FOLLOW_SUPPORT
"""Frames on each side that the steadied landmarks of a frame depend on."""
_MEMORY = 384 << 20
"""Bytes that the frames of one window may hold together, as far as its context allows."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame and what was found in it.

    faces   as measured.
    motion  by track id, (478, 2) displacement of the skin under each landmark from the frame before (frame pixels).
    cut     True where a new shot begins.
    """

    frame: Frame
    faces: tuple[Face, ...]
    motion: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True, eq=False)
class Scene:
    """A window and the people in it.

    tracks  per track id, that person's steadied face in each of its frames (None where not seen).
    known   all faces in the frames of the window and those read ahead of it, as measured.
    """

    window: Window
    tracks: dict[int, list[Face | None]]
    known: list[Face]


def window_length(frame_bytes: int, context: int, most: int = 16) -> int:
    """Frames to edit per window: ``most``, or fewer when frames are so large that memory would suffer."""
    # Twice: while one window is edited, as many frames wait to be the next.
    fits = (_MEMORY // max(1, frame_bytes) - 2 * context - STEADY_SUPPORT) // 2
    return int(max(2, min(most, fits)))


def scenes(seen: Iterable[Seen], length: int, context: int, opening: int | None = None) -> Iterator[Scene]:
    """Windows of at most ``length`` frames to edit, with ``context`` frames on each side where the shot has them.

    No window crosses a hard cut. Landmarks are steadied with ``STEADY_SUPPORT`` frames more on each side, so every
    frame comes out the same however long the windows are. Memory holds the pictures of
    ``length + 2 * context + STEADY_SUPPORT`` frames: of those further back only the faces are kept.

    opening  frames of a clip's first window, of which each one after may be twice as long as the one before: editing
             then need not wait until a whole window has been perceived. None for whole windows from the beginning.
    """
    margin = context + STEADY_SUPPORT
    buffer: list[Seen] = []
    start, first, size = 0, True, min(length, opening or length)
    for item in seen:
        if item.cut and buffer:
            for begin, end in _chunks(start, len(buffer), length):
                yield _scene(buffer, begin, end, context, first)
                first = False
            buffer, start = [], 0
        buffer.append(item)
        if len(buffer) >= start + size + margin:
            yield _scene(buffer, start, start + size, context, first)
            first = False
            start += size
            size = min(length, 2 * size)
            drop = max(0, start - margin)
            del buffer[:drop]
            start -= drop
            for i in range(max(0, start - context)):
                buffer[i] = _without_picture(buffer[i])
    for begin, end in _chunks(start, len(buffer), length):
        yield _scene(buffer, begin, end, context, first)
        first = False


def _without_picture(item: Seen) -> Seen:
    frame = item.frame
    return replace(item, frame=replace(frame, image=frame.image[:0, :0], native=None, decoded=None))


def _chunks(start: int, stop: int, length: int) -> Iterator[tuple[int, int]]:
    for begin in range(start, stop, length):
        yield begin, min(begin + length, stop)


def _scene(buffer: list[Seen], start: int, stop: int, context: int, first: bool) -> Scene:
    low, high = max(0, start - context), min(len(buffer), stop + context)
    support_low, support_high = max(0, low - STEADY_SUPPORT), min(len(buffer), high + STEADY_SUPPORT)
    support = buffer[support_low:support_high]
    ids = sorted({face.track for item in buffer[low:high] for face in item.faces})
    tracks = {track: _steady(support, track)[low - support_low : high - support_low] for track in ids}
    window = Window([item.frame for item in buffer[low:high]], slice(start - low, stop - low), first)
    return Scene(window, tracks, [face for item in buffer[low:] for face in item.faces])


def _steady(support: list[Seen], track: int) -> list[Face | None]:
    """One person's faces: jitter removed, then each landmark made to move as the skin under it does."""
    times = [float(item.frame.time) for item in support]
    faces = smooth_faces([_face(item, track) for item in support], times)
    present = [face for face in faces if face is not None]
    if not present:
        return faces
    unknown = np.full((len(present[0].landmarks), 2), np.nan, np.float32)
    landmarks = follow_motion(
        np.stack([(face or present[0]).landmarks for face in faces]),
        np.array([face is not None for face in faces]),
        np.stack([item.motion.get(track, unknown) for item in support]),
        times,
    )
    return [face and replace(face, landmarks=points) for face, points in zip(faces, landmarks, strict=True)]


def _face(item: Seen, track: int) -> Face | None:
    return next((face for face in item.faces if face.track == track), None)
