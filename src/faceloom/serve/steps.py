"""A progress bar for work that comes in named steps, such as editing the items of a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from faceloom.serve import show

StepProgress = Callable[[str, int, int], None]
"""Called with the name of a step, things done, and things to do."""


@contextmanager
def resumable() -> Iterator[None]:
    """Say on Ctrl-C that what is finished was kept, and end with 130."""
    try:
        yield
    except KeyboardInterrupt:
        show.error("interrupted; finished items are kept: start the same command again to go on")
        raise typer.Exit(130) from None


@contextmanager
def step_progress(quiet: bool = False) -> Iterator[StepProgress | None]:
    """A bar for each step, with things done and time left; None when ``quiet``."""
    if quiet:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=show.err, transient=False) as bars:
        tasks = {}

        def update(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(escape(step), total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield update
