"""``faceloom evaluate``: score what a run exported, or one edited video, and report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from faceloom.errors import RecipeError
from faceloom.evaluate.benchmark.files import write_json
from faceloom.evaluate.benchmark.pair import score_pair
from faceloom.evaluate.benchmark.scores import FlowName, Scoring, networks_for, score_run
from faceloom.evaluate.benchmark.used import scoring_weights
from faceloom.evaluate.benchmark.workers import default_jobs
from faceloom.evaluate.item import ItemScores
from faceloom.evaluate.metrics.registry import METRICS, chosen
from faceloom.evaluate.networks import USERS_OWN
from faceloom.evaluate.report.data import gather
from faceloom.evaluate.report.plots import style
from faceloom.evaluate.report.tables import head, number
from faceloom.evaluate.report.write import write_report
from faceloom.methods.contract import suggest
from faceloom.run.recipe import parse_attribute
from faceloom.serve import show
from faceloom.serve.steps import resumable, step_progress
from faceloom.weights import Store


def evaluate(
    run: Annotated[Path | None, typer.Argument(help="Folder that `faceloom benchmark run` made.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the report, default RUN/report; for a pair a .json.")
    ] = None,
    metrics: Annotated[str | None, typer.Option(help="Metrics, separated by commas; default all.")] = None,
    flow: Annotated[str, typer.Option(help="dis (fast), or raft (what the papers use; slow, needs torch).")] = "dis",
    weight: Annotated[
        list[str] | None, typer.Option(help="name=file of a weight of yours, e.g. arcface=r50.onnx; repeat.")
    ] = None,
    device: Annotated[str, typer.Option(help="torch device of the networks that score.")] = "cpu",
    target: Annotated[Path | None, typer.Option(help="A video before the edit, to score one pair.")] = None,
    result: Annotated[Path | None, typer.Option(help="The same video after the edit.")] = None,
    reference: Annotated[Path | None, typer.Option(help="Picture that the part came from.")] = None,
    part: Annotated[str | None, typer.Option(help="What was edited, e.g. mouth; default the whole face.")] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Get the weights of metrics that can be had.")] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default one per core.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Score a run, or one pair with --target and --result. Nothing is edited again; scores that are there are kept."""
    scoring = _scoring(metrics, flow, weight or [], device)
    if pull:
        _pull(scoring, quiet)
    if target is not None or result is not None:
        if target is None or result is None or run is not None:
            raise RecipeError("a pair is scored with both --target and --result, and without a RUN")
        attribute = parse_attribute(part) if part else None
        _show_pair(score_pair(target, result, scoring, reference=reference, part=attribute), out)
        return
    if run is None:
        raise RecipeError("name the folder of a run, or --target and --result")
    _evaluate_run(run, out or run / "report", scoring, jobs or default_jobs(), quiet)


def _evaluate_run(run: Path, report: Path, scoring: Scoring, jobs: int, quiet: bool) -> None:
    style()  # rather now than after an hour of scoring
    with resumable(), step_progress(quiet) as step:
        scores = score_run(run, report, scoring, jobs=jobs, progress=step)
    absent = networks_for(scoring).absent(scoring.metrics)
    weights = scoring_weights(scoring, absent)
    results = gather(run, report, scores, scoring.metrics, scoring.flow, absent, weights)
    for method, item, problem in results.failures:
        show.warning(f"{method} {item}: {problem}")
    written = write_report(results, run, report)
    for name, reason in absent.items():
        show.note(f"{METRICS[name].title}: {reason}")
    show.out.print(f"{len(results.rows)} items scored: {written.markdown}, {written.page}", markup=False)


def _scoring(metrics: str | None, flow: str, weights: list[str], device: str) -> Scoring:
    if flow not in ("dis", "raft"):
        raise RecipeError(f"--flow '{flow}' must be dis or raft")
    names = None if metrics is None else tuple(name.strip() for name in metrics.split(",") if name.strip())
    ordered = None if names is None else tuple(spec.name for spec in chosen(names))
    motion: FlowName = "raft" if flow == "raft" else "dis"
    return Scoring(ordered, motion, tuple(_file(pair) for pair in weights), device)


def _file(pair: str) -> tuple[str, Path]:
    name, separator, path = pair.partition("=")
    if not separator or not name or not Path(path).is_file():
        raise RecipeError(f"--weight '{pair}' is not of the form name=file with a file that exists")
    if name not in USERS_OWN:
        raise RecipeError(
            f"--weight '{pair}': '{name}' is no weight that a user brings along{suggest(name, USERS_OWN)}; these are "
            f"{', '.join(USERS_OWN)}; all others come from the store: faceloom weights list"
        )
    return name, Path(path)


def _pull(scoring: Scoring, quiet: bool) -> None:
    """Get the weights that the store has a record of with a source that needs no one's consent."""
    store = Store()
    known = {record.name for record in store.list()}
    wanted = {name for spec in chosen(scoring.metrics) for name in spec.needs}
    show.fetch(store, sorted(wanted & known), quiet)


def _show_pair(scores: ItemScores, out: Path | None) -> None:
    if out is not None:
        plain = {
            "name": scores.name,
            "values": dict(scores.values),
            "absent": dict(scores.absent),
            "series": {name: [float(value) for value in values] for name, values in scores.series.items()},
            "about": dict(scores.about),
        }
        write_json(out, plain)
    table = Table("metric", "value", title=scores.name)
    for name, value in scores.values.items():
        table.add_row(head(METRICS[name]), number(None if math.isnan(value) else value))
    for name, reason in scores.absent.items():
        table.add_row(head(METRICS[name]), reason)
    show.out.print(table)
