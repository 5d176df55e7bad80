"""Training checkpoints, in the layout of the public Lightning ones.

``state_dict`` holds ``model.*`` (what is trained) and ``ema_model.*`` (its running mean, for use); beside it stand
``optimizer_states``, ``global_step``, ``hyper_parameters.model_conf`` and, under ``faceloom``, where the run stands.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceloom.errors import WeightsError
from faceloom.train.plan import Position

LAST = "last.ckpt"
_MODEL, _EMA = "model.", "ema_model."
_ENCODER = "text_encoder"
"""The one option that a flag of the command sets, not the recipe."""
_SHOWN = 4


@dataclass(frozen=True, eq=False)
class TrainingState:
    """What a checkpoint holds. ``optimiser`` and ``options`` are None where the file has none."""

    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    optimiser: dict[str, Any] | None
    options: Mapping[str, Any] | None
    position: Position


def save_training(
    path: Path,
    network: nn.Module,
    ema: nn.Module,
    optimiser: torch.optim.Optimizer,
    options: Mapping[str, Any],
    position: Position,
    extra: Mapping[str, Tensor],
) -> None:
    """Write a checkpoint; it gets its name only when it is complete and on the disk.

    options  of the network; ``extra`` more tensors for ``state_dict``.
    """
    state = {_MODEL + name: value for name, value in network.state_dict().items()}
    state |= {_EMA + name: value for name, value in ema.state_dict().items()}
    content = {
        "state_dict": {name: value.detach().cpu().contiguous() for name, value in {**state, **extra}.items()},
        "optimizer_states": [optimiser.state_dict()],
        "global_step": position.step,
        "hyper_parameters": {"model_conf": dict(options)},
        "faceloom": asdict(position),
    }
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        raise WeightsError(f"{path}: the checkpoint cannot be written ({error}); check the free space") from error
    finally:
        partial.unlink(missing_ok=True)


def load_training(path: Path) -> TrainingState:
    """Read a checkpoint; code in it is never run.

    Raises:
        WeightsError: no such file, damaged, or without ``model.*`` and ``ema_model.*``.
    """
    if not path.is_file():
        raise WeightsError(f"no checkpoint at {path}; check the path")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path} holds more than tensors and plain values and is not loaded: {error}") from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged, cut short, or no checkpoint: {error}") from error
    state = saved.get("state_dict") if isinstance(saved, dict) else None
    model, ema = _part(state or {}, _MODEL), _part(state or {}, _EMA)
    if not model or not ema:
        raise WeightsError(f"{path} has no 'model.*' and 'ema_model.*' tensors to go on from: no training checkpoint")
    here = saved.get("faceloom")
    seen = saved.get("seen", 0)
    return TrainingState(
        model=model,
        ema=ema,
        optimiser=next(iter(saved.get("optimizer_states") or []), None),
        options=saved.get("hyper_parameters", {}).get("model_conf"),
        position=Position(**here) if here else Position(step=saved.get("global_step", 0), seen=seen),
    )


def restore(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load all of a network. Raises WeightsError that says what differs if the tensors are another network's."""
    own = network.state_dict()
    wrong = [
        *(f"{name} is missing" for name in own if name not in tensors),
        *(f"{name} is not known" for name in tensors if name not in own),
        *(
            f"{name} is {tuple(tensors[name].shape)} where the recipe's is {tuple(own[name].shape)}"
            for name in own
            if name in tensors and tensors[name].shape != own[name].shape
        ),
    ]
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more differences" if len(wrong) > _SHOWN else ""
        raise WeightsError(
            f"{path} is a checkpoint of another configuration than the recipe's: {'; '.join(wrong[:_SHOWN])}{more}"
        )
    network.load_state_dict(tensors)


def require_same_options(path: Path, found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> None:
    """Raise WeightsError that names every option in which weights differ from the recipe."""
    known = found or {}
    names = [name for name in wanted if name in known and known[name] != wanted[name]]
    differing = [
        f"{name} is {known[name]!r}, {'here' if name == _ENCODER else 'the recipe says'} {wanted[name]!r}"
        for name in names
    ]
    if _ENCODER in names:
        differing.append("--text-encoder FOLDER gives another one, MiniLM (minilm_int8) is that without it")
    if differing:
        raise WeightsError(f"{path} is of another configuration: {'; '.join(differing)}")


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
