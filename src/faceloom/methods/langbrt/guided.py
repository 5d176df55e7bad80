"""A change of 256 pixels that follows a larger picture.

The change is smooth except where the blemish itself has edges, and those are sharper in the picture than the network
saw them. So the change is locally a linear function of the picture (He and Sun, Fast Guided Filter, 2015). Grain is
kept out of that function, and stays on what was a blemish.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry.masks import smoothstep
from faceloom.methods.langbrt.tone import LogLight
from faceloom.methods.vpartswap.crops import enlarge
from faceloom.types import Box, Crop, Matte

FROM_ZOOM = 1.3
"""Pixels of the picture for each of the network's from which on there is anything to follow."""
_RADIUS, _EPSILON = 2, 2e-3
"""Half the window of the fit in network pixels, and the variance below which it is a plain mean."""
_SOFT, _OUTLINE = 0.5, 1.2
"""Deviations in network pixels of the Gaussians beyond which detail is not the network's: of the picture that the
change follows, and of what is left of an outline afterwards."""
_GRAIN = 2.0
"""Deviations of the skin's grain up to which detail is grain, and not the edge of something."""
_FEATURE = 0.6, 0.35
"""Deviations of the picture's logarithm in a window at which it is a feature of the face, and at which it is none."""
_TAKEN = 0.1, 0.5
"""Share of a blemish's contrast that the change takes away, from which on what is left of its outline goes too."""


@dataclass(frozen=True, eq=False)
class GuidedChange:
    """A change of the logarithm of light, as ``slope * picture + offset``; both (S, S, 3) of an aligned face."""

    slope: NDArray[np.float32]
    offset: NDArray[np.float32]

    @classmethod
    def fit(cls, picture: LogLight, change: NDArray[np.float32]) -> GuidedChange:
        """Fit a change (S, S, 3) by the picture around every pixel; what the fit leaves goes into the offset."""
        middle, level = _mean(picture), _mean(change)
        variance = np.maximum(_mean(picture * picture) - middle * middle, np.float32(0))
        slope = (_mean(picture * change) - middle * level) / (variance + np.float32(_EPSILON))
        # A blemish's own contrast is taken away. More than all of it, or contrast that was not there, is a bad fit.
        within: NDArray[np.float32] = np.clip(slope, -1, 0).astype(np.float32)
        # Nostrils, lids and lashes have more contrast than blemishes.
        smooth = _mean(within * smoothstep(np.sqrt(variance.max(axis=2, keepdims=True)), *_FEATURE))
        return cls(smooth, change - smooth * picture)

    def apply(self, log: LogLight, weight: Matte, grain: Matte, crop: Crop, box: Box, zoom: float) -> LogLight:
        """The picture over ``box`` with the change.

        Args:
            log: (h, w, 3), the picture over ``box``.
            weight: (h, w) in [0, 1], where the change counts.
            grain: (h, w), deviation of the skin's grain.
            crop: from the picture to the aligned face.
            box: where ``log`` lies.
            zoom: pixels of the picture for each of the aligned face's.
        """
        slope, limit = enlarge(self.slope, crop, box), np.float32(_GRAIN) * grain[..., None]
        smooth = _blur(log, _SOFT * zoom)
        followed = smooth + _beyond(log - smooth, limit)
        change = slope * followed + enlarge(self.offset, crop, box)
        changed = np.asarray(log + weight[..., None] * change, np.float32)
        outline = _beyond(changed - _blur(changed, _OUTLINE * zoom), limit)
        taken = smoothstep(-slope.min(axis=2), *_TAKEN)
        return changed - (weight * taken)[..., None] * outline


def _beyond(detail: LogLight, limit: NDArray[np.float32]) -> LogLight:
    """What of detail exceeds a limit."""
    return detail - np.clip(detail, -limit, limit)


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    side = 2 * _RADIUS + 1
    return cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE)


def _blur(values: LogLight, sigma: float) -> LogLight:
    return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
