"""A diffusion autoencoder with random weights, small enough for a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from faceloom.methods.vpartswap.checkpoint import LoadedDiffAE
from faceloom.methods.vpartswap.codec import Codec
from faceloom.methods.vpartswap.options import Options
from faceloom.nets.diffae import DiffAEConfig, DiffusionAutoencoder

TINY = DiffAEConfig(
    image_size=32,
    model_channels=8,
    channel_mult=(1, 2),
    num_res_blocks=1,
    embed_channels=16,
    attention_resolutions=(16,),
    dropout=0.0,
    enc_out_channels=16,
    enc_num_res_block=1,
    enc_channel_mult=(1, 2),
)


TRAINING = {
    "img_size": 32,
    "net_ch": 8,
    "net_ch_mult": (1, 2),
    "net_num_res_blocks": 1,
    "net_beatgans_embed_channels": 16,
    "net_attn": (16,),
    "net_beatgans_attn_head": 1,
    "net_resblock_updown": True,
    "net_beatgans_resnet_two_cond": True,
    "style_ch": 16,
    "net_enc_pool": "adaptivenonzero",
    "net_enc_num_res_blocks": 1,
    "net_enc_channel_mult": (1, 2),
    "net_enc_attn": None,
    "seed": 0,
    "lr": 1e-4,
}
"""``TINY`` under the names of the official training configuration, and things that are not about the network."""


def random_model(seed: int = 0, config: DiffAEConfig = TINY) -> DiffusionAutoencoder:
    """Every parameter matters: those that training starts at 0 are random too."""
    torch.manual_seed(seed)
    model = DiffusionAutoencoder(config)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval().requires_grad_(False)


def random_codec(**options: Any) -> Codec:
    """On the CPU in float32 with few steps, unless ``options`` say otherwise."""
    given = {"device": "cpu", "precision": "float32", "steps_invert": 4, "steps_render": 4, **options}
    return Codec(LoadedDiffAE(random_model(), {}, {}, "0" * 64), Options(**given))


def lightning(
    path: Path,
    model: DiffusionAutoencoder,
    hyper: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    change: Callable[[dict[str, Any]], None] = lambda state: None,
) -> Path:
    """A checkpoint as the official training writes it; ``options`` beside it."""
    own = dict(model.state_dict())
    change(own)
    state = {f"ema_model.{name}": value for name, value in own.items()}
    state |= {f"model.{name}": value + 1 for name, value in own.items()} | {"x_T": torch.zeros(2, 3, 32, 32)}
    torch.save({"epoch": 3, "state_dict": state, "hyper_parameters": dict(hyper or {})}, path)
    if options is not None:
        path.with_name("config.json").write_text(json.dumps(options), "utf-8")
    return path
