"""Statistics of a region of a map, and their transfer to another region (UniFaceGAN, eqs. 6 and 7).

Convention: maps are (B, C, H, W), masks (B, 1, H, W) in [0, 1]. A mask weighs pixels; at the edge of a region, where it
lies between 0 and 1, a pixel belongs to both sides.
"""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-5
"""Added to variances."""
_LEAST_AREA = 1.0
"""Pixels that a region needs for its statistics to mean anything."""


def region_statistics(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of ``x`` in the region, for each picture and channel: two (B, C, 1, 1) float32.

    The deviation is ``sqrt(variance + EPSILON)``. Both mean nothing where ``mask`` is empty.
    """
    x, mask = x.float(), mask.float()
    area = mask.sum((2, 3), keepdim=True).clamp_min(EPSILON)
    mean = (x * mask).sum((2, 3), keepdim=True) / area
    variance = ((x - mean).square() * mask).sum((2, 3), keepdim=True) / area
    return mean, (variance + EPSILON).sqrt()


def transfer(a: Tensor, in_a: Tensor, b: Tensor, in_b: Tensor) -> Tensor:
    """Eq. 7 by regions: ``a`` where ``in_a`` is, with the mean and deviation that ``b`` has where ``in_b`` is.

    T(A, B) = sigma(B) (A - mu(A)) / sigma(A) + mu(B), each statistic of its own region alone, and the result of the
    region of A alone: (B, C, H, W), 0 outside ``in_a``. A picture in which one of the regions is smaller than a pixel
    keeps A as it is.
    """
    mean_a, deviation_a = region_statistics(a, in_a)
    mean_b, deviation_b = region_statistics(b, in_b)
    moved = deviation_b * (a - mean_a) / deviation_a + mean_b
    known = (in_a.sum((2, 3), keepdim=True) >= _LEAST_AREA) & (in_b.sum((2, 3), keepdim=True) >= _LEAST_AREA)
    return torch.where(known, moved, a.float()).to(a.dtype) * in_a.to(a.dtype)


def mix_regions(u: Tensor, t: Tensor, face: Tensor, alpha: Tensor, beta: Tensor, terms: str = "full") -> Tensor:
    """Eq. 6: facial features ``u`` inside ``face``, non-facial ones ``t`` outside, each with some of the other's look.

    Args:
        u: (B, C, H, W), U_l, normalised.
        t: (B, C, H, W), T_l, normalised.
        face: (B, 1, H, W) in [0, 1], H_l.
        alpha: (C,) or (1, C, 1, 1) in [0, 1]: share of ``u`` that takes the statistics of ``t``.
        beta: the same the other way round.
        terms: which of the four terms to add up, see ``UniFaceGANConfig.rcn_terms``.

    Returns:
        (B, C, H, W).
    """
    alpha, beta = alpha.reshape(1, -1, 1, 1).to(u.dtype), beta.reshape(1, -1, 1, 1).to(u.dtype)
    rest = 1 - face
    total = torch.zeros_like(u)
    if terms in ("full", "cross", "non_facial"):
        total = total + alpha * transfer(u, face, t, rest)
    if terms in ("full", "cross", "facial"):
        total = total + beta * transfer(t, rest, u, face)
    if terms in ("full", "same", "facial"):
        total = total + (1 - alpha) * u * face
    if terms in ("full", "same", "non_facial"):
        total = total + (1 - beta) * t * rest
    return total
