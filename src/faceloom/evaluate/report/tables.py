"""Averages and ranks: numbers only, no markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from faceloom.evaluate.metrics.registry import MetricSpec
from faceloom.evaluate.report.data import Results, Row
from faceloom.types import Attribute

Number = float | None


@dataclass(frozen=True)
class Cell:
    """One entry: ``text`` as shown, ``rank`` 1 for the best of its column, 2 for the second, 0 for all others."""

    text: str
    rank: int = 0


@dataclass(frozen=True)
class Table:
    """A titled table: heads of the columns, and rows of a name and cells. ``note`` says how to read it."""

    title: str
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    note: str = ""


def mean(values: Iterable[Number]) -> Number:
    """Mean of the numbers that are there; None when there are none."""
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(known)) if known else None


def part_mean(rows: Iterable[Row], method: str, part: Attribute, metric: str) -> Number:
    """Mean over the items of one method and part."""
    return mean(row.values.get(metric) for row in rows if row.method == method and row.part == part)


def macro_mean(rows: Sequence[Row], method: str, parts: Iterable[Attribute], metric: str) -> Number:
    """Mean over parts of the means over their items, so that every part counts alike: V-PartSwap, Table 1.

    None if one of the parts has no number: an average over fewer parts could not be compared.
    """
    means = [part_mean(rows, method, part, metric) for part in parts]
    return None if any(value is None for value in means) else mean(means)


def value_of(results: Results, spec: MetricSpec, method: str, part: Attribute | None, rows: Sequence[Row]) -> Number:
    """A metric of one method on one part, or with ``part`` None its macro-average over the common parts.

    Metrics over sets have one number for all common parts together, as they are on whole videos.
    """
    if spec.level == "set":
        scores = results.sets.get((method, part))
        return None if scores is None else scores.values.get(spec.name)
    if part is None:
        return macro_mean(rows, method, results.common_parts, spec.name)
    return part_mean(rows, method, part, spec.name)


def head(spec: MetricSpec) -> str:
    """Title, unit and direction: ``E_warp (10^-3) ↓``."""
    unit = f" ({spec.unit})" if spec.unit else ""
    return f"{spec.title}{unit} {'↓' if spec.direction == 'lower' else '↑'}"


def column(values: Sequence[Number], spec: MetricSpec, absent: str | None) -> list[Cell]:
    """Cells of one column, ranked as shown: values that look alike share a rank, and if all do, nobody is best."""
    if absent is not None:
        return [Cell(absent) for _ in values]
    texts = [number(value) for value in values]
    shown = sorted({float(text) for text, value in zip(texts, values, strict=True) if value is not None})
    if spec.direction == "higher":
        shown.reverse()
    ranks = {value: place for place, value in enumerate(shown, start=1)} if len(shown) > 1 else {}
    return [
        Cell(text, rank if value is not None and (rank := ranks.get(float(text), 0)) <= 2 else 0)
        for text, value in zip(texts, values, strict=True)
    ]


def number(value: Number) -> str:
    """Four significant digits without exponents where they can be avoided; a dash for no number."""
    if value is None or not np.isfinite(value):
        return "–"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3e}"
    digits = 4 - 1 - int(np.floor(np.log10(abs(value)))) if value else 0
    return f"{value:.{min(max(digits, 0), 6)}f}"


def method_table(
    results: Results, title: str, metrics: Sequence[MetricSpec], part: Attribute | None, note: str = ""
) -> Table:
    """Methods down, metrics across: of one part, or with None the macro-average."""
    rows = results.fair_rows
    methods = [one for one in results.methods if part is None or part not in results.run.unsupported.get(one, ())]
    columns = [
        column([value_of(results, spec, method, part, rows) for method in methods], spec, results.absent.get(spec.name))
        for spec in metrics
    ]
    lines = [(method, [cells[index] for cells in columns]) for index, method in enumerate(methods)]
    return Table(title, [head(spec) for spec in metrics], lines, note)


def clip_table(results: Results, target: str, metrics: Sequence[MetricSpec]) -> Table:
    """One target: method and part down, metrics across, means over its references; ranks within each part."""
    lines: list[tuple[str, Sequence[Cell]]] = []
    own = [row for row in results.fair_rows if row.target == target]
    for part in results.parts:
        methods = [one for one in results.methods if any(row.method == one and row.part == part for row in own)]
        columns = [
            column([part_mean(own, method, part, spec.name) for method in methods], spec, results.absent.get(spec.name))
            for spec in metrics
        ]
        lines += [(f"{part}: {method}", [cells[i] for cells in columns]) for i, method in enumerate(methods)]
    return Table(f"Clip {target}", [head(spec) for spec in metrics], lines)
