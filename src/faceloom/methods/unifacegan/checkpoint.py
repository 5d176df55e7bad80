"""Weights of the trained embedder and generator as one safetensors file, their sizes inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from faceloom.errors import WeightsError
from faceloom.nets.safetensors_file import write_tensors
from faceloom.nets.unifacegan import UniFaceGAN, UniFaceGANConfig

FORMAT = "faceloom.unifacegan.1"


@dataclass(frozen=True, eq=False)
class LoadedUniFaceGAN:
    """A model ready for use: in evaluation mode, float32, on the CPU, gradients off; and the notes in its file."""

    model: UniFaceGAN
    notes: Mapping[str, str]


def save_model(path: Path, model: UniFaceGAN, notes: Mapping[str, str] | None = None) -> None:
    """Write what ``load_model`` reads, half precision; the file gets its name only when it is complete.

    notes  more strings for the file's metadata, such as its licence.

    Raises ``WeightsError`` where it cannot be written.
    """
    metadata = {**(notes or {}), "format": FORMAT, "options": json.dumps(model.config.options())}
    # Running statistics may leave the range of half precision, and counters of batches are whole numbers.
    halved = {name: t.half() if t.dim() > 1 else t for name, t in model.state_dict().items()}
    try:
        write_tensors(path, {name: t.contiguous() for name, t in halved.items()}, metadata)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror or error})") from error


def load_model(path: Path) -> LoadedUniFaceGAN:
    """What ``save_model`` wrote. Raises ``WeightsError`` when it is missing, damaged or something else."""
    if not path.is_file():
        raise WeightsError(f"no model at {path}; check the path")
    try:
        with safe_open(path, framework="pt") as file:
            notes: dict[str, Any] = dict(file.metadata() or {})
            if notes.pop("format", None) != FORMAT:
                raise WeightsError(f"{path} is not a UniFaceGAN written by faceloom")
            config = UniFaceGANConfig.from_options(json.loads(notes.pop("options")))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} is damaged or cut short: {error}") from error
    with torch.device("meta"):
        model = UniFaceGAN(config)
    model = model.to_empty(device="cpu")
    try:
        model.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in tensors.items()})
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit its own description: {error}") from error
    return LoadedUniFaceGAN(model.eval().requires_grad_(False), notes)
