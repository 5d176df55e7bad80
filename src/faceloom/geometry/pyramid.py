"""Laplacian pyramids: blend two pictures so that each band of detail has a seam of its own width."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.types import FloatImage, Matte

Level = NDArray[np.float32]


def levels_for(height: int, width: int, most: int = 5) -> int:
    """How many times a picture of this size can be halved before a side falls under 8 pixels, at most ``most``."""
    return max(0, min(most, int(np.log2(max(1, min(height, width)) / 8))))


def gaussian_pyramid(image: Level, levels: int) -> list[Level]:
    """``levels + 1`` pictures, each half the size of the one before (5-tap binomial filter, reflected border)."""
    pyramid = [image]
    for _ in range(levels):
        pyramid.append(cv2.pyrDown(pyramid[-1]))
    return pyramid


def laplacian_pyramid(image: Level, levels: int) -> list[Level]:
    """``levels`` bands of detail from fine to coarse, then the low-pass rest."""
    gaussian = gaussian_pyramid(image, levels)
    bands = [fine - _up(coarse, fine) for fine, coarse in pairwise(gaussian)]
    return [*bands, gaussian[-1]]


def collapse(pyramid: list[Level]) -> Level:
    """The picture whose Laplacian pyramid this is; inverse of ``laplacian_pyramid`` up to rounding."""
    image = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        image = band + _up(image, band)
    return image


def blend(background: FloatImage, foreground: FloatImage, matte: Matte, levels: int | None = None) -> FloatImage:
    """``foreground`` over ``background`` under ``matte``, band by band.

    Args:
        background: (H, W, 3) float32.
        foreground: (H, W, 3) float32.
        matte: (H, W) float32 in [0, 1]; 1 shows the foreground.
        levels: halvings; None chooses by size.

    Returns:
        (H, W, 3) float32, not clipped. Differences spread beyond the matte by about ``2 ** levels`` pixels.

    Source: Burt & Adelson, "A multiresolution spline with application to image mosaics", 1983.
    """
    depth = levels_for(*matte.shape) if levels is None else levels
    # The pyramid is linear, so blending the difference equals blending both pictures and costs half.
    bands = laplacian_pyramid(foreground - background, depth)
    mattes = gaussian_pyramid(matte, depth)
    return background + collapse([band * cv2.merge([m] * 3) for band, m in zip(bands, mattes, strict=True)])


def _up(image: Level, like: Level) -> Level:
    return cv2.pyrUp(image, dstsize=(like.shape[1], like.shape[0]))
