"""Sizes of the networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class LangBRTConfig:
    """Sizes. The defaults are for a graphics card, at the paper's 512 pixels; ``small()`` is for a CPU.

    image_size      side of the square picture, pixels.
    text_dim        length of a text vector: 384 for MiniLM, 512 or 768 for CLIP's towers.
    predefined      number of prompts with a mapping layer of their own (P of equation 1).
    widths          channels at each resolution, the first at half the picture's size, each next at half of that; the
                    last is the latent one.
    blocks          residual blocks at each resolution of the encoder.
    detect_width    channels of the features that are compared with text, at half the size of the picture.
    depth           blocks of the latent transformer.
    heads, window   of its attention; ``window`` in positions of the latent map.
    mlp_ratio       of its feed-forward layers.
    critic_widths   channels of the discriminator's layers.
    """

    image_size: int = 512
    text_dim: int = 384
    predefined: int = 3
    widths: tuple[int, ...] = (96, 192, 384)
    blocks: tuple[int, ...] = (2, 2, 2)
    detect_width: int = 96
    depth: int = 7
    heads: int = 12
    window: int = 8
    mlp_ratio: int = 4
    critic_widths: tuple[int, ...] = (64, 128, 256, 512)

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or len(self.blocks) != len(self.widths):
            raise ValueError("widths needs at least two entries, and blocks one for each of them")
        multiple = self.window << len(self.widths)
        if self.image_size % multiple:
            raise ValueError(
                f"image_size {self.image_size} is no multiple of {multiple}, the side of a window in pixels"
            )
        if self.widths[-1] % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the {self.widths[-1]} channels of the latent map")
        if min(*self.widths, *self.blocks, self.detect_width, self.depth, self.heads, self.text_dim) < 1:
            raise ValueError("every size must be at least 1")

    @classmethod
    def small(cls) -> LangBRTConfig:
        """For a CPU: 256 pixels, 3 million parameters."""
        return cls(
            image_size=256,
            widths=(32, 64, 128),
            blocks=(1, 2, 2),
            detect_width=48,
            heads=8,
            critic_widths=(32, 64, 128),
        )

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> LangBRTConfig:
        """From plain values, as in a recipe. Raises ValueError for an unknown one or one that makes no sense."""
        unknown = sorted(set(options) - set(cls.__dataclass_fields__))
        if unknown:
            raise ValueError(f"unknown options {', '.join(unknown)}; known are {', '.join(cls.__dataclass_fields__)}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        return cls(**values)

    def options(self) -> dict[str, Any]:
        """What ``from_options`` reads, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
