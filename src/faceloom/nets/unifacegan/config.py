"""Sizes of the networks, and what an ablation takes out of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Normalisation = Literal["rcn", "adain", "spade"]
Terms = Literal["full", "cross", "same", "facial", "non_facial"]


@dataclass(frozen=True)
class UniFaceGANConfig:
    """Sizes of embedder, generator and discriminator.

    image_size            side of the square picture, pixels.
    widths                channels of the generator at full size and at each halving; L = len(widths) - 1 upsamplings.
    residual_blocks       at the smallest size.
    appearance_widths     channels of the appearance embedder at full size and at each halving; P has the last ones.
    attention_side        side of the map of the upsampling part that gets self-attention; 0 leaves it out.
    normalisation         ``rcn`` (eq. 6), ``adain`` or ``spade``.
    rcn_terms             of eq. 6: ``full``; ``cross`` or ``same`` region only; ``facial`` (second and third) or
                          ``non_facial`` (first and fourth), as the paper groups them.
    alpha, beta           of eq. 6, at the start.
    sees_hint             whether the generator's encoder sees the hint M beside the rendered face. Without it the
                          whole background comes through the small map P.
    skips                 whether the upsampling part sees the encoder's maps of its size. The paper has none; they
                          bring detail after little training.
    discriminator_widths  channels of each discriminator; all but the last layer halve.
    scales                K, number of discriminators, each at half the size of the one before.

    Raises ``ValueError`` for sizes that do not go together.
    """

    image_size: int = 256
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    residual_blocks: int = 9
    appearance_widths: tuple[int, ...] = (64, 128, 256, 512)
    attention_side: int = 64
    normalisation: Normalisation = "rcn"
    rcn_terms: Terms = "full"
    alpha: float = 0.8
    beta: float = 0.1
    sees_hint: bool = True
    skips: bool = False
    discriminator_widths: tuple[int, ...] = (64, 128, 256, 512)
    scales: int = 3

    def __post_init__(self) -> None:
        halvings = max(len(self.widths), len(self.appearance_widths)) - 1
        if len(self.widths) < 2 or len(self.appearance_widths) < 2 or len(self.discriminator_widths) < 2:
            raise ValueError("widths, appearance_widths and discriminator_widths need at least two entries each")
        if self.image_size % self.multiple:
            raise ValueError(
                f"image_size {self.image_size} cannot be halved {halvings} times; use a multiple of {self.multiple}"
            )
        if min(*self.widths, *self.appearance_widths, *self.discriminator_widths, self.scales) < 1:
            raise ValueError("widths and scales must be positive")
        if self.residual_blocks < 0:
            raise ValueError(f"residual_blocks is {self.residual_blocks}; it must be 0 or more")
        if self.attention_side and self.attention_side not in self.upsampled_sides:
            raise ValueError(
                f"attention_side is {self.attention_side}, but the upsampling part has maps of "
                f"{', '.join(map(str, self.upsampled_sides))} pixels; 0 leaves attention out"
            )
        if self.normalisation not in get_args(Normalisation) or self.rcn_terms not in get_args(Terms):
            raise ValueError(
                f"normalisation is {self.normalisation!r} and rcn_terms {self.rcn_terms!r}; known are "
                f"{', '.join(get_args(Normalisation))} and {', '.join(get_args(Terms))}"
            )
        if not (0 < self.alpha < 1 and 0 < self.beta < 1):
            raise ValueError(f"alpha {self.alpha} and beta {self.beta} must lie between 0 and 1 to be learnt")

    @property
    def multiple(self) -> int:
        """Sides of pictures are multiples of this."""
        return int(1 << (max(len(self.widths), len(self.appearance_widths)) - 1))

    @property
    def upsampled_sides(self) -> tuple[int, ...]:
        """Sides of the maps U_l, l = 1 to L, at ``image_size``."""
        return tuple(self.image_size >> level for level in reversed(range(len(self.widths) - 1)))

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> UniFaceGANConfig:
        """From plain values, such as a TOML table. Raises ValueError for unknown names and sizes that do not fit."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(options) - known)
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
        }
        return cls(**values)

    def options(self) -> dict[str, Any]:
        """What ``from_options`` reads, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


PAPER = UniFaceGANConfig()
"""The sizes of pix2pixHD at 256 pixels, no wider than 512: the paper's own are in a supplement that is not public."""
SMALL = UniFaceGANConfig(
    image_size=128,
    widths=(32, 64, 96, 128),
    residual_blocks=3,
    appearance_widths=(32, 64, 96),
    attention_side=64,
    skips=True,
    discriminator_widths=(32, 64, 128, 128),
    scales=2,
)
"""For demonstrations and slow machines."""
