"""How far two pictures differ, pixel by pixel and by structure."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.evaluate.metrics.errors import MetricError
from faceloom.types import Image

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def mse(one: Image, other: Image) -> float:
    """Mean squared difference over pixels and channels, pictures in [0, 1]; lower is better, 0 for equal pictures.

    one, other  (H, W, 3) uint8. Raises ``MetricError`` when the sizes differ.
    """
    _same_size(one, other)
    difference = one.astype(np.float32) - other.astype(np.float32)
    return float(np.mean(difference * difference, dtype=np.float64)) / 255**2


def rmse(one: Image, other: Image) -> float:
    """Root of ``mse``, in grey levels (0 to 255); lower is better, 0 for equal pictures."""
    return 255 * math.sqrt(mse(one, other))


def psnr(one: Image, other: Image) -> float:
    """Peak signal-to-noise ratio, ``-10 log10(mse)`` dB; higher is better, infinite for equal pictures."""
    return psnr_of(mse(one, other))


def psnr_of(error: float) -> float:
    """The ratio in dB for a mean squared error of pictures in [0, 1]."""
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(one: Image, other: Image) -> float:
    """Structural similarity in [-1, 1]; higher is better, 1 for equal pictures.

    ``(2 m_a m_b + C1)(2 s_ab + C2) / ((m_a^2 + m_b^2 + C1)(s_a^2 + s_b^2 + C2))`` with means, variances and covariance
    under a Gaussian window of 11 x 11 pixels (sigma 1.5), C1 = (0.01 L)^2, C2 = (0.03 L)^2, L = 255. Mean over the
    positions at which the window lies inside the picture, and over the three channels.

    one, other  (H, W, 3) uint8, sides at least 11.

    Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, IEEE TIP 2004.
    Raises ``MetricError`` when the sizes differ or are too small.
    """
    _same_size(one, other)
    if min(one.shape[:2]) < _WINDOW:
        raise MetricError(f"SSIM needs pictures of at least {_WINDOW} pixels a side, got {one.shape[:2]}")
    a, b = one.astype(np.float64), other.astype(np.float64)
    mean_a, mean_b = _smooth(a), _smooth(b)
    var_a, var_b = _smooth(a * a) - mean_a**2, _smooth(b * b) - mean_b**2
    covariance = _smooth(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)
    below = (mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2)
    return float((above / below).mean())


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian mean at the positions at which the window lies inside."""
    border = _WINDOW // 2
    return cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA)[border:-border, border:-border]


def _same_size(one: Image, other: Image) -> None:
    if one.shape != other.shape:
        raise MetricError(f"pictures to compare must be of one size, got {one.shape} and {other.shape}")
