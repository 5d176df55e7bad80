"""Layers that encoder and decoder share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

_GROUP = 16


class ResidualBlock(nn.Module):
    """``x + conv(gelu(norm(conv(gelu(norm(x))))))``, 3 x 3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(width), norm(width)
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        h = self.conv1(functional.gelu(self.norm1(x)))
        return x + self.conv2(functional.gelu(self.norm2(h)))


def norm(width: int) -> nn.GroupNorm:
    """Group normalisation in groups of about 16 channels, so that no group is a single channel."""
    groups = max(1, width // _GROUP)
    while width % groups:
        groups -= 1
    return nn.GroupNorm(groups, width)


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, ``align_corners=False``."""
    return functional.interpolate(x, list(size), mode="bilinear", align_corners=False)
