"""Sizes of a diffusion autoencoder, read from and written to the names that public checkpoints use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What the network below does and nothing else; a checkpoint that says otherwise is of another architecture.
_FIXED: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "num_input_res_blocks": None,
    "time_embed_channels": None,
    "input_channel_mult": None,
    "conv_resample": True,
    "dims": 2,
    "num_classes": None,
    "num_head_channels": -1,
    "num_heads_upsample": -1,
    "resblock_updown": True,
    "use_new_attention_order": False,
    "resnet_two_cond": True,
    "resnet_cond_channels": None,
    "resnet_use_zero_module": True,
    "enc_pool": "adaptivenonzero",
    "latent_net_conf": None,
}
_IRRELEVANT = frozenset({"use_checkpoint", "attn_checkpoint", "enc_grad_checkpoint"})
"""Options that trade memory for time in training and change no result."""


@dataclass(frozen=True)
class DiffAEConfig:
    """Sizes of encoder and UNet. The defaults are the public FFHQ256 model (168,492,291 parameters).

    image_size                 side of the square picture, pixels.
    model_channels             channels at full resolution; ``channel_mult`` times that at each halving.
    num_res_blocks             residual blocks per resolution of the UNet; ``enc_num_res_block`` of the encoder.
    embed_channels             size of the time embedding and of z_sem as the UNet takes it.
    attention_resolutions      sides of the maps that get self-attention, for the UNet, and for the encoder unless
                               ``enc_attn_resolutions`` says otherwise.
    enc_out_channels           size of z_sem.
    """

    image_size: int = 256
    model_channels: int = 128
    channel_mult: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    num_res_blocks: int = 2
    embed_channels: int = 512
    attention_resolutions: tuple[int, ...] = (16,)
    num_heads: int = 1
    dropout: float = 0.1
    enc_out_channels: int = 512
    enc_num_res_block: int = 2
    enc_channel_mult: tuple[int, ...] = (1, 1, 2, 2, 4, 4, 4)
    enc_attn_resolutions: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        halvings = max(len(self.channel_mult), len(self.enc_channel_mult)) - 1
        if self.image_size % (1 << halvings):
            raise ValueError(
                f"image_size {self.image_size} cannot be halved {halvings} times; "
                f"use a multiple of {1 << halvings} or fewer entries in channel_mult"
            )
        if self.embed_channels != self.enc_out_channels:
            raise ValueError(
                f"z_sem has {self.enc_out_channels} values (enc_out_channels) but the UNet takes {self.embed_channels} "
                "(embed_channels); they must be equal"
            )

    @property
    def encoder_attention(self) -> tuple[int, ...]:
        """Sides of the encoder's maps that get self-attention."""
        return self.attention_resolutions if self.enc_attn_resolutions is None else self.enc_attn_resolutions

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> DiffAEConfig:
        """From the option names of the public checkpoints.

        Raises:
            ValueError: an option is unknown, or has a value that this architecture does not cover; the message lists
                every one.
        """
        wrong: list[str] = []
        known: dict[str, Any] = {}
        for name, value in options.items():
            if name in cls.__dataclass_fields__:
                known[name] = tuple(value) if isinstance(value, list) else value
            elif name in _FIXED and value != _FIXED[name]:
                wrong.append(f"{name} is {value!r} where this architecture has {_FIXED[name]!r}")
            elif name not in _FIXED and name not in _IRRELEVANT:
                wrong.append(f"{name} is unknown")
        if wrong:
            raise ValueError("not a diffusion autoencoder of the kind known here: " + "; ".join(wrong))
        return cls(**known)

    def options(self) -> dict[str, Any]:
        """What ``from_options`` reads, ready for JSON."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**_FIXED, **{name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}}
