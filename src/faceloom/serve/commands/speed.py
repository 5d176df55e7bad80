"""``faceloom speed``: what an edit costs on this machine, stage by stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from faceloom.evaluate.speed import SpeedResult, measure_speed
from faceloom.run import build_recipe, required_weights
from faceloom.run.recipe import parse_take
from faceloom.serve import show
from faceloom.weights import Store


def speed(
    target: Annotated[Path, typer.Argument(help="Video to measure with.")],
    take: Annotated[list[str], typer.Option("--take", "-t", help="attribute=picture, e.g. mouth=ref.jpg.")],
    method: Annotated[str | None, typer.Option(help="Method; see `faceloom methods`.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each job; medians are shown.")] = 3,
    start: Annotated[float | None, typer.Option(help="Seconds: first moment to use.")] = None,
    end: Annotated[float | None, typer.Option(help="Seconds: end of what to use.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while measuring.")] = False,
) -> None:
    """Time an edit against decoding, landmarks and encoding alone, in turn, in one run."""
    recipe = build_recipe({"take": dict(map(parse_take, take)), "method": method}, where="the command")
    store = Store()
    show.fetch(store, required_weights(recipe), quiet)
    tell = None if quiet else show.note
    result = measure_speed(recipe, target, repeats=repeats, start=start, end=end, store=store, started=tell)
    if as_json:
        typer.echo(json.dumps(result.describe(), indent=2, ensure_ascii=False))
        return
    show.out.print(_table(result))
    show.out.print(
        f"the edit runs at {result.edit.fps:.1f} frames/s and takes {result.ratio:.2f} times as long as decoding, "
        f"landmarks and encoding alone"
    )


def _table(result: SpeedResult) -> Table:
    """Milliseconds a frame by stage; stages overlap, the last rows are the wall clock."""
    frames = max(1, result.frames)
    table = Table("ms a frame", "alone", "edit", title=f"{result.frames} frames, {result.width}x{result.height}")
    columns = (result.alone, result.edit)
    for stage in dict.fromkeys([*result.edit.stages, *result.alone.stages]):
        cells = [f"{1000 * timing.stages[stage] / frames:.1f}" if stage in timing.stages else "" for timing in columns]
        table.add_row(stage, *cells)
    table.add_section()
    table.add_row("wall clock", *(f"{1000 * timing.median / frames:.1f}" for timing in columns))
    table.add_row("frames/s", *(f"{timing.fps:.1f}" for timing in columns))
    return table
