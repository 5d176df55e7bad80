"""Text-prompted blemish detection: equation (1)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from faceloom.nets.langbrt.config import LangBRTConfig

_RARE = -5.0
"""Logit that detection begins with: few pixels are blemishes, and maps of twenty prompts are summed."""


_KEY_SPREAD = 1.0
"""Deviation of the weights that take text to image channels, before training. Vectors of text have unit length over
hundreds of numbers: with torch's own deviation, a twentieth, their products with features begin as good as 0."""


class TextPromptedDetection(nn.Module):
    """How much each pixel looks like each prompt.

    ``m = sum_j F . t(ut_j) + sum_i F . t(psi_i(pt_i))`` with the dot product over channels. Here ``t`` takes text
    vectors to the number of image channels, one linear map for all (the transpose takes image features to text space:
    the product is the same); each term goes through a sigmoid and the sum is cut off at 1, since ``1 - m`` weighs
    features in equation (2).
    """

    def __init__(self, config: LangBRTConfig) -> None:
        super().__init__()
        self.to_image = nn.Linear(config.text_dim, config.detect_width, bias=False)
        self.mappings = nn.ModuleList(nn.Linear(config.text_dim, config.text_dim) for _ in range(config.predefined))
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.tensor(_RARE))
        nn.init.normal_(self.to_image.weight, std=_KEY_SPREAD)
        for mapping in self.mappings:  # psi begins as no change
            nn.init.eye_(cast(nn.Linear, mapping).weight)
            nn.init.zeros_(cast(nn.Linear, mapping).bias)

    def mapped(self, predefined: Tensor) -> Tensor:
        """psi: (P, T) vectors of the pre-defined prompts to (P, T)."""
        return torch.stack([mapping(text) for mapping, text in zip(self.mappings, predefined, strict=True)])

    def forward(self, features: Tensor, text: Tensor) -> Tensor:
        """Logits of each prompt's map.

        Args:
            features: (B, detect_width, H, W).
            text: (B, N, T), those of pre-defined prompts ``mapped`` already.

        Returns:
            (B, N, H, W); the sigmoid is the probability that a pixel belongs to the prompt.
        """
        keys = self.to_image(text)
        return torch.einsum("bchw,bnc->bnhw", features, keys) * self.scale + self.bias


def combined(maps: Tensor, asked: Tensor) -> Tensor:
    """``m``: (B, N, H, W) maps in [0, 1] and (B, N) weights of what is asked for, to (B, 1, H, W) in [0, 1]."""
    return torch.einsum("bnhw,bn->bhw", maps, asked)[:, None].clamp(max=1)
