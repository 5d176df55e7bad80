"""Curves shared by the moving parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator


def smoothstep(value: ArrayLike) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, and ``3 v^2 - 2 v^3`` between."""
    clipped = np.clip(np.asarray(value, np.float64), 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def line_through(points: NDArray[np.floating], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """y at ``x`` of the monotone cubic through ``points`` (N, 2), constant beyond its ends."""
    order = np.argsort(points[:, 0])
    curve = PchipInterpolator(points[order, 0], points[order, 1])
    return curve(np.clip(x, points[order[0], 0], points[order[-1], 0]))
