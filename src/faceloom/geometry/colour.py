"""Colour and illumination: make one picture's light fit another's."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.types import FloatImage, Image, Points

_FLOOR = 0.02
"""Added before logarithms: below this, sensor noise decides and not light."""


def sample_colours(image: Image, points: Points, sigma: float) -> NDArray[np.float64]:
    """Mean colours around points: (N, 3) float64 in [0, 1].

    Args:
        image: (H, W, 3) uint8.
        points: (N, 2+) pixels of ``image``; those outside take the nearest border colour.
        sigma: Gaussian radius of the mean in pixels; grain and compression noise must be gone, edges not yet.
    """
    xy = np.asarray(points, np.float64)[:, :2]
    margin = int(np.ceil(3 * sigma)) + 1
    height, width = image.shape[:2]
    low = np.clip(np.floor(xy.min(axis=0)).astype(int) - margin, 0, [width - 1, height - 1])
    high = np.clip(np.ceil(xy.max(axis=0)).astype(int) + margin + 1, low + 1, [width, height])
    patch = image[low[1] : high[1], low[0] : high[0]]
    # A wide mean needs few pixels: blur a reduction by about the radius, whose box filter is half the blur.
    factor = max(1, int(sigma / 1.5))
    size = (max(1, patch.shape[1] // factor), max(1, patch.shape[0] // factor))
    whole = patch[: size[1] * factor, : size[0] * factor]  # whole cells: OpenCV reduces those many times faster
    small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    ratio = np.array([whole.shape[1] / size[0], whole.shape[0] / size[1]])
    rest = np.sqrt(max(sigma**2 - (factor**2 - 1) / 12, 0.09)) / factor
    blurred = cv2.GaussianBlur(small, (0, 0), rest, borderType=cv2.BORDER_REPLICATE)
    where = ((xy - low + 0.5) / ratio - 0.5).astype(np.float32)
    sampled = cv2.remap(
        blurred, where[None, :, 0], where[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return sampled[0].astype(np.float64)


def fit_gain(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    positions: Points,
    weights: NDArray[np.float64] | None = None,
    tilt_ridge: float = 0.5,
) -> NDArray[np.float64]:
    """The gain that turns the light on ``source`` colours into that on ``target`` colours.

    Per channel ``log(target) - log(source) ~ a + b x + c y``: a change of exposure and tint with a linear change
    across the region, fitted robustly (iteratively re-weighted, Cauchy weights), so that hair, a shadow edge or
    an occluder at a few points does not colour the part.

    Args:
        source: (N, 3) colours in [0, 1]; target: (N, 3) colours of the same skin points.
        positions: (N, 2) where the points are, in units of about the region's size, centred.
        weights: (N,) trust in each point, or None.
        tilt_ridge: ridge on b and c (per point), which keeps the tilt small when few points support it.

    Returns:
        (3, 3) float64: rows a, b, c; columns R, G, B.
    """
    ratio = np.log(target + _FLOOR) - np.log(source + _FLOOR)
    design = np.column_stack([np.ones(len(ratio)), np.asarray(positions, np.float64)[:, :2]])
    base = np.ones(len(ratio)) if weights is None else np.asarray(weights, np.float64)
    ridge = np.diag([1e-9, tilt_ridge, tilt_ridge]) * max(float(base.sum()), 1e-9)
    start = np.array([_weighted_median(ratio[:, channel], base) for channel in range(3)])
    gain = np.vstack([start, np.zeros((2, 3))])
    for _ in range(4):
        residual = np.abs(ratio - design @ gain).max(axis=1)
        spread = max(1.4826 * _weighted_median(residual, base), 0.02)
        w = base / (1 + (residual / (1.5 * spread)) ** 2)
        gain = np.linalg.solve(design.T @ (w[:, None] * design) + ridge, design.T @ (w[:, None] * ratio))
    return gain


def apply_gain(
    image: FloatImage, gain: NDArray[np.float64], x: NDArray[np.float32], y: NDArray[np.float32]
) -> FloatImage:
    """Multiply ``image`` (H, W, 3) by the gain of ``fit_gain`` at positions ``x``, ``y`` (broadcast to (H, W))."""
    level, by_x, by_y = gain.astype(np.float32)
    factor = cv2.merge([np.exp(level[c] + by_x[c] * x) * np.exp(by_y[c] * y) for c in range(3)])
    lit: FloatImage = (image + np.float32(_FLOOR)) * factor
    lit -= np.float32(_FLOOR)
    return lit


def limited(gain: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """The gain with its level within ``most`` (logarithm) of none; the same object where it is already."""
    level = np.clip(gain[0], -most, most)
    return gain if np.array_equal(level, gain[0]) else np.vstack([level, gain[1:]])


def change_tone(image: FloatImage, before: NDArray[np.float64], after: NDArray[np.float64]) -> FloatImage:
    """Bend each channel so that the colour ``before`` becomes ``after``, and black and white stay: (H, W, 3).

    A shift of ``log(v / (1 - v))``: shadows are scaled, highlights compressed. With a plain gain highlights of dark
    skin would glare when it is to look light. Values outside [0, 1] stay as they are.
    """
    low, high = np.float32(0.02), np.float32(0.97)
    old, new = (np.clip(value, low, high).astype(np.float32) for value in (before, after))
    slope = new * (1 - old) / (old * (1 - new))
    inside = np.clip(image, 0, 1)
    return slope * inside / (1 + (slope - 1) * inside) + (image - inside)


def flatten_shading(image: FloatImage, middle: float, exponent: float, shadows: NDArray[np.float32]) -> FloatImage:
    """Weaken light and shade around ``middle``: luminance ``Y`` becomes ``middle (Y / middle) ** exponent``.

    Args:
        image: (H, W, 3) float32.
        middle: luminance that stays.
        exponent: contrast to keep, in logarithms: 1 all, 0 none.
        shadows: (H, W) in [0, 1] how far what is darker than ``middle`` takes part: hair is no shadow.
    """
    luminance = image @ np.array([0.299, 0.587, 0.114], np.float32)
    ratio = np.log(np.maximum(luminance, np.float32(_FLOOR)) / np.float32(max(middle, _FLOOR)))
    ratio = np.where(ratio < 0, shadows * ratio, ratio)
    return image * np.exp(np.float32(exponent - 1) * ratio)[..., None]


def skin_features(colours: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(..., 3) colours in [0, 1] as (..., 3) float32: log luminance, log red over green, log blue over green.

    Hair differs from skin in the first, metal, cloth and most backgrounds in the other two.
    """
    return np.stack(_features(*(colours[..., c] for c in range(3))), axis=-1).astype(np.float32)


def likeness(image: FloatImage, centre: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float32]:
    """How much pixels look like the skin around: (H, W) float32, 1 within 2.5 deviations, 0 beyond 4.5.

    Args:
        image: (H, W, 3) float32 in [0, 1].
        centre, spread: (3,) mean and standard deviation of the skin's ``skin_features``.
    """
    squared = np.zeros(image.shape[:2], np.float32)
    for plane, middle, deviation in zip(_features(*cv2.split(image)), centre, spread, strict=True):
        squared += ((plane - np.float32(middle)) * np.float32(1 / deviation)) ** 2
    distance = np.sqrt(squared)
    s = np.clip((np.float32(4.5) - distance) / np.float32(2.0), 0, 1)
    return s * s * (3 - 2 * s)


def _features(
    red: NDArray[np.floating[Any]], green: NDArray[np.floating[Any]], blue: NDArray[np.floating[Any]]
) -> list[NDArray[np.floating[Any]]]:
    """The three ``skin_features`` of one plane of each colour."""
    luminance = red * np.float32(0.30) + green * np.float32(0.59) + blue * np.float32(0.11)
    y, r, g, b = (np.log(np.maximum(plane, 0) + np.float32(_FLOOR)) for plane in (luminance, red, green, blue))
    return [y, r - g, b - g]


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])])
