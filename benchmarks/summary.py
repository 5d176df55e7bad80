"""Rows of measurements to verdicts, tables, Markdown and JSON."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from edited_frames import BASELINES
from measure import Row
from rich.console import Console
from rich.table import Table

WARP_MEDIAN, WARP_WORST = 1.04, 1.12
LANDMARKS = 0.005
MOUTH, EYES = 0.98, 0.95
STILL = {"mouth": 0.004, "eyes": 0.012}
"""Standard deviation of the target's opening below which it is no more than the landmarks' own jitter."""


@dataclass(frozen=True)
class Verdict:
    """One bar: ``value`` must not exceed (``most``) or not fall below (``least``) ``bar``. NaN is not passed."""

    what: str
    value: float
    bar: float
    most: bool
    where: str = ""

    @property
    def passed(self) -> bool:
        """True when the bar is met."""
        return self.value <= self.bar if self.most else self.value >= self.bar


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """All bars, per part and reference for warping and per part for motion, worst case first in ``where``."""
    found: list[Verdict] = []
    edits = [row for row in rows if row.method not in BASELINES]
    for (part, reference), group in _grouped(edits, "part", "reference").items():
        ratios = {row.clip: row.warp for row in group}
        worst = max(ratios, key=lambda clip: _or(ratios[clip], math.inf))
        name = f"{part} from {reference}"
        found.append(Verdict(f"warping error, median over clips, {name}", median(ratios.values()), WARP_MEDIAN, True))
        found.append(Verdict(f"warping error, worst clip, {name}", ratios[worst], WARP_WORST, True, worst))
    for (part,), group in _grouped(edits, "part").items():
        row = max(group, key=lambda row: _or(row.landmarks, math.inf))
        found.append(Verdict(f"landmarks outside, worst clip, {part}", row.landmarks, LANDMARKS, True, _place(row)))
        for what, bar in (("mouth", MOUTH), ("eyes", EYES)):
            moving = [row for row in group if _moves(row, what)]
            if moving:
                row = min(moving, key=lambda row: _or(_correlation(row, what), -math.inf))
                value = _correlation(row, what)
                found.append(Verdict(f"{what} opening, worst clip, {part}", value, bar, False, _place(row)))
    return found + _against_baselines(rows)


def _against_baselines(rows: Sequence[Row]) -> list[Verdict]:
    """Medians over clips must be below the baseline's; ``where`` counts single clips won.

    A baseline that closes a mouth for good has no flicker between its lips, so their surface is compared as well.
    """
    found = []
    for (part, reference), group in _grouped(rows, "part", "reference").items():
        by_method = {method: some for (method,), some in _grouped(group, "method").items()}
        ours = next((some for method, some in by_method.items() if method not in BASELINES), None)
        if ours is None:
            continue
        for baseline in (name for name in by_method if name in BASELINES):
            theirs, which = by_method[baseline], f"against {baseline}, {part} from {reference}"
            found.append(_compared(ours, theirs, "warp", f"warping error {which}"))
            if part == "mouth":
                found.append(_compared(ours, theirs, "warp_surface", f"the same of lips and skin alone, {which}"))
    return found


def _compared(ours: Sequence[Row], theirs: Sequence[Row], field: str, what: str) -> Verdict:
    a, b = ({row.clip: getattr(row, field) for row in rows} for rows in (ours, theirs))
    where = f"lower in {sum(a[clip] < b[clip] for clip in a)} of {len(a)} clips"
    return Verdict(what, median(a.values()), median(b.values()), True, where)


def still_signals(rows: Iterable[Row]) -> list[str]:
    """Clips whose mouth or eyes hardly move, so that their correlation is no evidence."""
    found = {
        f"{row.clip}: {what}"
        for row in rows
        if row.method not in BASELINES
        for what in ("mouth", "eyes")
        if not _moves(row, what)
    }
    return sorted(found)


_COLUMNS = (
    "clip", "part", "reference", "method", "E ratio", "L1 ratio", "part ratio", "surface", "E target", "landmarks %",
    "unsteady %", "mouth r (std)", "eyes r (std)", "ms/frame", "frames/s", "passed", "lost", "lost out",
)  # fmt: skip


def cells(row: Row) -> list[str]:
    """One row of the table, as text."""
    mouth, eyes = (
        f"{a.correlation:.4f} ({a.target_spread:.3f})" if a is not None else "" for a in (row.mouth, row.eyes)
    )
    return [
        row.clip, row.part, row.reference, row.method, f"{row.warp:.3f}", f"{row.warp_absolute:.3f}",
        f"{row.warp_part:.3f}", f"{row.warp_surface:.3f}", f"{row.target_warp:.3f}",
        "" if math.isnan(row.landmarks) else f"{100 * row.landmarks:.3f}",
        "" if math.isnan(row.unsteady) else f"{100 * row.unsteady:.3f}", mouth, eyes, f"{row.edit_ms:.1f}",
        f"{row.fps:.1f}", str(row.passed), str(row.face_lost), str(row.lost_in_output),
    ]  # fmt: skip


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the measurements, then the verdicts."""
    _print(console, "Measurements", _COLUMNS, [cells(row) for row in rows])
    _print(console, "Bars", ("", "value", "bar", "what", "where"), [_verdict_cells(v) for v in verdicts(rows)])
    for text in still_signals(rows):
        console.print(f"no evidence from correlation, it hardly moves: {text}")


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write ``part_transfer.md`` and ``part_transfer.json``."""
    passed = [_verdict_cells(v) for v in verdicts(rows)]
    text = [
        "# Part transfer", "", _markdown(("", "value", "bar", "what", "where"), passed), "",
        *(f"* no evidence from correlation, it hardly moves: {text}" for text in still_signals(rows)), "",
        _markdown(_COLUMNS, [cells(row) for row in rows]), "",
    ]  # fmt: skip
    (folder / "part_transfer.md").write_text("\n".join(text), encoding="utf-8")
    document = {
        "bars": [{**asdict(v), "passed": v.passed} for v in verdicts(rows)],
        "rows": [asdict(row) for row in rows],
    }
    encoded = json.dumps(_without_nan(document), indent=1, allow_nan=False)
    (folder / "part_transfer.json").write_text(encoded + "\n", encoding="utf-8")


def _without_nan(value: Any) -> Any:
    """The same with None for what is not a number, which JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _verdict_cells(verdict: Verdict) -> list[str]:
    sign = "<=" if verdict.most else ">="
    outcome = "PASS" if verdict.passed else "FAIL"
    return [outcome, f"{verdict.value:.4f}", f"{sign} {verdict.bar:.4f}", verdict.what, verdict.where]


def _print(console: Console, title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console.print(table)


def _markdown(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [columns, ["---"] * len(columns), *lines])


def _grouped(rows: Iterable[Row], *keys: str) -> dict[tuple[str, ...], list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(getattr(row, key) for key in keys)].append(row)
    return dict(groups)


def _moves(row: Row, what: str) -> bool:
    signal = row.mouth if what == "mouth" else row.eyes
    return signal is not None and signal.target_spread >= STILL[what]


def _correlation(row: Row, what: str) -> float:
    signal = row.mouth if what == "mouth" else row.eyes
    return math.nan if signal is None else signal.correlation


def _or(value: float, instead: float) -> float:
    return instead if math.isnan(value) else value


def _place(row: Row) -> str:
    return f"{row.clip}, {row.reference}"
