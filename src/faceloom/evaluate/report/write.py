"""Write a report: report.md, report.html, report.json, items.csv, summary.csv, plots and gallery."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from faceloom.evaluate.benchmark.files import write_json, write_text
from faceloom.evaluate.benchmark.methods import MethodSpec
from faceloom.evaluate.benchmark.scores import read_arrays
from faceloom.evaluate.report import gallery, plots
from faceloom.evaluate.report.data import Results, Row
from faceloom.evaluate.report.document import Document, compose
from faceloom.evaluate.report.markdown import to_markdown
from faceloom.evaluate.report.page import to_page
from faceloom.evaluate.report.tables import value_of


@dataclass(frozen=True)
class Written:
    """The files of a report that people open first."""

    markdown: Path
    page: Path


def write_report(results: Results, run: Path, folder: Path) -> Written:
    """Write everything into ``folder``, whole files only; nothing in it holds an absolute path.

    Raises:
        FaceloomError: matplotlib is not installed. MediaError: a file cannot be written or an export is damaged.
    """

    def series(row: Row) -> dict[str, Any]:
        return read_arrays(folder / "scores" / MethodSpec(row.method, "").slug / f"{row.id}.json", "series")

    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots.draw_plots(results, series, folder)
    document = compose(results, drawn, gallery.draw_gallery(results, run, folder, series))
    remove_older_pictures(document, folder)
    return write_document(results, document, folder)


def remove_older_pictures(document: Document, folder: Path) -> None:
    """Remove plots and thumbnails of an earlier report in ``folder`` that ``document`` does not show."""
    shown = {folder / picture.file for section in document.sections for picture in section.pictures}
    for pattern in (f"{plots.FOLDER}/*.png", f"{gallery.FOLDER}/*.jpg"):
        for picture in set(folder.glob(pattern)) - shown:
            picture.unlink()


def write_document(results: Results, document: Document, folder: Path) -> Written:
    """The texts and tables of a report whose pictures are there."""
    write_json(folder / "report.json", as_json(results))
    write_text(folder / "items.csv", items_csv(results))
    write_text(folder / "summary.csv", summary_csv(results))
    write_text(folder / "report.md", to_markdown(document))
    write_text(folder / "report.html", to_page(document, folder))
    return Written(folder / "report.md", folder / "report.html")


def items_csv(results: Results) -> str:
    """One line an item: method, part, target, reference, seconds, and every metric; empty where there is no number."""
    names = [spec.name for spec in results.metrics if spec.level == "item" and spec.name not in results.absent]
    lines = [["method", "part", "target", "reference", "seconds", *names]]
    for row in results.rows:
        numbers = [row.values.get(name) for name in names]
        about = [row.method, row.part.value, row.target, row.reference, f"{row.seconds:g}"]
        lines.append([*about, *("" if value is None else repr(value) for value in numbers)])
    return _csv(lines)


def summary_csv(results: Results) -> str:
    """One line a method, part and metric, ``average`` being the macro-average; absent metrics with their reason."""
    lines = [["method", "part", "metric", "direction", "value", "items", "absent"]]
    rows = results.fair_rows
    for method in results.methods:
        for part in (None, *results.parts):
            parts = results.common_parts if part is None else [part]
            items = sum(row.method == method and row.part in parts for row in rows)
            for spec in results.metrics:
                value = value_of(results, spec, method, part, rows)
                told = "" if value is None else repr(value)
                name = "average" if part is None else part.value
                reason = results.absent.get(spec.name, "")
                lines.append([method, name, spec.name, spec.direction, told, str(items), reason])
    return _csv(lines)


def _csv(lines: list[list[str]]) -> str:
    buffer = StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    return buffer.getvalue()


def as_json(results: Results) -> dict[str, Any]:
    """Everything as plain values: run, metrics, averages, items, failures."""
    rows = results.fair_rows
    return {
        "format": "faceloom-report-1",
        "run": results.run.model_dump(mode="json"),
        "flow": results.flow,
        "weights": dict(results.weights),
        "metrics": {
            spec.name: {
                "title": spec.title,
                "family": spec.family,
                "direction": spec.direction,
                "unit": spec.unit,
                "level": spec.level,
                "paper": spec.paper,
                "absent": results.absent.get(spec.name),
            }
            for spec in results.metrics
        },
        "average": {
            method: {spec.name: value_of(results, spec, method, None, rows) for spec in results.metrics}
            for method in results.methods
        },
        "parts": {
            part.value: {
                method: {spec.name: value_of(results, spec, method, part, rows) for spec in results.metrics}
                for method in results.methods
            }
            for part in results.parts
        },
        "sets": [
            {
                "method": method,
                "part": None if part is None else part.value,
                "values": dict(scores.values),
                "absent": dict(scores.absent),
                "warnings": dict(scores.warnings),
                "samples": dict(scores.samples),
            }
            for (method, part), scores in results.sets.items()
        ],
        "items": [
            {
                "method": row.method,
                "part": row.part.value,
                "target": row.target,
                "reference": row.reference,
                "seconds": row.seconds,
                "values": dict(row.values),
                "about": dict(row.about),
            }
            for row in results.rows
        ],
        "failures": [{"method": method, "item": item, "error": error} for method, item, error in results.failures],
    }
