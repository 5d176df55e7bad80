"""The appearance embedder E: what surrounds the face, as a small map."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from faceloom.nets.unifacegan.blocks import conv_block
from faceloom.nets.unifacegan.config import UniFaceGANConfig


class AppearanceEmbedder(nn.Module):
    """E(X, M): the appearance picture and its hint to P, ``appearance_widths[-1]`` channels at S / 2^(len - 1)."""

    def __init__(self, config: UniFaceGANConfig) -> None:
        super().__init__()
        widths = config.appearance_widths
        self.layers = nn.Sequential(
            conv_block(6, widths[0], 7),
            *(conv_block(before, after, 3, 2) for before, after in pairwise(widths)),
            nn.Conv2d(widths[-1], widths[-1], 3, padding=1),
        )

    def forward(self, picture: Tensor, hint: Tensor) -> Tensor:
        """P, (B, C, S / 2^n, S / 2^n).

        Args:
            picture: (B, 3, S, S) in [-1, 1].
            hint: (B, 3, S, S), a picture with the face blacked out, see ``appearance_hint``.
        """
        return self.layers(torch.cat([picture, hint], dim=1))
