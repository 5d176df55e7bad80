"""Everything a report is made from: scored items, columns, and what they were made with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from faceloom.evaluate.benchmark import export
from faceloom.evaluate.benchmark.export import ItemRecord, RunRecord
from faceloom.evaluate.benchmark.scores import FlowName, ScoreRecord, features_of, score_file
from faceloom.evaluate.item import SetScores
from faceloom.evaluate.metrics.registry import MetricSpec, chosen
from faceloom.evaluate.scoring import score_set
from faceloom.types import Attribute

MAIN = ("e_warp", "fvd", "pose_hopenet", "pose_error", "expression_deep3d", "expression_error", "clip_i", "dino_i",
        "arcface_outside", "identity_outside", "lpips_background")  # fmt: skip
"""The columns of V-PartSwap's Table 1, with our own beside those whose networks are for the user to bring."""


@dataclass(frozen=True)
class Row:
    """One item: scores by metric, None where there is no number; ``seconds`` the edit took; ``about`` its scoring."""

    method: str
    part: Attribute
    target: str
    reference: str
    values: Mapping[str, float | None]
    seconds: float = 0.0
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def pair(self) -> tuple[str, Attribute, str]:
        """What was edited, whatever the method."""
        return self.target, self.part, self.reference

    @property
    def id(self) -> str:
        """The item's name in files."""
        return f"{self.target}.{self.reference}"


@dataclass(frozen=True)
class Results:
    """What there is to report.

    rows      scored items.
    failures  (method, item, what went wrong), of edits and of scoring.
    absent    metric -> why its column is empty: ``n/a (needs clip-vit-l14)``.
    sets      (method, part) -> metrics over a set; part None for all common parts together.
    flow      what found motion.
    """

    run: RunRecord
    metrics: Sequence[MetricSpec]
    rows: Sequence[Row]
    failures: Sequence[tuple[str, str, str]] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[tuple[str, Attribute | None], SetScores] = field(default_factory=dict)
    flow: str = "dis"
    weights: Mapping[str, str] = field(default_factory=dict)

    @property
    def methods(self) -> list[str]:
        """Methods with at least one scored item, in the order in which they were given."""
        scored = {row.method for row in self.rows}
        return [method for method in self.run.methods if method in scored]

    @property
    def parts(self) -> list[Attribute]:
        """Parts with scored items, in the order of the run."""
        scored = {row.part for row in self.rows}
        return [part for part in self.run.parts if part in scored]

    @property
    def common_parts(self) -> list[Attribute]:
        """Parts that every method takes: the common subset of V-PartSwap's Table 1."""
        lacking = {part for method in self.methods for part in self.run.unsupported.get(method, ())}
        return [part for part in self.parts if part not in lacking]

    @property
    def fair_rows(self) -> list[Row]:
        """Rows of pairs that every method which takes the part has finished; others would favour whoever failed."""
        return fair(self.rows, self.methods, self.run.unsupported)


def fair(rows: Sequence[Row], methods: Sequence[str], unsupported: Mapping[str, Sequence[Attribute]]) -> list[Row]:
    """The rows whose pair has a row of every method that takes its part."""
    done: dict[tuple[str, Attribute, str], set[str]] = {}
    for row in rows:
        done.setdefault(row.pair, set()).add(row.method)
    wanted = {pair: {method for method in methods if pair[1] not in unsupported.get(method, ())} for pair in done}
    return [row for row in rows if wanted[row.pair] <= done[row.pair]]


def gather(
    run: Path,
    report: Path,
    scores: Sequence[ScoreRecord],
    metrics: Iterable[str] | None,
    flow: FlowName,
    absent: Mapping[str, str],
    weights: Mapping[str, str],
) -> Results:
    """Join records of items and scores, and compute the metrics over sets.

    Args:
        run, report: folders; features are read from ``report`` item by item.
        scores: what ``score_run`` returned.
        absent: metrics that cannot be computed here, with the reason.
        weights: name -> SHA-256 of what scored.
    """
    by_name = {(one.method, one.id): one for one in scores}
    wanted = chosen(metrics)
    names = {spec.name for spec in wanted}
    rows, failures, places = [], [], {}
    for folder in export.item_folders(run):
        item = export.read_record(folder / export.ITEM, ItemRecord)
        score = by_name.get((item.method, item.id))
        problem = item.error if item.status == "failed" else "not scored yet" if score is None else score.error
        if problem or score is None:
            failures.append((item.method, item.id, problem))
            continue
        values = {name: value for name, value in score.values.items() if name in names}
        row = Row(item.method, item.part, item.target, item.reference, values, _seconds(item.edit), score.about)
        rows.append(row)
        places[row.method, row.pair] = score_file(report, folder)
    results = Results(export.read_run(run), wanted, rows, failures, dict(absent), {}, flow, dict(weights))
    return _with_sets(results, places)


def _with_sets(results: Results, places: Mapping[tuple[str, Any], Path]) -> Results:
    wanted = [spec.name for spec in results.metrics if spec.level == "set" and spec.name not in results.absent]
    sets: dict[tuple[str, Attribute | None], SetScores] = {}
    rows = results.fair_rows
    for method in results.methods if wanted else ():
        for part in (None, *results.parts):
            parts = results.common_parts if part is None else [part]
            own = [places[row.method, row.pair] for row in rows if row.method == method and row.part in parts]
            if own:
                sets[method, part] = score_set(features_of(own), wanted)
    return replace(results, sets=sets)


def _seconds(edit: Mapping[str, Any]) -> float:
    value = edit.get("seconds", 0.0)
    return float(value) if isinstance(value, int | float) else 0.0
