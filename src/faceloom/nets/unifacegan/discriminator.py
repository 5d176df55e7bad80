"""The multi-scale discriminator D and its hinge loss.

Wang et al., High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs, CVPR 2018 (pix2pixHD);
Lim and Ye, Geometric GAN, 2017 (the hinge, in place of least squares).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.nets.unifacegan.config import UniFaceGANConfig


class PatchDiscriminator(nn.Module):
    """One scale: (B, 3, H, W) in [-1, 1] to logits of patches (B, 1, h, w); more is more real."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 2), nn.LeakyReLU(0.2)]
        for index, (before, after) in enumerate(pairwise(widths), 1):
            stride = 1 if index == len(widths) - 1 else 2
            layers += [nn.Conv2d(before, after, 4, stride, 2), nn.InstanceNorm2d(after), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 2))

    def forward(self, picture: Tensor) -> Tensor:
        """Logits of patches."""
        return self.layers(picture)


class MultiScaleDiscriminator(nn.Module):
    """K discriminators of the same kind; the k-th sees the picture reduced k - 1 times by two."""

    def __init__(self, config: UniFaceGANConfig) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(config.discriminator_widths) for _ in range(config.scales))

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Logits (B, 1, h_k, w_k) of each scale, the largest first, for (B, 3, S, S) in [-1, 1]."""
        logits = []
        for index, scale in enumerate(self.scales):
            if index:
                picture = functional.avg_pool2d(picture, 3, 2, 1, count_include_pad=False)
            logits.append(scale(picture))
        return logits


def hinge_for_discriminator(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """What D minimises, (B,): E[max(0, 1 - D(real))] + E[max(0, 1 + D(made))], mean over the K scales of eq. 10."""
    parts = [
        functional.relu(1 - yes).mean((1, 2, 3)) + functional.relu(1 + no).mean((1, 2, 3))
        for yes, no in zip(real, made, strict=True)
    ]
    return torch.stack(parts).mean(0)


def hinge_for_generator(made: Sequence[Tensor]) -> Tensor:
    """What E and G minimise, (B,): -E[D(made)], mean over the K scales of eq. 10."""
    return -torch.stack([logits.mean((1, 2, 3)) for logits in made]).mean(0)
