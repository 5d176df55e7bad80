"""The decoder D: latent features to the change of the picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.nets.langbrt.config import LangBRTConfig
from faceloom.nets.langbrt.layers import resize


class Decoder(nn.Module):
    """Upwards with the encoder's features and the blemish map at every resolution."""

    def __init__(self, config: LangBRTConfig) -> None:
        super().__init__()
        pairs = list(zip(reversed(config.widths[1:]), reversed(config.widths[:-1]), strict=True))
        self.narrow = nn.ModuleList(nn.Conv2d(before, after, 1) for before, after in pairs)
        self.merge = nn.ModuleList(nn.Conv2d(2 * after + 1, after, 3, padding=1) for _, after in pairs)
        self.refine = nn.ModuleList(nn.Conv2d(after, after, 3, padding=1) for _, after in pairs)
        self.change = nn.Conv2d(config.widths[0] + 12, 12, 3, padding=1)
        for parameter in self.change.parameters():
            nn.init.zeros_(parameter)

    def forward(self, latent: Tensor, maps: list[Tensor], target: Tensor, image: Tensor) -> Tensor:
        """Features to a change.

        Args:
            latent: (B, C, H, W).
            maps: the encoder's features, finest first.
            target: (B, 1, S/2, S/2), m.
            image: (B, 3, S, S) in [-1, 1].

        Returns:
            (B, 3, S, S) to be added where m says so, in units of pictures in [-1, 1]; 0 before training.
        """
        x = latent
        for index, skip in enumerate(reversed(maps[:-1])):
            size = skip.shape[-2:]
            here = functional.adaptive_avg_pool2d(target, (size[0], size[1]))
            x = torch.cat([resize(self.narrow[index](x), size), skip, here], 1)
            x = functional.gelu(self.merge[index](x))
            x = x + functional.gelu(self.refine[index](x))
        x = torch.cat([x, functional.pixel_unshuffle(image, 2)], 1)
        return 2 * torch.tanh(functional.pixel_shuffle(self.change(x), 2))
