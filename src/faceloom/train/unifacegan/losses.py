"""The losses of UniFaceGAN. Each gives one number for each picture, (B,) float32; pictures are in [-1, 1].

The hinge form of the adversarial loss, eq. 10, is in ``nets.unifacegan.discriminator``.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from faceloom.train.unifacegan.recipe import ObjectiveSection


def appearance_loss(of_result: Tensor, of_appearance: Tensor) -> Tensor:
    """Eq. 8: mean absolute difference of what the appearance embedder says, (B, C, H, W) each."""
    return (of_result.float() - of_appearance.float()).abs().mean((1, 2, 3))


def reconstruction_loss(result: Tensor, truth: Tensor, intra: Tensor) -> Tensor:
    """Eq. 9: mean absolute difference from the truth, (B, 3, S, S) each; 0 where not ``intra`` (B,) bool."""
    return (result.float() - truth.float()).abs().mean((1, 2, 3)) * intra


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """``picture`` (B, C, S, S) seen from where ``flow`` (B, 2, S, S) starts: the result at (x, y) is the picture at
    (x, y) + flow[:, y, x], in pixels, bilinear, the border repeated.
    """
    height, width = picture.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=flow.device), torch.arange(width, device=flow.device), indexing="ij"
    )
    # align_corners=False counts the picture as 2 wide, from -1 at its outer edge, half a pixel before the first centre.
    grid_x, grid_y = (2 * (x + flow[:, 0]) + 1) / width - 1, (2 * (y + flow[:, 1]) + 1) / height - 1
    grid = torch.stack([grid_x, grid_y], dim=-1).to(picture.dtype)
    return functional.grid_sample(picture, grid, "bilinear", "border", align_corners=False)


def temporal_loss(now: Tensor, before: Tensor, flow: Tensor, visible: Tensor, intra: Tensor) -> Tensor:
    """Eq. 17: mean squared difference of the result at t - 1 from the one at t, warped back.

    Args:
        now: (B, 3, S, S), Y^t; ``before`` Y^(t-1).
        flow: (B, 2, S, S), pixels, where what t - 1 shows at a pixel is at t: eqs. 11 to 16 seen from t - 1, so that
            warping can look colours up.
        visible: (B, 1, S, S) bool, where the flow is known. The mean is over these pixels alone; 0 if there are none.
        intra: (B,) bool; 0 where False.
    """
    error = (before.float() - warp(now.float(), flow)).square().mean(1, keepdim=True) * visible
    return error.sum((1, 2, 3)) / visible.sum((1, 2, 3)).clamp_min(1) * intra


def identity_loss(of_result: Tensor, of_identity: Tensor) -> Tensor:
    """1 - cosine of identity vectors (B, D) of unit length. Not one of the paper's."""
    return 1 - (of_result.float() * of_identity.float()).sum(1)


def total_loss(terms: Mapping[str, Tensor], weights: ObjectiveSection) -> Tensor:
    """Eq. 18 for E and G: the weighted sum of the named terms, (B,) each."""
    return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum(0)
