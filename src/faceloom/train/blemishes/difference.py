"""The ground truth of detection: where two pictures of one face differ.

LangBRT, equation (5): ``tau(|x - y|)``; the paper leaves tau open. Here it is tanh of the mean difference of the three
channels beyond one grey level, over 8 grey levels: 0.5 for a change of 5.4 levels, which is about where it is seen.
"""

from __future__ import annotations

import numpy as np

from faceloom.types import Image, Matte

DEAD_ZONE, SCALE = 1 / 255, 8 / 255
"""In units of pictures in [0, 1]."""


def difference_mask(one: Image, other: Image) -> Matte:
    """(H, W) float32 in [0, 1) of two pictures (H, W, 3) uint8."""
    # Channel by channel: numpy is slow at reducing an axis of three.
    apart = np.abs(one.astype(np.int16) - other)
    difference = (apart[..., 0] + apart[..., 1] + apart[..., 2]).astype(np.float32) / np.float32(3 * 255)
    return np.tanh(np.maximum(difference - np.float32(DEAD_ZONE), 0) / np.float32(SCALE))
