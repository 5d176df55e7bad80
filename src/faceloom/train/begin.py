"""What a run begins with, where it does not begin with nothing: its own checkpoint, another one, or weights for use."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from faceloom.errors import FaceloomError
from faceloom.train.checkpoint import TrainingState, load_training, require_same_options, restore
from faceloom.train.plan import Position
from faceloom.train.task import Task

FINISHED = ".safetensors"
"""How files end that hold weights for use; every other one is read as a checkpoint."""


def go_on(
    task: Task, network: nn.Module, ema: nn.Module, optimiser: torch.optim.Optimizer, path: Path
) -> tuple[Position, str]:
    """Restore all that a checkpoint holds. Returns where its run stands, and a line that says so.

    Raises:
        WeightsError: the file cannot be read, or is of another configuration.
        FaceloomError: it has no state of the optimiser.
    """
    state = _restored(task, network, ema, path)
    if state.optimiser is None:
        raise FaceloomError(f"{path}: has no state of the optimiser; begin anew elsewhere with --init {path}")
    optimiser.load_state_dict(state.optimiser)
    at = state.position
    return at, f"going on from {path}: step {at.step}, {at.seen} pictures seen"


def begin_with(task: Task, network: nn.Module, ema: nn.Module, path: Path) -> tuple[Position, str]:
    """Take the weights of a checkpoint or of a file for use. Returns the beginning of a new run, and a line about it.

    Weights for use are a running mean; they become both the weights and their running mean. Parts that such a file has
    not, a critic for one, stay fresh.

    Raises:
        WeightsError: the file cannot be read, or is of another configuration.
    """
    if path.suffix != FINISHED:
        state = _restored(task, network, ema, path)
        seen = state.position.seen_before + state.position.seen
        return Position(seen_before=seen), f"beginning with the weights of {path}, which had seen {seen} pictures"
    finished = task.finished(path)
    for one in (network, ema):
        restore(one, {**one.state_dict(), **finished}, path)
    rest = sum(name not in finished for name, _ in network.named_parameters())
    fresh = f"; {rest} tensors that it has not are fresh" if rest else ""
    return Position(), f"beginning with {path}, weights for use{fresh}"


def _restored(task: Task, network: nn.Module, ema: nn.Module, path: Path) -> TrainingState:
    state = load_training(path)
    require_same_options(path, state.options, task.options)
    restore(network, state.model, path)
    restore(ema, state.ema, path)
    return state
