"""Holes filled smoothly from what is known around them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.types import Matte

_LEAST, _NOTHING = np.float32(1e-6), np.float32(1e-12)


def fill(picture: NDArray[np.float32], known: Matte) -> NDArray[np.float32]:
    """``picture`` (h, w, C) float32 where it is ``known`` ((h, w), 0 to 1), and the smooth continuation elsewhere.

    Nothing known anywhere gives the plain mean. Source: Gortler et al., "The Lumigraph", 1996, section 3.4 (push-pull):
    weighted means of ever larger surroundings, the smallest that says enough counts.
    """
    weights = [np.ascontiguousarray(np.maximum(known, _LEAST))]
    sums = [picture * weights[0][..., None]]
    while min(weights[-1].shape) > 2:
        sums.append(cv2.pyrDown(sums[-1]))
        weights.append(np.ascontiguousarray(cv2.pyrDown(weights[-1])))
    filled: NDArray[np.float32] = _mean(sums[-1], weights[-1])
    for total, weight in zip(sums[-2::-1], weights[-2::-1], strict=True):
        coarse: NDArray[np.float32] = cv2.pyrUp(filled, dstsize=(weight.shape[1], weight.shape[0]))
        share = np.minimum(weight, np.float32(1))[..., None]
        filled = coarse + share * (_mean(total, weight) - coarse)
    return filled


def _mean(total: NDArray[np.float32], weight: Matte) -> NDArray[np.float32]:
    return np.divide(total, np.maximum(weight, _NOTHING)[..., None], dtype=np.float32)
