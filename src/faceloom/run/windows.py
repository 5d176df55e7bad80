"""Cut a stream of perceived frames into bounded windows with smoothed faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from faceloom.perceive.smooth import SUPPORT, smooth_faces
from faceloom.types import Face, Frame, Window

_MEMORY = 384 << 20
"""Bytes that the frames of one window may hold together, as far as its context allows."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame and the faces found in it (landmarks as measured); ``cut`` is True where a new shot begins."""

    frame: Frame
    faces: tuple[Face, ...]
    cut: bool = False


@dataclass(frozen=True, eq=False)
class Scene:
    """A window and, per track id, that person's smoothed face in each of its frames (None where not seen)."""

    window: Window
    tracks: dict[int, list[Face | None]]


def window_length(frame_bytes: int, context: int, most: int = 24) -> int:
    """Frames to edit per window: ``most``, or fewer when frames are so large that memory would suffer."""
    fits = _MEMORY // max(1, frame_bytes) - 2 * (context + SUPPORT)
    return int(max(4, min(most, fits)))


def scenes(seen: Iterable[Seen], length: int, context: int) -> Iterator[Scene]:
    """Windows of at most ``length`` frames to edit, with ``context`` frames on each side where the shot has them.

    No window crosses a hard cut. Landmarks are smoothed with ``SUPPORT`` frames more on each side, so every frame
    comes out the same however long the windows are. Memory holds ``length + 2 * (context + SUPPORT)`` frames.
    """
    margin = context + SUPPORT
    buffer: list[Seen] = []
    start, first = 0, True
    for item in seen:
        if item.cut and buffer:
            for begin, end in _chunks(start, len(buffer), length):
                yield _scene(buffer, begin, end, context, first)
                first = False
            buffer, start = [], 0
        buffer.append(item)
        if len(buffer) >= start + length + margin:
            yield _scene(buffer, start, start + length, context, first)
            first = False
            start += length
            drop = max(0, start - margin)
            del buffer[:drop]
            start -= drop
    for begin, end in _chunks(start, len(buffer), length):
        yield _scene(buffer, begin, end, context, first)
        first = False


def _chunks(start: int, stop: int, length: int) -> Iterator[tuple[int, int]]:
    for begin in range(start, stop, length):
        yield begin, min(begin + length, stop)


def _scene(buffer: list[Seen], start: int, stop: int, context: int, first: bool) -> Scene:
    low, high = max(0, start - context), min(len(buffer), stop + context)
    support_low, support_high = max(0, low - SUPPORT), min(len(buffer), high + SUPPORT)
    support = buffer[support_low:support_high]
    times = [float(item.frame.time) for item in support]
    ids = sorted({face.track for item in buffer[low:high] for face in item.faces})
    tracks = {
        track: smooth_faces([_face(item, track) for item in support], times)[low - support_low : high - support_low]
        for track in ids
    }
    window = Window([item.frame for item in buffer[low:high]], slice(start - low, stop - low), first)
    return Scene(window, tracks)


def _face(item: Seen, track: int) -> Face | None:
    return next((face for face in item.faces if face.track == track), None)
