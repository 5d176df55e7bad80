"""The folders that a benchmark was made from: which files count, and where they are on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from faceloom.errors import MediaError
from faceloom.evaluate.benchmark.errors import BenchmarkError
from faceloom.evaluate.benchmark.files import read_json, write_json
from faceloom.evaluate.benchmark.manifest import Source

NAME = "sources.json"
"""A note for this machine beside the manifest; it is no part of the benchmark and need not travel with it."""
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".nut", ".ts")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif")
_FACEFORENSICS = "original_sequences/*/c23/videos"


def list_videos(folder: Path) -> list[str]:
    """Videos of a folder, relative to it, with slashes, in alphabetical order.

    In the layout of FaceForensics++ these are the originals, ``original_sequences/*/c23/videos``, and nothing else; in
    any other folder all videos in it and in the folders inside it.

    Raises:
        MediaError: no such folder. BenchmarkError: there is no video in it.
    """
    roots = sorted(folder.glob(_FACEFORENSICS)) or [folder]
    return _listed(folder, roots, VIDEOS, "video")


def list_pictures(folder: Path) -> list[str]:
    """Pictures of a folder and of those inside it, as ``list_videos``."""
    return _listed(folder, [folder], PICTURES, "picture")


def _listed(folder: Path, roots: list[Path], endings: tuple[str, ...], what: str) -> list[str]:
    if not folder.is_dir():
        raise MediaError(f"{folder}: is no folder; check the path")
    found = sorted(
        path.relative_to(folder).as_posix()
        for root in roots
        for path in root.rglob("*")
        if path.suffix.lower() in endings and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise BenchmarkError(f"{folder}: there is no {what} in this folder; endings looked for: {' '.join(endings)}")
    return found


def remember(folder: Path, out: Path, places: Mapping[Source, Path]) -> None:
    """Note in ``folder`` where the sources are, relative to ``out``, the place that the folder will have."""
    write_json(folder / NAME, {name: os.path.relpath(place, out) for name, place in places.items()})


def recall(folder: Path, source: Source, given: Path | None) -> Path:
    """Where a source is: ``given`` by the user, else as noted when the benchmark was built.

    Raises:
        MediaError: not given, and the note is missing or names no folder.
    """
    if given is None and (folder / NAME).is_file():
        note = read_json(folder / NAME, "the note of where the sources are")
        if isinstance(note, dict) and isinstance(note.get(source), str):
            given = folder / note[source]
    if given is None or not given.is_dir():
        raise MediaError(f"{folder}: the {source} of this benchmark were not found; say where they are: --{source} DIR")
    return given
