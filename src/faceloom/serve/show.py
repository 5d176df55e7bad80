"""What people see in a terminal: messages and progress on standard error, results on standard output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from faceloom.run.pipeline import Progress as FrameProgress
from faceloom.weights import Status, Store, progress_bars

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def error(message: str) -> None:
    """Print an expected error."""
    err.print(f"[bold red]error:[/] {escape(message)}")


def warning(message: str) -> None:
    """Print something that a person should know but that stops nothing."""
    err.print(f"[yellow]warning:[/] {escape(message)}")


def note(message: str) -> None:
    """Print what is going on."""
    err.print(f"[dim]{escape(message)}[/]")


def fetch(store: Store, names: Iterable[str], quiet: bool = False) -> None:
    """Pull the weights that are missing, with a bar for each unless ``quiet``; silent when all are here."""
    missing = [name for name in names if store.status(name) is not Status.PRESENT]
    if not missing:
        return
    with progress_bars(err) as download:
        store.ensure(missing, None if quiet else download)


@contextmanager
def frame_progress(label: str, quiet: bool = False, missing: str = "face lost in") -> Iterator[FrameProgress | None]:
    """A bar with frames, frames per second, time left and faces lost (named ``missing``); None when ``quiet``."""
    if quiet:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:5.1f} fps"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[lost]}"),
    )
    with Progress(*columns, console=err, transient=False) as bar:
        task = bar.add_task(escape(label), total=None, rate=0.0, lost="")

        def update(done: int, expected: int | None, lost: int) -> None:
            rate = done / elapsed if (elapsed := bar.tasks[0].elapsed) else 0.0
            bar.update(task, completed=done, total=expected, rate=rate, lost=f"{missing} {lost}" if lost else "")

        yield update
