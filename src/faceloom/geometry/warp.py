"""Sampling pictures along a map."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.types import Box, FloatImage, Matrix


def affine_field(matrix: Matrix, box: Box) -> NDArray[np.float32]:
    """Where the (2, 3) affine ``matrix`` maps every pixel of ``box``: (height, width, 2) float32."""
    across = np.arange(box.left, box.right)[:, None] * matrix[:, 0] + matrix[:, 2]
    down = (np.arange(box.top, box.bottom)[:, None] * matrix[:, 1]).astype(np.float32)
    # Rows of x and y in turn: numpy adds long rows several times faster than pairs.
    mapped = np.empty((box.height, 2 * box.width), np.float32)
    mapped[:] = across.astype(np.float32).ravel()
    mapped[:, 0::2] += down[:, :1]
    mapped[:, 1::2] += down[:, 1:]
    return mapped.reshape(box.height, box.width, 2)


def sample(image: NDArray[np.float32], where: NDArray[np.float32], border: int = cv2.BORDER_REPLICATE) -> FloatImage:
    """Look ``image`` up at ``where`` (H, W, 2), pixels of ``image``, bilinearly; cubic costs three times as much."""
    return cv2.remap(image, where, None, cv2.INTER_LINEAR, borderMode=border)


def minified(image: NDArray[np.float32], least_side: int = 32) -> list[NDArray[np.float32]]:
    """The picture and its successive halvings, for sampling at a smaller scale without aliasing."""
    levels = [image]
    while min(levels[-1].shape[:2]) >= 2 * least_side and len(levels) < 6:
        levels.append(cv2.pyrDown(levels[-1]))
    return levels


def sample_minified(levels: Sequence[NDArray[np.float32]], where: NDArray[np.float32], scale: float) -> FloatImage:
    """Trilinear look-up in ``minified`` levels.

    Args:
        levels: picture and halvings; where: (H, W, 2) pixels of the full picture.
        scale: source pixels per output pixel. Up to 1.25 the full picture is used; beyond it two neighbouring
            levels are mixed, continuously in ``scale``, so a face that grows does not flicker between levels.
    """
    level = float(np.clip(np.log2(max(scale, 1e-6) / 1.25), 0, len(levels) - 1))
    low, part = int(level), level - int(level)
    fine = sample(levels[low], _to_level(where, low))
    if part < 1e-3:
        return fine
    coarse = sample(levels[low + 1], _to_level(where, low + 1))
    return cv2.addWeighted(fine, 1 - part, coarse, part, 0)


def _to_level(where: NDArray[np.float32], level: int) -> NDArray[np.float32]:
    # pyrDown keeps the centre of every even pixel, so coordinates just halve.
    return where if level == 0 else (where / np.float32(1 << level)).astype(np.float32)
