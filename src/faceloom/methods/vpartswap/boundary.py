"""Section 3.3 of V-PartSwap: the stochastic code of the reference, only along the edge of the part."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from faceloom.geometry import masks
from faceloom.types import Matte

_MEAN = 0.03
"""Deviation of the Gaussian that defines a local mean of the noise, in sides of the crop."""


def boundary_weight(mask: Matte, width: float) -> Matte:
    """The soft band ``b`` along the edge of a warped mask: dilation minus erosion, then a Gaussian.

    mask   (S, S) float32 in [0, 1]. width  of the band in pixels.
    """
    return masks.soft_band((mask > 0.5).astype(np.float32), width, 0.25 * width)


def blend_noise(target: Tensor, reference: Tensor, weight: Tensor) -> Tensor:
    """``(1 - b) z_target + b z_ref``, with the statistics of the target's noise: (B, 3, S, S), weight (B, 1, S, S).

    A plain sum has less deviation than noise wherever both take part; it is divided by what the deviation of the sum of
    two independent noises is. And a local mean decides the colour of a whole neighbourhood, through many steps that
    each enlarge it, so the blended noise keeps the target's.
    """
    blended = ((1 - weight) * target + weight * reference) / ((1 - weight) ** 2 + weight**2).sqrt()
    return blended + local_mean(target - blended)


def noise_in(code: Tensor, picture: Tensor, abar: float) -> Tensor:
    """The noise in a code that still holds ``sqrt(abar)`` of its picture."""
    return (code - abar**0.5 * picture) / (1 - abar) ** 0.5


def code_of(picture: Tensor, noise: Tensor, abar: float) -> Tensor:
    """The code that holds ``sqrt(abar)`` of a picture, and noise."""
    return abar**0.5 * picture + (1 - abar) ** 0.5 * noise


def local_mean(noise: Tensor) -> Tensor:
    """Gaussian mean of a map (B, C, S, S) over a neighbourhood of ``_MEAN`` of its side, edges repeated."""
    sigma = _MEAN * noise.shape[-1]
    radius = int(3 * sigma + 0.5)
    bell = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=noise.device) / sigma) ** 2)
    bell = (bell / bell.sum()).to(noise.dtype)
    channels = noise.shape[1]
    row = bell.view(1, 1, 1, -1).expand(channels, -1, -1, -1)
    padded = functional.pad(noise, (radius,) * 4, mode="replicate")
    return functional.conv2d(functional.conv2d(padded, row, groups=channels), row.transpose(2, 3), groups=channels)


def warp_noise(noise: Tensor, grid: NDArray[np.float32]) -> Tensor:
    """A noise map (1, 3, S, S) looked up at ``grid`` (B, S, S, 2), pixels: (B, 3, S, S) of the same statistics.

    Bilinear look-up averages four independent values; what that takes from the deviation is given back.
    """
    size = noise.shape[-1]
    where = torch.from_numpy(grid).to(noise.device)
    normalised = (2 * where + 1) / size - 1
    looked_up = functional.grid_sample(
        noise.expand(len(where), -1, -1, -1), normalised, padding_mode="reflection", align_corners=False
    )
    part = where - where.floor()
    deviation = (part**2 + (1 - part) ** 2).prod(dim=-1, keepdim=True).sqrt().permute(0, 3, 1, 2)
    return looked_up / deviation
