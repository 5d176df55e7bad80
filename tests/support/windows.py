"""Frames given to a method in windows, as the loop does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faceloom.methods.contract import Method
from faceloom.types import Attribute, Face, Frame, Patch, Source, Window


def in_windows(
    method: Method,
    take: Mapping[Attribute, Source],
    frames: Sequence[Frame],
    faces: Sequence[Face | None],
    length: int = 1000,
) -> list[list[Patch]]:
    """What a method makes of frames, in windows of ``length`` with the context that it asks for."""
    prepared, result = method.prepare(take), list[list[Patch]]()
    for start in range(0, len(frames), length):
        stop = min(start + length, len(frames))
        low, high = max(0, start - method.context), min(len(frames), stop + method.context)
        window = Window(frames[low:high], slice(start - low, stop - low), start == 0)
        result += method.apply(window, faces[low:high], prepared)
    return result
