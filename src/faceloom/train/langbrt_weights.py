"""What LangBRT's training takes from weights, and the weights it gives."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from faceloom.errors import WeightsError
from faceloom.methods.langbrt.checkpoint import save_langbrt
from faceloom.nets.flax_pickle import read_arrays
from faceloom.nets.langbrt import LangBRTConfig
from faceloom.nets.lpips import Trunk, trunk_state
from faceloom.train.checkpoint import load_training, restore
from faceloom.train.langbrt import Adversaries
from faceloom.weights import Store

TRUNK = "lpips_vgg16"
LICENCE = "CC-BY-NC-SA-4.0"
"""Of weights that were trained on faces of StyleGAN's lineage."""


def perceptual_trunk(store: Store) -> nn.Module:
    """VGG-16 with the weight ``lpips_vgg16``."""
    with store.path(TRUNK).open("rb") as stream:
        state = trunk_state("vgg", read_arrays(stream))
    trunk = Trunk("vgg")
    trunk.load_state_dict(state)
    return trunk


def restored(checkpoint: Path) -> Adversaries:
    """The running mean of a training checkpoint, in evaluation mode. Raises WeightsError if it is no LangBRT's."""
    state = load_training(checkpoint)
    options = dict(state.options or {})
    sizes = {name: value for name, value in options.items() if name in LangBRTConfig.__dataclass_fields__}
    if "text_encoder" not in options:
        raise WeightsError(f"{checkpoint} is no checkpoint of LangBRT")
    config = LangBRTConfig.from_options(sizes)
    network = Adversaries(config, torch.zeros(config.predefined, config.text_dim))
    restore(network, state.ema, checkpoint)
    return network.eval()


def export_langbrt(checkpoint: Path, destination: Path, licence: str = LICENCE) -> None:
    """Write the retoucher of a training checkpoint, its running mean in half precision."""
    encoder = str((load_training(checkpoint).options or {}).get("text_encoder", ""))
    save_langbrt(destination, restored(checkpoint).retoucher, encoder, {"licence": licence})
