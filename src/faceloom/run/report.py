"""What a run did: counted, timed, and written as JSON."""

from __future__ import annotations

import json
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from faceloom.errors import MediaError
from faceloom.types import Recipe, Track

_PACKAGES = ("faceloom", "numpy", "opencv-python-headless", "av", "ai-edge-litert", "onnxruntime", "torch")


class StageTimes:
    """Seconds spent in named stages, added up from any thread. Stages overlap, so their sum may exceed the total."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the body of a ``with`` block as ``stage``."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            with self._lock:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


@dataclass
class Report:
    """The result of one edit.

    frames_read     frames decoded; ``frames_edited`` of them were changed and ``frames_passed`` were not, because
                    the chosen face was not seen (or its part was turned away).
    faces_lost      frames in which the chosen face was not found, after it had been seen once.
    tracks          everyone who was seen.
    warnings        what a person should know about this result.
    understood      what retouch requests were understood as.
    mask            which picture shows where that was seen, and of which frame; empty when none was asked for.
    stage_seconds   time per stage; stages run side by side, ``seconds`` is the wall clock.
    """

    target: str
    output: str
    recipe: dict[str, Any]
    method: str
    frames_read: int = 0
    frames_edited: int = 0
    frames_passed: int = 0
    faces_lost: int = 0
    truncated: bool = False
    seconds: float = 0.0
    stage_seconds: dict[str, float] = field(default_factory=dict)
    tracks: list[dict[str, Any]] = field(default_factory=list)
    edited_tracks: list[int] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    understood: list[str] = field(default_factory=list)
    mask: str = ""
    weights: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The report as indented JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    def write(self, path: Path) -> None:
        """Write the JSON; the name appears only when the file is whole. Raises MediaError if it cannot be written."""
        partial = path.with_name(path.name + ".partial")
        try:
            partial.write_text(self.to_json() + "\n", encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            raise MediaError(
                f"{path}: the report cannot be written ({error.strerror}). Check the folder and the free space."
            ) from error


def describe_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values, in the form of a recipe file."""
    return {
        "take": {attribute.value: str(path) for attribute, path in recipe.take.items()},
        "method": recipe.method,
        "strength": recipe.strength,
        "face": recipe.face,
        "reference_face": recipe.reference_face,
        "occlusion": recipe.occlusion,
        "seed": recipe.seed,
        "options": dict(recipe.options),
        "retouch": list(recipe.retouch),
    }


def describe_track(track: Track) -> dict[str, Any]:
    """A track as plain values, times in seconds."""
    return {
        "id": track.id,
        "first": round(float(track.first), 3),
        "last": round(float(track.last), 3),
        "frames": track.frames,
        "mean_size": round(track.mean_size, 1),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result; absent ones are left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
