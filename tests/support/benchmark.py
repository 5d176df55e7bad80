"""A small benchmark made of moving portraits, and fabricated pieces of larger ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from faceloom.evaluate.benchmark.manifest import Manifest, Reference, Settings, Target
from faceloom.types import Attribute
from support.footage import NOBODY, Picture, moving, write_video

PEOPLE = ("person_17", "person_04", "person_02")
OTHERS = ("person_01", "person_06", "person_07")
FRAMES = 6
SMALL = Settings(targets=2, refs_per_part=2, parts=(Attribute.MOUTH,), min_frames=FRAMES, size=128, min_face=40)


def write_sources(folder: Path, portraits: Mapping[str, Picture]) -> tuple[Path, Path]:
    """``videos`` with three people and one clip without anybody, and ``portraits`` of three others."""
    videos, pictures = folder / "videos", folder / "portraits"
    videos.mkdir()
    pictures.mkdir()
    for index, name in enumerate(PEOPLE):
        write_video(videos / f"clip_{index}.mkv", moving(portraits[name], FRAMES + 2, 224))
    empty = np.ascontiguousarray(np.tile(NOBODY, (3, 3, 1)))
    write_video(videos / "nobody.mkv", [np.roll(empty, index, 0) for index in range(FRAMES + 2)])
    for name in OTHERS:
        Pillow.fromarray(portraits[name]).save(pictures / f"{name}.png")
    return videos, pictures


def fabricated(targets: int, pool: int, parts: tuple[Attribute, ...], seed: int = 0) -> Manifest:
    """A manifest of things that do not exist."""
    settings = Settings(targets=max(1, targets), refs_per_part=max(1, pool), parts=parts, seed=seed)
    return Manifest(
        settings=settings,
        targets=tuple(target(number) for number in range(1, targets + 1)),
        references=tuple(reference(part, number) for part in parts for number in range(1, pool + 1)),
    )


def target(number: int) -> Target:
    return Target(
        id=f"t{number:03d}", file=f"{number}.mp4", sha256="0" * 64, first_frame=0, frames=120, start="0", end="24/5",
        fps="25", width=640, height=480, face=180.0,
    )  # fmt: skip


def reference(part: Attribute, number: int) -> Reference:
    name = f"{part}-{number:03d}"
    return Reference(
        id=name, part=part, source="videos", file="other.mp4", sha256="1" * 64, frame=12, crop=(1, 0, 0, 0, 1, 0),
        quality={"blur": 0.2}, likeness=0.1, image=f"references/{name}.png", mask=f"references/{name}.mask.png",
        landmarks=f"references/{name}.npy", files={},
    )  # fmt: skip
