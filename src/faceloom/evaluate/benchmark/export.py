"""The files of a run: what was edited, cut to aligned crops without loss, and what made it.

::

    run.json                         what was run, with what (``RunRecord``)
    references/ID.png, .mask.png, .npy   copies from the benchmark
    targets/ID/crop.mkv              aligned crops of the target, FFV1
    targets/ID/masks/PART.mkv        where an edit of the part may show, FFV1, grey
    targets/ID/alignment.npy         (T, 2, 3) from frame to crop
    targets/ID/faces.npz             faces found in crop.mkv
    targets/ID/target.json           ``TargetRecord``
    items/METHOD/ID/result.mkv       aligned crops of the result, FFV1, frame by frame those of the target
    items/METHOD/ID/item.json        ``ItemRecord``

A folder of a target or item appears only when it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from faceloom.errors import MediaError
from faceloom.evaluate.benchmark.files import read_json, write_json
from faceloom.evaluate.benchmark.manifest import explain
from faceloom.types import Attribute, Face

RUN, TARGET, ITEM = "run.json", "target.json", "item.json"
CROP, RESULT, FACES, ALIGNMENT = "crop.mkv", "result.mkv", "faces.npz", "alignment.npy"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetRecord(_Record):
    """A target as exported. ``fps`` is an exact fraction, ``faces_lost`` frames of the crop without a face."""

    id: str
    frames: int
    fps: str
    size: int
    faces_lost: int


class ItemRecord(_Record):
    """One edit.

    status   "done", or "failed" with what went wrong in ``error``.
    method   as the user wrote it.
    result   SHA-256 of result.mkv; "" for a failed item.
    edit     what ``editing.edit_losslessly`` said: frames, seconds, warnings, weights.
    """

    id: str
    method: str
    target: str
    part: Attribute
    reference: str
    status: Literal["done", "failed"]
    error: str = ""
    frames: int = 0
    result: str = ""
    edit: dict[str, Any] = {}


class RunRecord(_Record):
    """What was run.

    benchmark     SHA-256 of the manifest; a run goes on with the same benchmark only.
    methods       as the user wrote them, over all starts of this run.
    unsupported   by method, the parts that it cannot take.
    references    samples for each target and part; ``limit`` as asked for last.
    """

    format: Literal["faceloom-run-1"] = "faceloom-run-1"
    benchmark: str
    size: int
    seed: int
    parts: tuple[Attribute, ...]
    methods: tuple[str, ...]
    unsupported: dict[str, tuple[Attribute, ...]] = {}
    references: int
    limit: int | None
    machine: dict[str, Any] = {}
    commit: str = ""
    versions: dict[str, str] = {}
    weights: dict[str, str] = {}


Kind = TypeVar("Kind", bound=_Record)


def read_record(path: Path, kind: type[Kind]) -> Kind:
    """The record in a JSON file. Raises MediaError, naming the file, if it is missing or damaged."""
    values = read_json(path, "this part of a run")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise MediaError(f"{path}: is damaged: {explain(error)}; delete its folder and run again") from error


def write_record(path: Path, record: _Record) -> None:
    """Write a record as JSON, whole or not at all."""
    write_json(path, record.model_dump(mode="json"))


def read_run(run: Path) -> RunRecord:
    """What was run in a folder. Raises MediaError if it is no run."""
    if not (run / RUN).is_file():
        raise MediaError(f"{run}: is no run of a benchmark (there is no {RUN} in it); make one: faceloom benchmark run")
    return read_record(run / RUN, RunRecord)


def item_folders(run: Path) -> Iterator[Path]:
    """Folders of all items that are whole, done or failed, in alphabetical order."""
    for record in sorted((run / "items").glob(f"*/*/{ITEM}")):
        if not record.parent.name.startswith("."):
            yield record.parent


def mask_file(target: Path, part: Attribute) -> Path:
    """Where the masks of a part are in the folder of a target."""
    return target / "masks" / f"{part}.mkv"


def save_faces(path: Path, faces: Sequence[Face | None]) -> None:
    """Write the faces of a clip's frames, with their gaps; read with ``load_faces``."""
    known = [face for face in faces if face is not None]
    np.savez(
        path,
        found=np.array([face is not None for face in faces]),
        landmarks=np.array([face.landmarks for face in known], np.float32).reshape(-1, 478, 3),
        blendshapes=np.array([face.blendshapes for face in known], np.float32).reshape(-1, 52),
        pose=np.array([face.pose for face in known], np.float64).reshape(-1, 4, 4),
        confidence=np.array([face.confidence for face in known], np.float64),
    )


def load_faces(path: Path) -> list[Face | None]:
    """What ``save_faces`` wrote. Raises MediaError, naming the file, if it cannot be read."""
    try:
        with np.load(path) as stored:
            table: dict[str, NDArray[Any]] = {name: stored[name] for name in stored.files}
        rows = iter(
            Face(landmarks, blendshapes, pose, float(confidence), 1)
            for landmarks, blendshapes, pose, confidence in zip(
                table["landmarks"], table["blendshapes"], table["pose"], table["confidence"], strict=True
            )
        )
        return [next(rows) if found else None for found in table["found"]]
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise MediaError(f"{path}: cannot be read ({error}); delete its folder and run again") from error
