"""What was found and changed, held steady in time on the face itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import warp
from faceloom.types import Box

RADIUS = 4
"""Frames on each side that a correction is smoothed over."""
_SIGMA = 2.0
PARSED_EVERY = 4
"""Frames of which one is parsed; the others take over what was found there."""
_COARSE = 3 / 256
"""Deviation in sides of the aligned face of the Gaussian above which a change is coarse."""
_FAINT = 1e-3
_GRID = 32
_EVERY = 3
"""One landmark in so many is enough to say how skin moves."""
_REACH = 0.05
"""Deviation in sides of the crop of the Gaussian by which landmarks move the skin around them."""
_STILL = 0.1
"""Pixels of the crop below which nothing is moved."""


@dataclass(frozen=True, eq=False)
class Correction:
    """What to do to one aligned face of S pixels.

    values     (S, S, 4) float32: change of the logarithm of linear light (three channels), and the cover: how certainly
               something was found, in [0, 1]. Zero outside the cover.
    landmarks  (478, 2) float32, pixels of the aligned face.
    """

    values: NDArray[np.float32]
    landmarks: NDArray[np.float32]

    @property
    def change(self) -> NDArray[np.float32]:
        """(S, S, 3)."""
        return self.values[..., :3]

    def gray(self) -> Correction:
        """The same without colour."""
        mean = self.change.mean(axis=2, keepdims=True)
        return Correction(np.dstack([mean, mean, mean, self.cover]), self.landmarks)

    @property
    def cover(self) -> NDArray[np.float32]:
        """(S, S)."""
        return self.values[..., 3]


def steady(corrections: Mapping[int, Correction], index: int) -> Correction:
    """The correction of frame ``index``, a Gaussian mean over ``RADIUS`` frames before and after; zero phase.

    Each neighbour is first moved to where its skin lies in this frame. Landmarks say that to a few pixels, so of the
    mean only what is coarse counts: how much is changed, which is what boils. Its fine pattern is the frame's own,
    which fits the skin to the pixel. Frames without a face are left out.
    """
    own = corrections[index]
    total, weight = own.values.copy(), 1.0
    for offset in range(-RADIUS, RADIUS + 1):
        other = corrections.get(index + offset)
        if other is None or offset == 0:
            continue
        share = float(np.exp(-0.5 * (offset / _SIGMA) ** 2))
        weight += share
        if other.values.any():
            total += np.float32(share) * moved(other.values, other.landmarks, own.landmarks)
    if weight == 1.0:
        return own
    mean = total / np.float32(weight)
    cover, fine = mean[..., 3:], own.change - _coarse(own.change)
    # Where a thing is found in this frame and hardly in others, its pattern counts as little as the rest of it.
    shared = np.clip(cover[..., 0] / np.maximum(own.cover, np.float32(_FAINT)), 0, 1)[..., None]
    change = (_coarse(mean[..., :3]) + shared * fine) * (cover > 0)
    return Correction(np.concatenate([change, cover], axis=2), own.landmarks)


def _coarse(change: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.GaussianBlur(change, (0, 0), _COARSE * len(change), borderType=cv2.BORDER_REPLICATE)


def moved(values: NDArray[np.float32], source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values (S, S) or (S, S, C) on a face with landmarks ``source`` as they lie on it with landmarks ``target``."""
    displacement = (source - target)[::_EVERY]
    if float(np.abs(displacement).max()) < _STILL:
        return values
    size = len(values)
    field = warp.affine_field(np.eye(2, 3), Box(0, 0, size, size)) + _spread(target[::_EVERY], displacement, size)
    return cv2.remap(values, field, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _spread(points: NDArray[np.float32], values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Values (K, 2) at points as a smooth field (S, S, 2): the Gaussian-weighted mean of the points around."""
    at = (np.arange(_GRID, dtype=np.float32) + 0.5) * (size / _GRID) - 0.5
    # Far from all points the nearest decide: the least distance is taken off before the exponential.
    squared = (at[None, :, None] - points[:, 0]) ** 2 + (at[:, None, None] - points[:, 1]) ** 2
    squared -= squared.min(axis=-1, keepdims=True)
    weight = np.exp(-0.5 * squared / (_REACH * size) ** 2)
    coarse = weight @ values / weight.sum(axis=-1, keepdims=True)
    return cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
