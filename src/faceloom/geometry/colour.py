"""Colour and illumination: make one picture's light fit another's."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.types import FloatImage, Image, Points

LUMINANCE = np.array([0.299, 0.587, 0.114])
"""What red, green and blue count in the luminance of a picture."""
_LEAST_RADIUS = 1.25
"""Pixels: a mean of a smaller radius cannot be looked up between pixels."""
_SHEEN_FROM = np.float32(0.25)
"""How much brighter than its median skin can be by its shape alone, as a share of the median."""
_SHEEN = 0.6
"""Share of sheen that is kept with all contrast."""
_FLOOR = 0.02
"""Added before logarithms: below this, sensor noise decides and not light."""


def sample_colours(image: Image, points: Points, sigma: float) -> NDArray[np.float64]:
    """Mean colours around points: (N, 3) float64 in [0, 1].

    Args:
        image: (H, W, 3) uint8.
        points: (N, 2+) pixels of ``image``; those outside take the nearest border colour.
        sigma: Gaussian radius of the mean in pixels; grain and compression noise must be gone, edges not yet.
    """
    x, y = np.asarray(points, np.float64)[:, :2].T
    margin = int(np.ceil(3 * sigma)) + 1
    height, width = image.shape[:2]
    left, right = _reached(x, margin, width)
    top, bottom = _reached(y, margin, height)
    small, factor = _reduced(image[top:bottom, left:right], sigma)
    rest = np.sqrt(max(sigma**2 - (factor**2 - 1) / 12, 0.09)) / factor
    blurred = cv2.GaussianBlur(small, (0, 0), rest, borderType=cv2.BORDER_REPLICATE)
    column = ((x - left + 0.5) / factor - 0.5).astype(np.float32)[None]
    row = ((y - top + 0.5) / factor - 0.5).astype(np.float32)[None]
    sampled = cv2.remap(blurred, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return sampled[0].astype(np.float64)


def _reached(values: NDArray[np.float64], margin: int, size: int) -> tuple[int, int]:
    """The first pixel within ``margin`` of any of the coordinates and the one after the last; at least one."""
    first = min(max(int(np.floor(values.min())) - margin, 0), size - 1)
    return first, min(max(int(np.ceil(values.max())) + margin + 1, first + 1), size)


def _reduced(patch: Image, sigma: float) -> tuple[FloatImage, int]:
    """A picture small enough for a mean of radius ``sigma``, float32 in [0, 1], and how many times smaller it is.

    A wide mean needs few pixels. By halves, which OpenCV does many times faster than any other reduction.
    """
    factor = 1
    while sigma >= 2 * _LEAST_RADIUS * factor and min(patch.shape[:2]) >= 2 * factor:
        factor *= 2
    height, width = (side // factor for side in patch.shape[:2])
    patch = patch[: height * factor, : width * factor]
    while patch.shape[0] > height:
        patch = cv2.resize(patch, (patch.shape[1] // 2, patch.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return patch.astype(np.float32) / np.float32(255), factor


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
    both = np.hstack([design, ratio])
    for _ in range(4):
        residual = np.abs(ratio - design @ gain).T.max(axis=0)
        spread = max(1.4826 * _weighted_median(residual, base), 0.02)
        w = base / (1 + (residual / (1.5 * spread)) ** 2)
        normal = (design * w[:, None]).T @ both
        gain = np.linalg.solve(normal[:, :3] + ridge, normal[:, 3:])
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


def lit_colour(colour: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """A (3,) colour under the level of a (3, 3) gain, in the middle of its region."""
    lit: NDArray[np.float64] = (colour + _FLOOR) * np.exp(gain[0]) - _FLOOR
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
    # Whole rows, because numpy multiplies them several times faster than pixels of three.
    rows = np.ascontiguousarray(image).reshape(image.shape[0], -1)
    by_column = np.tile(slope, image.shape[1])
    inside = np.clip(rows, 0, 1)
    below = inside * (by_column - 1)
    below += 1
    bent = inside * by_column
    bent /= below
    bent += rows
    bent -= inside
    return bent.reshape(image.shape)


def flatten_shading(image: FloatImage, middle: float, exponent: float, shadows: NDArray[np.float32]) -> FloatImage:
    """Weaken light and shade around ``middle``: luminance ``Y`` becomes ``middle (Y / middle) ** exponent``.

    Args:
        image: (H, W, 3) float32.
        middle: luminance that stays.
        exponent: contrast to keep, in logarithms: 1 all, 0 none.
        shadows: (H, W) in [0, 1] how far what is darker than ``middle`` takes part: hair is no shadow.
    """
    luminance = cv2.transform(image, LUMINANCE.astype(np.float32)[None])
    ratio = np.log(np.maximum(luminance, np.float32(_FLOOR)) / np.float32(max(middle, _FLOOR)))
    ratio = np.where(ratio < 0, shadows * ratio, ratio)
    flat: FloatImage = image * cv2.merge([np.exp(np.float32(exponent - 1) * ratio)] * 3)
    return flat


def reshade(image: FloatImage, before: NDArray[np.float64], after: NDArray[np.float64], contrast: float) -> FloatImage:
    """Skin of colour ``before`` painted anew as skin of colour ``after``, by its luminance alone: (H, W, 3).

    A dark skin's shadows are more saturated than its lit side and its sheen, which is the light's colour and as strong
    on any skin, stands out; a gain in each channel turns the one into orange and the other into glare on a light face.
    So what is brighter than lit skin can be counts as sheen, added in white, and what is left shades the new colour.

    Args:
        image: (H, W, 3) float32 in [0, 1].
        before, after: (3,) colours of the skin.
        contrast: how much of light and shade to keep, in logarithms: 1 all, 0 none.

    Source: Shafer, "Using color to separate reflection components", 1985.
    """
    weights = LUMINANCE.astype(np.float32)
    own = np.float32(max(float(before @ LUMINANCE), _FLOOR))
    bright = np.maximum(cv2.transform(image, weights[None]), 0)
    relative = bright / own
    over = np.maximum(relative - 1, 0)
    shade = np.minimum(relative, 1) + _SHEEN_FROM * (1 - np.exp(over * np.float32(-1 / _SHEEN_FROM)))
    sheen = (bright - own * shade) * np.float32(_SHEEN * np.sqrt(contrast))
    np.clip(sheen, 0, 1, out=sheen)
    shade = np.power(shade + np.float32(1e-4), np.float32(contrast)) * (1 - sheen)
    return cv2.merge([shade * value + sheen for value in after.astype(np.float32)])


def mix(below: FloatImage, above: FloatImage, share: NDArray[np.float32]) -> FloatImage:
    """``below + share (above - below)``: pictures (H, W, 3) float32, ``share`` (H, W)."""
    mixed: FloatImage = above - below
    # Three equal planes: numpy takes them four times as fast as one that is spread over a last axis of three.
    mixed *= cv2.merge([share] * 3)
    mixed += below
    return mixed


def column_medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C,) medians of the columns of a small table (N, C): ``numpy.median``, which has a long way to its sort."""
    ordered, middle = np.sort(values, axis=0), len(values) // 2
    if len(values) % 2:
        return ordered[middle].copy()
    medians: NDArray[np.float64] = 0.5 * (ordered[middle - 1] + ordered[middle])
    return medians


def skin_features(colours: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(..., 3) colours in [0, 1] as (..., 3) float32: log luminance, log red over green, log blue over green.

    Hair differs from skin in the first, metal, cloth and most backgrounds in the other two.
    """
    return np.stack(_features(*(colours[..., c] for c in range(3))), axis=-1).astype(np.float32)


def colour_of(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) the colour that has these ``skin_features``."""
    tint = np.exp([features[1], 0.0, features[2]])
    colour: NDArray[np.float64] = tint * np.exp(features[0]) / float(_LUMINANCE[0].astype(np.float64) @ tint) - _FLOOR
    return colour


def likeness(image: FloatImage, centre: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float32]:
    """How much pixels look like the skin around: (H, W) float32, 1 within 2.5 deviations, 0 beyond 4.5.

    Args:
        image: (H, W, 3) float32 in [0, 1].
        centre, spread: (3,) mean and standard deviation of the skin's ``skin_features``.
    """
    luminance = (_log(cv2.transform(image, _LUMINANCE)) - np.float32(centre[0])) * np.float32(1 / spread[0])
    # Three maps at a time: OpenCV takes pixels of three to three several times as fast as any other number.
    contrasts = np.column_stack([_CONTRASTS, [-centre[1], -centre[2], 0]]) / np.array([[spread[1]], [spread[2]], [1]])
    tint = cv2.transform(_log(image), contrasts.astype(np.float32))
    squared = cv2.transform(tint * tint, np.ones((1, 3), np.float32))
    squared += luminance * luminance
    s = (np.float32(4.5) - np.sqrt(squared, out=squared)) * np.float32(0.5)
    np.clip(s, 0, 1, out=s)
    near: NDArray[np.float32] = s * s * (3 - 2 * s)
    return near


_LUMINANCE = np.array([[0.30, 0.59, 0.11]], np.float32)
_CONTRASTS = np.array([[1.0, -1, 0], [0, -1, 1], [0, 0, 0]])
"""Red over green and blue over green as a linear map of logarithms, and nothing."""


def _log(values: NDArray[np.float32]) -> NDArray[np.float32]:
    above = np.maximum(values, 0)
    above += np.float32(_FLOOR)
    return np.log(above, out=above)


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
