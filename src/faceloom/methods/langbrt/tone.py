"""Pictures as the logarithm of linear light, in which blemishes are sums: they absorb, shade or add a share of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceloom.types import FloatImage, Image

FLOOR = np.float32(0.003)
"""Linear light added before the logarithm, so that black has one; as in ``train.blemishes.optics``."""
LogLight = NDArray[np.float32]
"""(H, W, 3), natural logarithm of linear RGB light plus ``FLOOR``."""


def log_light(picture: FloatImage) -> LogLight:
    """Of sRGB in [0, 1]."""
    low, high = picture / np.float32(12.92), ((picture + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.log(np.where(picture <= 0.04045, low, high) + FLOOR)


_TABLE: LogLight = log_light(np.arange(256, dtype=np.float32) / np.float32(255))


def log_light_of(image: Image) -> LogLight:
    """Of uint8 sRGB, looked up."""
    return _TABLE[image]


def picture_of(log: LogLight) -> FloatImage:
    """sRGB in [0, 1]; the inverse of ``log_light``."""
    linear = np.clip(np.exp(log) - FLOOR, 0, 1)
    low = linear * np.float32(12.92)
    high = np.float32(1.055) * np.maximum(linear, np.float32(1e-8)) ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.clip(np.where(linear <= 0.0031308, low, high), 0, 1)
