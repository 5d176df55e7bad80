"""Hair that falls over the outer end of an eyebrow.

An eyebrow is dark, and so is hair, so the colour under a brow's outline does not tell them apart. What lies around it
does: a brow has skin above it, below it and beyond its end, and where hair hangs over it there is hair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks
from faceloom.types import Box, Matte, Part, Points

_SKIN, _HAIR = 2.5, 4.5
"""Deviations from the skin of the face up to which a place is skin, and from which on it is none."""
_AROUND: dict[Part, tuple[tuple[int, int], tuple[int, int]]] = {
    Part.LEFT_EYEBROW: ((301, 368), (298, 342)),
    Part.RIGHT_EYEBROW: ((71, 139), (68, 113)),
}
"""Landmarks above the end of a brow and beside it at the temple; above and below a place a quarter inwards."""
_PLACES: dict[Part, tuple[tuple[int, int], ...]] = {
    Part.LEFT_EYEBROW: ((300, 276), (293, 283), (334, 282)),
    Part.RIGHT_EYEBROW: ((70, 46), (63, 53), (105, 52)),
}
"""Landmarks on both edges of a brow at its end, at that place, and in the middle."""


def hair_over_brow(
    part: Part, features: NDArray[np.float64], middle: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How certainly hair lies over the end of a brow, and over the place a quarter of the way inwards: (2,) in [0, 1].

    Args:
        part: any part; of others than eyebrows nothing is hidden.
        features: (478, 3) ``colour.skin_features`` of the face at its landmarks.
        middle, spread: (3,) median and deviation of those of its skin.
    """
    if part not in _AROUND:
        return np.zeros(2)
    end, inwards = np.array(_AROUND[part])
    away = [np.sqrt((((features[points] - middle) / spread) ** 2).sum(axis=1)) for points in (end, inwards)]
    # The end is hidden if neither place is skin. Further in, a brow that hair crosses aslant is hidden by halves.
    hidden = np.array([away[0].min(), away[1].mean()], np.float32)
    return masks.smoothstep(hidden, _SKIN, _HAIR).astype(np.float64)


def hair_matte(part: Part, landmarks: Points, hidden: NDArray[np.float64], box: Box) -> Matte | None:
    """Where hair lies over a brow: (h, w) float32 in [0, 1] over ``box``, or None where there is none.

    Across the brow all is hidden alike, also beyond its end; from the middle inwards nothing is.

    Args:
        part: which part.
        landmarks: (478, 3) frame pixels.
        hidden: (2,) ``hair_over_brow``, if need be smoothed in time.
        box: pixels of the frame.
    """
    if part not in _PLACES or hidden.max() < 0.01:
        return None
    end, place, middle = (np.asarray(landmarks, np.float64)[list(pair), :2].mean(axis=0) for pair in _PLACES[part])
    along = (end - middle) / max(float(np.hypot(*(end - middle))), 1e-6)
    x = (np.arange(box.left, box.right) - middle[0]) * along[0]
    y = (np.arange(box.top, box.bottom) - middle[1]) * along[1]
    stations = [0.0, float((place - middle) @ along), float((end - middle) @ along)]
    return np.interp(x + y[:, None], np.maximum.accumulate(stations), [0.0, hidden[1], hidden[0]]).astype(np.float32)
