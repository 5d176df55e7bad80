"""How skin changes light: absorption by its two pigments, shading of small bumps, mirrored light.

Everything painted is a change of the logarithm of linear light. So it scales what is there, pores and grain
included, and is relative to the skin's own colour, whatever that is. After Tsumura et al., Image-Based Skin Color and
Texture Analysis/Synthesis by Extracting Hemoglobin and Melanin Information in the Skin, SIGGRAPH 2003.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry.masks import smoothstep
from faceloom.types import FloatImage, Image, Matte

Density = NDArray[np.float32]
"""(H, W, 3) change of the natural logarithm of linear RGB light, negative where it gets darker."""

# Absorption at about 610, 540 and 460 nm, 1 in green. Melanin falls with wavelength to the power of -3.3; oxygenated
# blood absorbs green, less blue, hardly red.
MELANIN = np.array([0.66, 1.0, 1.45], np.float32)
BLOOD = np.array([0.14, 1.0, 0.78], np.float32)
GREY = np.ones(3, np.float32)
_SHADOW = np.array([0.82, 1.0, 1.04], np.float32)
"""Shadows on skin are reddish: red light spreads under it and fills them."""

_MIRRORED = np.array([1.0, 0.97, 0.93], np.float32)
_FLOOR = 0.003
_FROM_ABOVE = np.array([0.0, -0.35], np.float32)
_ONE_TURN = 0.014
"""Slope of the log luminance, per mm, at which light comes half from the side."""


@dataclass(frozen=True, eq=False)
class SkinLight:
    """What painting must know of a picture.

    log    (H, W, 3) logarithm of linear light.
    light  (H, W, 2) direction of the light in the picture (x right, y down), length below 1: 0 is from the camera.
    tone   0 for the darkest skin, 1 for the lightest.
    level  linear light of the brighter skin, green: how bright a mirror would be goes with it.
    """

    log: Density
    light: NDArray[np.float32]
    tone: float
    level: float


def measure(image: Image, skin: Matte, mm: float) -> SkinLight:
    """Light and tone of a face in ``image`` ((H, W, 3) uint8 RGB) with the mask ``skin``; ``mm`` in pixels."""
    log = np.log(to_linear(image.astype(np.float32) / np.float32(255)) + _FLOOR)
    luminance = log @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    smooth = blur_within(luminance, skin, 7 * mm)
    slope = np.stack([cv2.Sobel(smooth, cv2.CV_32F, *d, ksize=3, scale=0.125) for d in ((1, 0), (0, 1))], -1) * mm
    weight = skin / max(float(skin.sum()), 1.0)
    whole = (slope * weight[..., None]).sum((0, 1))
    # Brightness grows towards where the surface faces the light. Alone, the local slope would follow the nose and
    # cheekbones, the slope of the whole face would miss that light falls off.
    mixed = 0.4 * slope + 0.6 * whole + _FROM_ABOVE * _ONE_TURN
    light = mixed / (np.linalg.norm(mixed, axis=-1, keepdims=True) + _ONE_TURN)
    green = log[..., 1][skin > 0.5]
    middle, bright = np.percentile(green, [50, 90]) if green.size else (0.0, 0.0)
    tone = float(smoothstep(float(middle), np.log(0.06), np.log(0.36)))
    return SkinLight(log, light.astype(np.float32), tone, float(np.exp(bright)))


def render(light: SkinLight, change: Density) -> FloatImage:
    """The picture with a change of its light, (H, W, 3) float32 in [0, 1]."""
    return to_gamma(np.clip(np.exp(light.log + change) - _FLOOR, 0, 1))


def absorb(amount: Matte, *pigments: tuple[NDArray[np.float32], float]) -> Density:
    """The change by pigments: ``amount`` (H, W) of each ``(pigment, optical density in green)``."""
    spectrum = sum((density * pigment for pigment, density in pigments), np.zeros(3, np.float32))
    return -amount[..., None] * spectrum


def shade(height: Matte, light: NDArray[np.float32]) -> Density:
    """The change by small bumps and dents: ``height`` (H, W) in pixels, ``light`` (H, W, 2) as in ``SkinLight``."""
    dx, dy = (cv2.Sobel(height, cv2.CV_32F, *d, ksize=3, scale=0.125) for d in ((1, 0), (0, 1)))
    facing = -(dx * light[..., 0] + dy * light[..., 1])
    change = 0.6 * np.tanh(facing / 0.6)
    return np.where(change < 0, change, 0.8 * change)[..., None] * _SHADOW


def gloss(amount: Matte, light: SkinLight, where: tuple[slice, slice] = (slice(None), slice(None))) -> Density:
    """The change by mirrored light: ``amount`` (H, W) of white, in linear light, added to the pixels of ``where``."""
    return np.log1p(amount[..., None] * _MIRRORED / np.exp(light.log[where]))


def to_linear(values: FloatImage) -> FloatImage:
    """sRGB in [0, 1] to linear light."""
    low, high = values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4
    return np.where(values <= 0.04045, low, high).astype(np.float32)


def to_gamma(values: FloatImage) -> FloatImage:
    """Linear light in [0, 1] to sRGB."""
    low, high = values * 12.92, 1.055 * np.maximum(values, 1e-8) ** (1 / 2.4) - 0.055
    return np.where(values <= 0.0031308, low, high).astype(np.float32)


def blur_within(values: NDArray[np.float32], mask: Matte, sigma: float) -> NDArray[np.float32]:
    """Gaussian mean of what lies inside a mask: hair and background do not leak in."""
    weight = cv2.GaussianBlur(mask, (0, 0), sigma) + np.float32(1e-4)
    return cv2.GaussianBlur(values * mask, (0, 0), sigma) / weight
