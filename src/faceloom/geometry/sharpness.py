"""How sharp a picture is, and how to make one as soft as another.

A sharp part in a soft video looks pasted, and flickers: its detail moves by fractions of a pixel that the video
around it does not show. Sharpness is told by the ratio of the contrasts in neighbouring bands of detail, which the
content (lashes or bare skin, much contrast or little) moves less than the contrasts themselves.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.types import FloatImage

_SIGMAS = (1.0, 2.0, 4.0)
"""Pixels: Gaussians between which the two fine bands and the coarse one lie."""
_LEAST_GAIN = np.log([0.3, 0.5])


def sharpness(image: NDArray[np.float32], region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log ratios of the contrast in the two finest bands to that in the third: (2,) float64, higher is sharper.

    Args:
        image: (H, W) or (H, W, 3) float32 in [0, 1].
        region: (H, W) bool, the pixels that count.

    Returns:
        Contrasts are standard deviations within ``region`` of the bands below 1 pixel, 1 to 2 and 2 to 4 pixels
        (sigma); zeros where the region is too small (under 16 pixels).
    """
    if np.count_nonzero(region) < 16:
        return np.zeros(2)
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    smooth = [grey, *(cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in _SIGMAS)]
    counted = region.view(np.uint8)
    contrast = [float(cv2.meanStdDev(a - b, mask=counted)[1][0, 0]) + 1e-4 for a, b in pairwise(smooth)]
    return np.log(np.array(contrast[:2]) / contrast[2])


def soften(image: FloatImage, log_gain: NDArray[np.float64]) -> FloatImage:
    """Weaken the two finest bands of a picture; never strengthens them.

    Args:
        image: (H, W, 3) float32.
        log_gain: (2,) wanted sharpness minus own, as ``sharpness`` gives them; positive values count as 0, and the
            bands keep at least 0.3 and 0.5 of their strength.
    """
    fine, middle = np.exp(np.clip(log_gain, _LEAST_GAIN, 0)).astype(np.float32)
    if fine > 0.97 and middle > 0.97:
        return image
    once = cv2.GaussianBlur(image, (0, 0), _SIGMAS[0], borderType=cv2.BORDER_REPLICATE)
    twice = cv2.GaussianBlur(image, (0, 0), _SIGMAS[1], borderType=cv2.BORDER_REPLICATE)
    # twice + middle * (once - twice) + fine * (image - once)
    softened: FloatImage = cv2.addWeighted(image, float(fine), once, float(middle - fine), 0)
    return cv2.scaleAdd(twice, float(1 - middle), softened)
