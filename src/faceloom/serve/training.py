"""What every ``faceloom train`` command says before and after a run of the training loop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from faceloom.errors import RecipeError
from faceloom.serve import show
from faceloom.weights import Store

if TYPE_CHECKING:
    from faceloom.train.loop import Outcome


def keep_earlier_run(checkpoint: Path, resume: bool) -> None:
    """Raise ``RecipeError`` when ``checkpoint`` is there and is not to be gone on with."""
    if checkpoint.exists() and not resume:
        raise RecipeError(f"{checkpoint}: exists already; go on with --resume, or choose another output folder")


def beginning(init: Path | None, quiet: bool) -> Path | None:
    """The file that ``--init`` means: a path, or the name of a weight, which is fetched; a file of that name wins."""
    store = Store()
    if init is None or init.exists() or str(init) not in store.records:
        return init
    show.fetch(store, [str(init)], quiet)
    return store.path(str(init))


def conclude(checkpoint: Path, outcome: Outcome, signal_number: int | None, *, seen: str, held_out_loss: str) -> None:
    """Say how a run ended; one that a signal stopped ends the command with 128 and the signal's number.

    seen           what the loop counts, "pictures" for one.
    held_out_loss  what its loss on held-out samples is called.
    """
    losses = {"loss": outcome.loss, held_out_loss: outcome.held_out_loss}
    shown = ", ".join(f"{name} {value:.5f}" for name, value in losses.items() if value is not None)
    show.out.print(f"{checkpoint}: step {outcome.position.step}, {outcome.position.seen} {seen}; {shown}")
    if signal_number is not None:
        show.warning("stopped before the end; go on with the same command and --resume")
        raise typer.Exit(128 + signal_number)
