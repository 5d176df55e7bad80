"""What is rendered, matched to the target where the target is to be kept.

Changing z_sem, and even a thin band of the noise, tints the whole picture. The tint varies slowly over the picture,
and around the part it can be seen: there the rendered picture should be the target's own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks
from faceloom.methods.memo import FrameMemo
from faceloom.methods.timing import stage
from faceloom.types import FloatImage, Matte

_REACH = 0.06
"""Deviation of the Gaussian that the difference is smoothed with, in sides of the crop."""
_GROW = 0.03
"""How far around the part nothing is measured, in sides of the crop."""
_RADIUS, _SIGMA = 4, 2.0
"""Frames before its own that a correction is smoothed over, and the deviation of the weights."""


@stage("colour match")
def tint(rendered: FloatImage, target: FloatImage, mask: Matte) -> NDArray[np.float32]:
    """What to add to a rendered crop: (S, S, 3), the low-frequency difference outside ``mask``, continued into it.

    Normalised convolution (Knutsson and Westin, 1993): the difference times its certainty, smoothed, over the smoothed
    certainty. Deep inside a large mask, where there is none, a wider Gaussian answers, and at last the mean.
    """
    side = mask.shape[0]
    certainty = 1 - masks.dilate((mask > 0.02).astype(np.float32), _GROW * side)
    difference = (target - rendered) * certainty[..., None]
    found = difference.sum(axis=(0, 1)) / max(float(certainty.sum()), 1.0) + np.zeros_like(difference)
    for sigma in (4 * _REACH * side, 2 * _REACH * side, _REACH * side):
        weight = masks.blur(certainty, sigma)
        local = masks.blur(difference, sigma) / np.maximum(weight, np.float32(1e-6))[..., None]
        found += masks.smoothstep(weight, 0.02, 0.2)[..., None] * (local - found)
    return found


def steady_tint(tints: FrameMemo[NDArray[np.float32]], person: int, index: int) -> NDArray[np.float32]:
    """The correction of one frame, smoothed over itself and the frames before it that are known.

    Frames to come would have to be rendered twice, once to be looked at and once to be kept.
    """
    tints.forget_before(index - _RADIUS)
    known = [i for i in range(index - _RADIUS, index + 1) if tints.known(person, i)]
    bell = np.exp(-0.5 * ((np.array(known) - index) / _SIGMA) ** 2).astype(np.float32)
    return np.tensordot(bell / bell.sum(), np.stack([tints.value(person, i) for i in known]), axes=1)
