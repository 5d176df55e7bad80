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
from faceloom.serve.options import parse_options
from faceloom.weights import Store


def speed(
    target: Annotated[Path, typer.Argument(help="Video to measure with.")],
    take: Annotated[
        list[str] | None, typer.Option("--take", "-t", help="attribute=picture, e.g. mouth=ref.jpg.")
    ] = None,
    retouch: Annotated[
        list[str] | None, typer.Option("--retouch", help="What is to go, instead of --take: see `faceloom edit`.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="Method; see `faceloom methods`.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="name=value setting of the method.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each job; medians are shown.")] = 3,
    start: Annotated[float | None, typer.Option(help="Seconds: first moment to use.")] = None,
    end: Annotated[float | None, typer.Option(help="Seconds: end of what to use.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while measuring.")] = False,
) -> None:
    """Time an edit against decoding, landmarks and encoding alone, in turn, in one run.

    Also shows the stages that the method tells of, and what its networks compute.
    """
    given = {
        "take": dict(map(parse_take, take or [])),
        "method": method,
        "options": parse_options(option or []),
        "retouch": retouch or [],
    }
    recipe = build_recipe(given, where="the command")
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
    if result.stages:
        show.out.print(_stage_table(result))
    if result.networks:
        show.out.print(_network_table(result))
        show.out.print(
            f"the method takes {result.over_network:.2f} times as long as the forward passes of its costliest network"
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


def _stage_table(result: SpeedResult) -> Table:
    """Milliseconds a frame inside the method; "of them" are parts of other rows."""
    frames, whole = max(1, result.frames), result.edit.stages["edit"]
    table = Table("inside the method", "ms a frame", "share of the edit", title="run of median length")
    for stage, seconds in result.stages.items():
        table.add_row(stage, f"{1000 * seconds / frames:.1f}", f"{seconds / whole:.1%}" if whole else "")
    return table


def _network_table(result: SpeedResult) -> Table:
    """What each network did, and how near it comes to the rate of plain matrix products."""
    names = ("network", "forwards", "GFLOP each", "TFLOP in all", "ms each", "GFLOP/s", "of the matrix rate")
    table = Table(*names, title="forwards are pictures, however they were batched")
    for name, use in result.networks.items():
        counted = ("", "", "", "")
        if use.flops is not None and use.total is not None and use.rate is not None:
            share = f"{use.rate / use.matrix_rate:.0%} of {use.matrix_rate / 1e9:.0f} ({use.device}, {use.precision})"
            counted = (f"{use.flops / 1e9:.2f}", f"{use.total / 1e12:.3f}", f"{use.rate / 1e9:.0f}", share)
        each = f"{1000 * use.seconds / use.pictures:.1f}"
        table.add_row(name, str(use.pictures), *counted[:2], each, *counted[2:])
    if len(result.networks) > 1:
        total = sum(use.total or 0.0 for use in result.networks.values())
        table.add_row("in all", "", "", f"{total / 1e12:.3f}", "", "", "")
    return table
