"""The image encoder E: features at every resolution, and those that words are compared with."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from faceloom.nets.langbrt.config import LangBRTConfig
from faceloom.nets.langbrt.layers import ResidualBlock, norm, resize


class Encoder(nn.Module):
    """Features of a picture.

    Blemishes are few pixels wide, so words are compared with features at half the picture's size that the coarser ones,
    which know where on the face they are, were added to.
    """

    def __init__(self, config: LangBRTConfig) -> None:
        super().__init__()
        widths = config.widths
        # Four pixels as the channels of one position: nothing is lost, and no layer works at full size.
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, widths[0], 3, padding=1))
        self.downs = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1) for before, after in pairwise(widths)
        )
        self.levels = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
            for width, count in zip(widths, config.blocks, strict=True)
        )
        self.place = nn.Conv2d(2, widths[-1], 1, bias=False)
        self.laterals = nn.ModuleList(nn.Conv2d(width, config.detect_width, 1) for width in widths)
        self.mix = nn.Sequential(
            norm(config.detect_width),
            nn.GELU(),
            nn.Conv2d(config.detect_width, config.detect_width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(config.detect_width, config.detect_width, 1),
        )

    def forward(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """Picture to features.

        Args:
            image: (B, 3, S, S) in [-1, 1], an aligned face.

        Returns:
            Features at each resolution, finest first, the last one ``F_x^(0)`` as the transformer takes it; and
            (B, detect_width, S/2, S/2), ``F_x^(0)`` as equation (1) takes it.
        """
        x, maps = self.stem(image), list[Tensor]()
        for index, level in enumerate(self.levels):
            if index:
                x = self.downs[index - 1](x)
            if index == len(self.levels) - 1:
                x = x + self.place(positions(x))
            x = level(x)
            maps.append(x)
        top = self.laterals[-1](maps[-1])
        for lateral, finer in zip(reversed(self.laterals[:-1]), reversed(maps[:-1]), strict=True):
            top = lateral(finer) + resize(top, finer.shape[-2:])
        return maps, self.mix(top)


def positions(like: Tensor) -> Tensor:
    """(1, 2, H, W) x and y of every position, -1 to 1: in an aligned face the place says much about the part."""
    height, width = like.shape[-2:]
    y = torch.linspace(-1, 1, height, device=like.device, dtype=like.dtype)
    x = torch.linspace(-1, 1, width, device=like.device, dtype=like.dtype)
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1])[None]
