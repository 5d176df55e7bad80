"""Three ways to bring the appearance into the generator: the paper's own, and the two it is compared with.

Each is called with U_l (B, C, H, W), T_l of the same shape and the facial mask H_l (B, 1, H, W), and gives a map of the
shape of U_l.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.nets.unifacegan.config import UniFaceGANConfig
from faceloom.nets.unifacegan.regions import mix_regions, transfer


class RegionAwareNorm(nn.Module):
    """Region-aware conditional normalisation (RCN), eq. 6 and figure 4.

    U_l and T_l are batch-normalised, then mixed by regions. alpha_l and beta_l, one number a channel, are sigmoids of
    what is learnt, so that they stay in (0, 1).
    """

    def __init__(self, channels: int, alpha: float = 0.8, beta: float = 0.1, terms: str = "full") -> None:
        super().__init__()
        self.terms = terms
        self.facial_norm, self.other_norm = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.alpha_logit = nn.Parameter(torch.full((channels,), math.log(alpha / (1 - alpha))))
        self.beta_logit = nn.Parameter(torch.full((channels,), math.log(beta / (1 - beta))))

    @property
    def alpha(self) -> Tensor:
        """(C,) in (0, 1): how much of the face takes the statistics of the surroundings."""
        return self.alpha_logit.sigmoid()

    @property
    def beta(self) -> Tensor:
        """(C,) in (0, 1): how much of the surroundings takes the statistics of the face."""
        return self.beta_logit.sigmoid()

    def forward(self, u: Tensor, t: Tensor, face: Tensor) -> Tensor:
        """Eq. 6."""
        return mix_regions(self.facial_norm(u), self.other_norm(t), face, self.alpha, self.beta, self.terms)


class AdaptiveInstanceNorm(nn.Module):
    """AdaIN: U_l with the mean and deviation of T_l, each over the whole map.

    Huang and Belongie, Arbitrary Style Transfer in Real-Time with Adaptive Instance Normalization, ICCV 2017.
    """

    def forward(self, u: Tensor, t: Tensor, face: Tensor) -> Tensor:
        """Eq. 7 without regions; ``face`` is not used."""
        everywhere = torch.ones_like(face)
        return transfer(u, everywhere, t, everywhere)


class SpatiallyAdaptiveNorm(nn.Module):
    """SPADE: U_l batch-normalised, then scaled and shifted for each pixel as two layers read it from T_l and H_l.

    Park et al., Semantic Image Synthesis with Spatially-Adaptive Normalization, CVPR 2019.

    hidden  channels between the two layers.
    """

    def __init__(self, channels: int, hidden: int = 128) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.shared = nn.Conv2d(channels + 1, hidden, 3, padding=1)
        self.scale = nn.Conv2d(hidden, channels, 3, padding=1)
        self.shift = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, u: Tensor, t: Tensor, face: Tensor) -> Tensor:
        """norm(u) (1 + scale(t, face)) + shift(t, face)."""
        read = functional.relu(self.shared(torch.cat([t, face.to(t.dtype)], dim=1)))
        return self.norm(u) * (1 + self.scale(read)) + self.shift(read)


def normalisation(config: UniFaceGANConfig, channels: int) -> nn.Module:
    """The kind that the configuration asks for."""
    match config.normalisation:
        case "rcn":
            return RegionAwareNorm(channels, config.alpha, config.beta, config.rcn_terms)
        case "adain":
            return AdaptiveInstanceNorm()
        case "spade":
            return SpatiallyAdaptiveNorm(channels, min(128, channels))
