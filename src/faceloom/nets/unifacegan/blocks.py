"""What the networks are made of.

Batch normalisation throughout: instance normalisation, pix2pixHD's, removes the mean colour of each picture, which the
appearance is there to bring.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv_block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution that keeps the size or halves it, batch normalisation, ReLU; the border is reflected."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode="reflect", bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class ResidualBlock(nn.Module):
    """``x + norm(conv(relu(norm(conv(x)))))``, (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_block(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return x + self.norm(self.second(self.first(x)))


class SelfAttention(nn.Module):
    """``x + gamma attention(x)`` over all pixels, gamma learnt from 0 on.

    Zhang et al., Self-Attention Generative Adversarial Networks, ICML 2019: queries and keys have an eighth of the
    channels, and their products are not scaled.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        small = max(1, channels // 8)
        self.query, self.key = nn.Conv2d(channels, small, 1), nn.Conv2d(channels, small, 1)
        self.value, self.out = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        # Each (B, 1, H W, d): one head of pixels.
        q, k, v = (part(x).flatten(2).transpose(1, 2)[:, None] for part in (self.query, self.key, self.value))
        found = functional.scaled_dot_product_attention(q, k, v, scale=1.0)
        found = found[:, 0].transpose(1, 2).reshape(x.shape)
        return x + self.gamma * self.out(found)
