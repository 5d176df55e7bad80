"""The generator G: from the rendered face and the appearance map to a picture."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.nets.unifacegan.blocks import ResidualBlock, SelfAttention, conv_block
from faceloom.nets.unifacegan.config import UniFaceGANConfig
from faceloom.nets.unifacegan.normalisation import normalisation


class Upsampling(nn.Module):
    """One upsampling layer: twice the size, convolution to U_l, conditional normalisation, ReLU, perhaps attention.

    inputs, outputs  channels before and after; ``skip`` those of the encoder's map that is seen too, 0 for none.
    """

    def __init__(self, config: UniFaceGANConfig, inputs: int, outputs: int, skip: int, attention: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs + skip, outputs, 3, padding=1, padding_mode="reflect")
        self.appearance = nn.Conv2d(config.appearance_widths[-1], outputs, 1)
        self.norm = normalisation(config, outputs)
        self.attention = SelfAttention(outputs) if attention else None

    def forward(self, x: Tensor, appearance: Tensor, face: Tensor, skip: Tensor | None) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, 2 H, 2 W), with P and the mask of the whole picture."""
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        u = self.conv(x if skip is None else torch.cat([x, skip], dim=1))
        size = u.shape[-2:]
        # Choosing channels and resizing commute; on the small map the first is cheaper.
        t = functional.interpolate(self.appearance(appearance), size, mode="bilinear", align_corners=False)
        x = functional.relu(self.norm(u, t, functional.adaptive_avg_pool2d(face, size)))
        return x if self.attention is None else self.attention(x)


class Generator(nn.Module):
    """G(R, P, M): encoder, residual blocks, L upsampling layers."""

    def __init__(self, config: UniFaceGANConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.first = conv_block(6 if config.sees_hint else 3, widths[0], 7)
        self.down = nn.ModuleList(conv_block(before, after, 3, 2) for before, after in pairwise(widths))
        self.middle = nn.Sequential(*(ResidualBlock(widths[-1]) for _ in range(config.residual_blocks)))
        self.up = nn.ModuleList(
            Upsampling(config, before, after, after if config.skips else 0, side == config.attention_side)
            for (before, after), side in zip(pairwise(reversed(widths)), config.upsampled_sides, strict=True)
        )
        self.last = nn.Conv2d(widths[0], 3, 7, padding=3, padding_mode="reflect")

    def forward(self, rendered: Tensor, appearance: Tensor, hint: Tensor, face: Tensor) -> Tensor:
        """Y, (B, 3, S, S) in [-1, 1].

        Args:
            rendered: (B, 3, S, S) in [-1, 1], R of eq. 5, -1 where there is no face.
            appearance: P, see ``AppearanceEmbedder``.
            hint: (B, 3, S, S), M; not looked at unless ``sees_hint``.
            face: (B, 1, S, S) in [0, 1], the facial region of R.
        """
        x = self.first(torch.cat([rendered, hint], dim=1) if self.config.sees_hint else rendered)
        maps = [x]
        for layer in self.down:
            maps.append(x := layer(x))
        x = self.middle(x)
        for layer, seen in zip(self.up, reversed(maps[:-1]), strict=True):
            x = layer(x, appearance, face, seen if self.config.skips else None)
        return torch.tanh(self.last(x))
