"""Random changes of training pictures, whole batches at a time, on their device."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from faceloom.train.draws import Draws
from faceloom.train.recipe import AugmentSection


def augment(pictures: Tensor, how: AugmentSection, draws: Draws) -> Tensor:
    """Change each of (B, 3, H, W) pictures in [-1, 1] by a flip, a similarity and a colour map of its own."""
    pictures = _moved(_flipped(pictures, how, draws), how, draws)
    return _coloured(pictures, how, draws)


def _flipped(pictures: Tensor, how: AugmentSection, draws: Draws) -> Tensor:
    if not how.flip:
        return pictures
    chosen = draws.uniform(0, 1, len(pictures)) < how.flip
    return torch.where(chosen[:, None, None, None], pictures.flip(3), pictures)


def _moved(pictures: Tensor, how: AugmentSection, draws: Draws) -> Tensor:
    """Turned, scaled and shifted about the centre; what comes in at the edges is the picture mirrored."""
    if not (how.rotate or how.scale or how.shift):
        return pictures
    count, limit = len(pictures), math.radians(how.rotate)
    angle, size = draws.uniform(-limit, limit, count), draws.uniform(1 - how.scale, 1 + how.scale, count)
    # affine_grid counts the side as 2, from -1 to 1.
    x, y = (2 * draws.uniform(-how.shift, how.shift, count) for _ in range(2))
    cos, sin = angle.cos() / size, angle.sin() / size
    matrix = torch.stack([torch.stack([cos, -sin, x], 1), torch.stack([sin, cos, y], 1)], 1)  # (B, 2, 3)
    grid = functional.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, "bilinear", "reflection", align_corners=False)


def _coloured(pictures: Tensor, how: AugmentSection, draws: Draws) -> Tensor:
    """Brightness scales all of [0, 1], contrast spreads about the picture's mean, saturation about each pixel's."""
    if not (how.brightness or how.contrast or how.saturation):
        return pictures
    count = len(pictures)
    brightness, contrast, saturation = (
        draws.uniform(1 - change, 1 + change, count)[:, None, None, None]
        for change in (how.brightness, how.contrast, how.saturation)
    )
    light = (pictures + 1) * brightness
    mean = light.mean((1, 2, 3), keepdim=True)
    light = mean + (light - mean) * contrast
    gray = light.mean(1, keepdim=True)
    return (gray + (light - gray) * saturation - 1).clamp(-1, 1)
