"""The trained generator as one file for use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from faceloom.errors import WeightsError
from faceloom.methods.unifacegan.checkpoint import save_model
from faceloom.nets.unifacegan import UniFaceGAN, UniFaceGANConfig
from faceloom.train.checkpoint import load_training, restore

_PREFIX = "model."


def export_model(source: Path, destination: Path, notes: Mapping[str, str] | None = None) -> None:
    """Write the running mean of E and G in a training checkpoint for ``methods.unifacegan`` to load.

    notes  more strings for the file's metadata, such as its licence.

    Raises:
        WeightsError: ``source`` cannot be read or is of another kind, or the file cannot be written.
    """
    state = load_training(source)
    try:
        model = UniFaceGAN(UniFaceGANConfig.from_options(state.options or {}))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{source} is no checkpoint of UniFaceGAN: {error}") from error
    tensors = {name.removeprefix(_PREFIX): t for name, t in state.ema.items() if name.startswith(_PREFIX)}
    restore(model, tensors, source)
    save_model(destination, model, notes)
