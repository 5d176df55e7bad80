"""Score what a run exported: one record per item, made once; nothing is edited again.

::

    REPORT/scores/METHOD/ID.json   ``ScoreRecord``
    REPORT/scores/METHOD/ID.npz    "series/NAME" per frame, "features/NAME" for the metrics over sets
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from faceloom.errors import FaceError, FaceloomError, MediaError
from faceloom.evaluate.benchmark import export
from faceloom.evaluate.benchmark.export import ItemRecord, TargetRecord
from faceloom.evaluate.benchmark.faces import measure
from faceloom.evaluate.benchmark.files import check_hash, read_json, without_paths, write_json
from faceloom.evaluate.benchmark.lossless import read_masks, read_pictures
from faceloom.evaluate.benchmark.scan import perception
from faceloom.evaluate.benchmark.workers import ordered
from faceloom.evaluate.item import Item, ItemScores
from faceloom.evaluate.metrics.registry import chosen
from faceloom.evaluate.networks import Networks
from faceloom.evaluate.scoring import score_item
from faceloom.media import read_image
from faceloom.perceive import perceive_image
from faceloom.weights import Store

FlowName = Literal["dis", "raft"]
Progress = Callable[[str, int, int], None]
"""Called with what is going on, things done, and things to do."""


class ScoreRecord(BaseModel):
    """Scores of one item.

    result   SHA-256 of the result that was scored; scores of another one are out of date.
    flow     what found motion: "dis" or "raft".
    metrics  those that were computed.
    values   metric -> number; None where the item does not define it.
    absent   metric -> why there is no number.
    about    how the numbers came about.
    error    why the item could not be scored at all, "" if it could.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    id: str
    result: str
    flow: FlowName
    metrics: tuple[str, ...]
    values: dict[str, float | None] = {}
    absent: dict[str, str] = {}
    about: dict[str, str] = {}
    error: str = ""


@dataclass(frozen=True)
class Scoring:
    """How to score: metrics by name (None: all), what finds motion, weights beside the store, torch device."""

    metrics: tuple[str, ...] | None = None
    flow: FlowName = "dis"
    files: tuple[tuple[str, Path], ...] = ()
    device: str = "cpu"


@dataclass(frozen=True)
class _Job:
    """One item to score; ``metrics`` are those that are still missing."""

    run: Path
    item: Path
    scores: Path
    scoring: Scoring
    metrics: tuple[str, ...]


def score_run(
    run: Path, report: Path, scoring: Scoring, *, jobs: int = 1, progress: Progress | None = None
) -> list[ScoreRecord]:
    """Score every finished item of a run; what was scored before, with the same flow, is kept.

    Items are scored one by one in processes of their own, so memory does not grow with their number.

    Raises:
        MediaError: ``run`` is no run, or an export of it is damaged. MetricError: an unknown metric.
        FaceloomError: torch is needed and not installed.
    """
    export.read_run(run)
    tell = progress or (lambda what, done, total: None)
    wanted = tuple(spec.name for spec in chosen(scoring.metrics))
    absent = networks_for(scoring).absent(wanted)
    work: list[_Job] = []
    places: list[Path] = []
    for item in export.item_folders(run):
        record = export.read_record(item / export.ITEM, ItemRecord)
        if record.status != "done":
            continue
        place = score_file(report, item)
        places.append(place)
        known = _current(place, record, scoring.flow)
        missing = [name for name in wanted if name not in known and name not in absent]
        if missing or not place.is_file():
            work.append(_Job(run, item, place, scoring, tuple(missing)))
    for number, _ in enumerate(ordered(_score, work, jobs), start=1):
        tell("scoring", number, len(work))
    return [read_scores(place) for place in places]


def score_file(report: Path, item: Path) -> Path:
    """Where the scores of an item's folder are."""
    return report / "scores" / item.parent.name / f"{item.name}.json"


def read_scores(path: Path) -> ScoreRecord:
    """Scores of an item. Raises MediaError, naming the file, if they are damaged."""
    try:
        return ScoreRecord.model_validate(read_json(path, "the scores of an item"))
    except ValidationError as error:
        raise MediaError(
            f"{path}: is damaged ({error.error_count()} problems); delete it and evaluate again"
        ) from error


def read_arrays(path: Path, kind: Literal["series", "features"]) -> dict[str, NDArray[Any]]:
    """Series or features beside a record of scores, by name; none where the item could not be scored."""
    arrays = path.with_suffix(".npz")
    if not arrays.is_file():
        return {}
    try:
        with np.load(arrays) as stored:
            names = [name for name in stored.files if name.startswith(f"{kind}/")]
            return {name.partition("/")[2]: stored[name] for name in names}
    except (OSError, ValueError) as error:
        raise MediaError(f"{arrays}: is damaged ({error}); delete it and evaluate again") from error


def features_of(places: Iterable[Path]) -> Iterator[dict[str, NDArray[Any]]]:
    """Features of one item after the other, for ``scoring.score_set``."""
    for place in places:
        yield read_arrays(place, "features")


def _current(place: Path, record: ItemRecord, flow: FlowName) -> Collection[str]:
    """Metrics that need not be computed again; scores that cannot be read count as none."""
    with suppress(MediaError):
        scores = read_scores(place)
        if scores.result == record.result and scores.flow == flow and not scores.error:
            return scores.metrics
    return ()


@lru_cache(maxsize=1)
def networks_for(scoring: Scoring) -> Networks:
    """The networks of this process. Raises WeightsError where the flow's weights are missing."""
    store, files = Store(), dict(scoring.files)
    if scoring.flow == "dis":
        return Networks(store, files=files, device=scoring.device)
    from faceloom.perceive.raft import RaftFlow

    store.ensure(["raft_things"])
    flow = RaftFlow(store, device=scoring.device)
    return Networks(store, files=files, device=scoring.device, flow=flow, flow_name="RAFT")


def _score(job: _Job) -> None:
    record = export.read_record(job.item / export.ITEM, ItemRecord)
    check_hash(job.item / export.RESULT, record.result, "this item")
    about: dict[str, Any] = {
        "method": record.method,
        "id": record.id,
        "result": record.result,
        "flow": job.scoring.flow,
    }
    try:
        scores = score_item(read_item(job.run, job.item, record), networks_for(job.scoring), job.metrics)
    except MediaError:
        raise
    except FaceloomError as error:
        text = without_paths(str(error), job.run)
        _save(job.scores, ScoreRecord(**about, metrics=(), error=text), {}, {})
        return
    _merge(job, about, record, scores)


def _merge(job: _Job, about: dict[str, Any], record: ItemRecord, scores: ItemScores) -> None:
    """Add new scores to those that are there, if these are of the same result and flow."""
    series, features = dict(scores.series), dict(scores.features)
    values: dict[str, float | None] = dict(scores.values)
    told, done = dict(scores.about), tuple(job.metrics)
    if kept := _current(job.scores, record, job.scoring.flow):
        before = read_scores(job.scores)
        values, told = {**before.values, **values}, {**before.about, **told}
        done = (*kept, *(name for name in done if name not in kept))
        series = {**read_arrays(job.scores, "series"), **series}
        features = {**read_arrays(job.scores, "features"), **features}
    absent = networks_for(job.scoring).absent(job.scoring.metrics)
    fresh = ScoreRecord(**about, metrics=done, values=_finite(values), absent=absent, about=told)
    _save(job.scores, fresh, series, features)


def _finite(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None or not np.isfinite(value) else float(value) for name, value in values.items()}


def _save(place: Path, record: ScoreRecord, series: Mapping[str, Any], features: Mapping[str, Any]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"series/{name}": np.asarray(value) for name, value in series.items()}
    arrays |= {f"features/{name}": np.asarray(value) for name, value in features.items()}
    partial = place.with_name(f".{place.stem}.{os.getpid()}.partial.npz")
    try:
        np.savez_compressed(partial, **arrays)
        partial.replace(place.with_suffix(".npz"))
    except OSError as error:
        raise MediaError(f"{place}: cannot be written ({error.strerror}); check the free space") from error
    finally:
        partial.unlink(missing_ok=True)
    write_json(place, record.model_dump(mode="json"))  # last: scores without their record are made again


def read_item(run: Path, item: Path, record: ItemRecord) -> Item:
    """An exported item, ready to be scored; frames are read when they are asked for.

    Raises:
        MediaError: an export is missing or damaged. FaceError: no face in the reference.
    """
    folder = run / "targets" / record.target
    target = export.read_record(folder / export.TARGET, TargetRecord)
    fps = Fraction(target.fps)
    reference = read_image(run / "references" / f"{record.reference}.png")
    faces = perceive_image(reference, perception())
    if not faces:
        raise FaceError(f"reference {record.reference}: no face was found in it; build the benchmark again")
    return Item(
        name=f"{record.method} {record.id}",
        attribute=record.part,
        target=read_pictures(folder / export.CROP),
        result=read_pictures(item / export.RESULT),
        regions=read_masks(export.mask_file(folder, record.part)),
        target_faces=export.load_faces(folder / export.FACES),
        result_faces=measure(read_pictures(item / export.RESULT), fps, perception()),
        reference=reference,
        reference_face=faces[0],
        fps=float(fps),
    )
