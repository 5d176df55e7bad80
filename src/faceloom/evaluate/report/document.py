"""The report as a list of sections, told once; ``markdown`` and ``page`` only dress it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from faceloom.evaluate.metrics.registry import MetricSpec
from faceloom.evaluate.report.data import MAIN, Results
from faceloom.evaluate.report.tables import Cell, Table, clip_table, method_table

_FAMILIES = {"quality": "Quality", "motion": "Motion", "fidelity": "Fidelity", "temporal": "Time"}
_MOST_CLIPS = 24


@dataclass(frozen=True)
class Picture:
    """A picture file, relative to the folder of the report, with a caption."""

    file: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs, tables and pictures under it."""

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class Document:
    """A title, an opening, and sections."""

    title: str
    opening: Sequence[str]
    sections: Sequence[Section] = field(default_factory=tuple)


def compose(results: Results, plots: Sequence[Picture], gallery: Sequence[Section]) -> Document:
    """The whole report."""
    sections = [_main(results), *_families(results), _parts(results), _clips(results)]
    if plots:
        sections.append(Section("Plots", (), (), plots))
    sections += [*gallery, _failures(results), _made_with(results)]
    return Document("Facial part transfer: results", _opening(results), [one for one in sections if _has_content(one)])


def _has_content(section: Section) -> bool:
    return bool(section.paragraphs or section.tables or section.pictures)


def _opening(results: Results) -> list[str]:
    rows = results.rows
    targets, fair = {row.target for row in rows}, results.fair_rows
    text = [
        f"{len(results.methods)} methods, {len(targets)} clips, parts {', '.join(results.parts)}: {len(rows)} edits "
        f"scored, {len(results.failures)} failed. Best results are bold, second-best underlined; ↓ lower is better, ↑ "
        "higher is better."
    ]
    if len(fair) < len(rows):
        text.append(
            f"Averages are over the {len(fair)} edits of pairs that every method finished; {len(rows) - len(fair)} "
            "others are in the files only."
        )
    for method, parts in results.run.unsupported.items():
        if parts:
            text.append(
                f"{method} cannot take {', '.join(parts)}: these parts are left out of the averages over parts."
            )
    return text


def main_metrics(results: Results) -> list[MetricSpec]:
    """The columns of the first table that were asked for."""
    by_name = {spec.name: spec for spec in results.metrics}
    return [by_name[name] for name in MAIN if name in by_name]


def _main(results: Results) -> Section:
    metrics = main_metrics(results)
    if not metrics or not results.common_parts:
        return Section("")
    note = (
        f"Macro-average over {', '.join(results.common_parts)}: every part counts alike. FVD is over all of these "
        "clips together. Pose and expression from landmarks stand beside HopeNet and Deep3DFaceRecon, SFace beside "
        "ArcFace; they do not stand in for them."
    )
    table = method_table(results, "Average over parts", metrics, None, note)
    return Section("Results", _warnings(results, metrics), [table])


def _warnings(results: Results, metrics: Sequence[MetricSpec]) -> list[str]:
    found: dict[str, None] = {}
    for (method, part), scores in results.sets.items():
        for spec in metrics:
            if part is None and spec.name in scores.warnings:
                found[f"{spec.title}: {scores.warnings[spec.name]}."] = None
            if part is None and spec.name in scores.absent:
                found[f"{spec.title} of {method}: {scores.absent[spec.name]}."] = None
    return list(found)


def _families(results: Results) -> list[Section]:
    sections = []
    for family, title in _FAMILIES.items():
        metrics = [spec for spec in results.metrics if spec.family == family]
        if metrics and results.common_parts:
            table = method_table(results, f"{title}, average over parts", metrics, None)
            sections.append(Section(title, _warnings(results, metrics), [table]))
    return sections


def _parts(results: Results) -> Section:
    metrics = main_metrics(results) or list(results.metrics)
    tables = [method_table(results, part.value.capitalize(), metrics, part) for part in results.parts]
    return Section("Per part", (), [table for table in tables if table.rows])


def _clips(results: Results) -> Section:
    metrics = [spec for spec in main_metrics(results) or results.metrics if spec.level == "item"]
    metrics = [spec for spec in metrics if spec.name not in results.absent]
    targets = sorted({row.target for row in results.fair_rows})
    if not metrics:
        return Section("")
    told = (
        [f"The first {_MOST_CLIPS} of {len(targets)} clips; all are in items.csv."]
        if len(targets) > _MOST_CLIPS
        else []
    )
    return Section("Per clip", told, [clip_table(results, target, metrics) for target in targets[:_MOST_CLIPS]])


def _failures(results: Results) -> Section:
    if not results.failures:
        return Section("")
    lines = [(f"{method} {item}", [Cell(problem)]) for method, item, problem in results.failures]
    return Section("Failed items", (), [Table("", ["what went wrong"], lines)])


def _made_with(results: Results) -> Section:
    run, machine = results.run, results.run.machine
    facts = {
        "processor": f"{machine.get('processor', 'unknown')}, {machine.get('cores', '?')} cores",
        "memory": f"{machine.get('memory_gib', '?')} GiB",
        "graphics cards": ", ".join(machine.get("gpus", ())) or "none",
        "system": str(machine.get("system", "unknown")),
        "commit": run.commit or "not known",
        "seed": str(run.seed),
        "benchmark": f"SHA-256 {run.benchmark}",
        "references for each target and part": str(run.references or "all"),
        "crops": f"{run.size} px",
        "flow": results.flow,
        **_told(results),
    }
    tables = [_pairs("Run", facts), _pairs("Versions", run.versions)]
    tables.append(_pairs("Weights (SHA-256)", {**run.weights, **results.weights}))
    seconds = {
        method: f"{sum(own) / len(own):.1f} s"
        for method in results.methods
        if (own := [row.seconds for row in results.rows if row.method == method])
    }
    return Section("Made with", (), [*tables, _pairs("Time of an edit, mean", seconds)])


def _told(results: Results) -> dict[str, str]:
    """How scoring came about, where all items say the same; otherwise that they differ."""
    said: dict[str, set[str]] = {}
    for row in results.rows:
        for name, text in row.about.items():
            said.setdefault(name, set()).add(text)
    return {
        f"scoring, {name}": next(iter(texts)) if len(texts) == 1 else "differs by item" for name, texts in said.items()
    }


def _pairs(title: str, facts: dict[str, str]) -> Table:
    return Table(title, [""], [(name, [Cell(text)]) for name, text in facts.items()])
