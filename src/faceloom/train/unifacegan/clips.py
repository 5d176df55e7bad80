"""Packed clips: frames around one face with its 3D parameters, each clip in a folder of its own.

A folder of packed clips holds ``index.json`` and, for each clip, ``clips/<name>/`` with ``frames.npy`` (L, S, S, 3)
uint8 RGB, ``motion.npz`` (a motion template in pixels of these frames), ``sides.npy`` (L, V) uint8 and ``clip.json``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import MediaError
from faceloom.perceive.morphable import MotionTemplate

INDEX, CLIPS = "index.json", "clips"
_VERSION = 1


@dataclass(frozen=True)
class ClipEntry:
    """One clip of the index: its folder's name, its path below the source folder, and its pairs of frames."""

    name: str
    source: str
    pairs: int


@dataclass(frozen=True, eq=False)
class PackedClip:
    """The frames of a clip that show the face.

    frames   (L, S, S, 3) uint8 RGB.
    motion   parameters of each frame, in pixels of ``frames``; every one is present, and all have one shape.
    sides    (L, V) uint8, 255 times ``MeshTexture.side``: which side of the face a vertex takes its colour from.
    follows  (L,) bool, True where a frame comes directly after the one before it, in the same shot.
    """

    frames: NDArray[np.uint8]
    motion: MotionTemplate
    sides: NDArray[np.uint8]
    follows: NDArray[np.bool_]

    @cached_property
    def pairs(self) -> NDArray[np.integer]:
        """(P,) rows t of ``frames`` for which t - 1 is the frame before."""
        return np.flatnonzero(self.follows)


def write_clip(output: Path, name: str, source: str, clip: PackedClip) -> ClipEntry:
    """Write a clip below ``output``; its folder gets its name when it is complete. Raises ``MediaError``."""
    final = output / CLIPS / name
    partial = final.with_name(f".{name}.partial")
    entry = ClipEntry(name, source, len(clip.pairs))
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        np.save(partial / "frames.npy", clip.frames)
        np.save(partial / "sides.npy", clip.sides)
        clip.motion.save(partial / "motion.npz")
        content = {**asdict(entry), "follows": clip.follows.astype(int).tolist()}
        (partial / "clip.json").write_text(json.dumps(content), encoding="utf-8")
        partial.replace(final)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise MediaError(f"{final}: cannot be written ({error.strerror or error}). Check the free space.") from error
    return entry


def read_entry(output: Path, name: str) -> ClipEntry | None:
    """The entry of a clip that ``write_clip`` has finished, or None. Raises ``MediaError`` when it is damaged."""
    path = output / CLIPS / name / "clip.json"
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return ClipEntry(content["name"], content["source"], content["pairs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path}: is damaged ({error}); delete {path.parent} and pack again") from error


def read_clip(folder: Path, name: str) -> PackedClip:
    """A clip, its frames mapped from the file. Raises ``MediaError`` when something is missing or damaged."""
    here = folder / CLIPS / name
    try:
        content = json.loads((here / "clip.json").read_text(encoding="utf-8"))
        return PackedClip(
            np.load(here / "frames.npy", mmap_mode="r"),
            MotionTemplate.load(here / "motion.npz"),
            np.load(here / "sides.npy", mmap_mode="r"),
            np.array(content["follows"], bool),
        )
    except (OSError, ValueError, KeyError) as error:
        raise MediaError(f"{here}: cannot be read ({error}); delete it and pack again") from error


def write_index(output: Path, size: int, entries: Sequence[ClipEntry]) -> None:
    """Write ``index.json``, without which the folder does not count as packed."""
    content = {"version": _VERSION, "size": size, "clips": [asdict(entry) for entry in entries]}
    partial = output / f".{INDEX}.partial"
    partial.write_text(json.dumps(content, indent=1), encoding="utf-8")
    partial.replace(output / INDEX)


def read_index(folder: Path) -> tuple[int, tuple[ClipEntry, ...]]:
    """Side of the frames, and the clips. Raises ``MediaError`` when the folder is not packed or the index damaged."""
    try:
        content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return int(content["size"]), tuple(ClipEntry(**entry) for entry in content["clips"])
    except FileNotFoundError as error:
        raise MediaError(f"{folder}: has no {INDEX}; pack clips with: faceloom train cache3d") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{folder / INDEX}: is damaged ({error}); pack the clips again") from error
