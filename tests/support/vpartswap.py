"""``vpartswap`` on real frames with a network of random weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceloom.methods.vpartswap.checkpoint import save_safetensors
from faceloom.methods.vpartswap.method import VPartSwap
from faceloom.types import Attribute, Face, Frame, Patch, Source, Window
from support.diffae import random_model

FEW: dict[str, Any] = {"device": "cpu", "precision": "float32", "steps_render": 4}


def tiny_checkpoint(folder: Path, **edit: Any) -> Path:
    """A checkpoint of 32 pixels and random weights that recommends ``edit``."""
    path = folder / "tiny.safetensors"
    save_safetensors(path, random_model(), edit=edit)
    return path


def windows(frames: Sequence[Frame], length: int, context: int = VPartSwap.context) -> list[tuple[Window, slice]]:
    """The frames in windows of ``length``, and which frames each window holds."""
    cut = []
    for start in range(0, len(frames), length):
        stop = min(start + length, len(frames))
        low, high = max(0, start - context), min(len(frames), stop + context)
        cut.append((Window(frames[low:high], slice(start - low, stop - low), start == 0), slice(low, high)))
    return cut


def swapped(
    method: VPartSwap,
    take: Mapping[Attribute, Source],
    frames: Sequence[Frame],
    faces: Sequence[Face | None],
    length: int = 1000,
) -> list[list[Patch]]:
    """What ``vpartswap`` makes of frames, in windows of ``length`` with the context that it asks for."""
    prepared, result = method.prepare(take), []
    for window, some in windows(frames, length):
        result += method.apply(window, faces[some], prepared)
    return result
