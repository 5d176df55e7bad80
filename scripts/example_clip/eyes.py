"""Blinks, gaze and brow raises in a portrait, by moving its own skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from example_clip.curves import line_through, smoothstep

Image = NDArray[np.uint8]

_WING = 0.16


@dataclass(frozen=True)
class _Eye:
    upper: list[int]
    lower: list[int]
    fold: list[int]
    brow: list[int]
    iris: list[int]


_RIGHT = _Eye(
    [33, 246, 161, 160, 159, 158, 157, 173, 133],
    [33, 7, 163, 144, 145, 153, 154, 155, 133],
    [130, 247, 30, 29, 27, 28, 56, 190, 243],
    [46, 53, 52, 65, 55],
    [468, 469, 470, 471, 472],
)
_LEFT = _Eye(
    [362, 398, 384, 385, 386, 387, 388, 466, 263],
    [362, 382, 381, 380, 374, 373, 390, 249, 263],
    [463, 414, 286, 258, 257, 259, 260, 467, 359],
    [285, 295, 282, 283, 276],
    [473, 474, 475, 476, 477],
)


class EyeRig:
    """Moves lids, irises and brows of one portrait.

    landmarks  (478, 2 or 3) pixels of the portrait; the head must be upright and roughly frontal.
    """

    def __init__(self, landmarks: NDArray[np.floating]) -> None:
        self._eyes = [_EyeShape(landmarks, eye) for eye in (_RIGHT, _LEFT)]

    def apply(self, image: Image, closure: float, gaze: tuple[float, float], brow: float) -> Image:
        """The portrait with another look; ``image`` ((H, W, 3) uint8) is not changed.

        closure  0 as in the portrait, 1 shut.
        gaze     shift of both irises, pixels, x right and y down.
        brow     upward shift of both brows, pixels.
        """
        result = image.copy()
        for eye in self._eyes:
            eye.raise_brow(result, brow)
            eye.look(result, gaze)
            eye.close(result, closure)
        return result


class _EyeShape:
    """Lid and brow lines of one eye as functions of x, and what can be done with them."""

    def __init__(self, landmarks: NDArray[np.floating], eye: _Eye) -> None:
        corners = landmarks[[eye.upper[0], eye.upper[-1]], :2]
        self._width = float(corners[1, 0] - corners[0, 0])
        pad = 0.35 * self._width
        brow = landmarks[eye.brow, :2]
        self._left, self._right = int(corners[0, 0] - pad), int(corners[1, 0] + pad)
        self._top, self._bottom = (
            int(brow[:, 1].min() - 0.9 * self._width),
            int(corners[:, 1].max() + 0.6 * self._width),
        )
        x = np.arange(self._left, self._right, dtype=np.float64)
        upper, lower = landmarks[eye.upper, :2].astype(np.float64), landmarks[eye.lower, :2].astype(np.float64)
        # The lashes of the outer corner reach beyond its landmark; let the lid lines meet where they end.
        outer, inner = (0, -1) if eye is _RIGHT else (-1, 0)
        upper[outer] = lower[outer] = upper[outer] + _WING * (upper[outer] - upper[inner])
        self._corners = upper[[0, -1], 0]
        self._upper = line_through(upper, x)
        self._lower = np.maximum(line_through(lower, x), self._upper)
        self._brow = np.minimum(line_through(brow, x), self._upper - 0.16 * self._width)
        self._fold = line_through(landmarks[eye.fold, :2], x)
        self._centre = landmarks[eye.iris[0], :2].astype(np.float64)
        self._radius = float(np.linalg.norm(landmarks[eye.iris[1:], :2] - self._centre, axis=1).mean())
        self._x, self._y = np.meshgrid(x, np.arange(self._top, self._bottom, dtype=np.float64))

    def close(self, image: Image, closure: float) -> None:
        """Draw the upper lid down (and the lower lid a little up) over the eyeball, in place."""
        if closure <= 0:
            return
        gap = self._lower - self._upper
        lower = self._lower - 0.08 * gap * closure
        upper = self._upper + closure * (lower - self._upper + 0.20 * gap)
        cover = np.clip((upper + 1.0 - self._y) / 2.0, 0, 1)[..., None]
        closed = self._lid(image, upper, closure) * cover + self._ball(image, upper, lower, closure) * (1 - cover)
        moved = gap[None, :] * closure > 0.3
        self._paste(image, np.where(moved[..., None], closed, self._patch(image)))

    def _lid(self, image: Image, upper: NDArray[np.float64], closure: float) -> NDArray[np.float64]:
        """The upper lid with its edge at ``upper``: fold and lashes travel, bare skin unrolls between them."""
        share = (self._lower - self._upper) / (self._lower - self._upper).max()
        travel = upper - self._upper
        start = self._upper - 0.80 * (self._upper - self._brow)
        lash = 0.075 * self._width * share
        along = np.clip((self._y - start) / np.maximum(upper - lash - start, 1.0), 0, 1)
        lid = self._remap(image, self._y - travel * along**1.25)
        top, bottom = start, np.minimum(self._fold, self._upper - 0.10 * self._width)
        unrolled = np.clip((self._y - top) / np.maximum(upper - top, 1.0), 0, 1)
        skin = self._remap(image, top + unrolled * (bottom - top))
        fold = self._fold + 0.25 * travel
        across = (self._y - fold) / np.maximum(upper - fold, 1.0)
        edge = (upper - self._y) / self._width
        skin *= (0.89 + 0.10 * np.sin(np.pi * np.clip(across, 0, 1)))[..., None]
        skin *= (1 - 0.75 * np.exp(-((edge / (0.026 + 0.040 * share)) ** 2)))[..., None]
        middle = 1 - np.abs(2 * (self._x[0] - self._corners[0]) / float(self._corners[1] - self._corners[0]) - 1)
        bare = smoothstep(across / 0.45) * smoothstep((closure - 0.1) / 0.6) * smoothstep(middle / 0.30)
        return lid * (1 - bare[..., None]) + skin * bare[..., None]

    def _ball(
        self, image: Image, upper: NDArray[np.float64], lower: NDArray[np.float64], closure: float
    ) -> NDArray[np.float64]:
        """What lies below the upper lid: the eyeball in the lid's shadow, and the lower lid, raised to ``lower``."""
        below = np.clip(1 - (self._y - lower) / (0.22 * self._width), 0, 1)
        ball = self._remap(image, self._y + (self._lower - lower) * below * (self._y > lower - 1))
        shade = 0.45 * closure * np.exp(-np.clip(self._y - upper, 0, None) / (0.05 * self._width))
        return ball * (1 - shade * np.clip((lower + 1.5 - self._y) / 3, 0, 1))[..., None]

    def look(self, image: Image, gaze: tuple[float, float]) -> None:
        """Shift the iris inside the opening, in place."""
        distance = np.hypot(self._x - self._centre[0] - gaze[0] / 2, self._y - self._centre[1] - gaze[1] / 2)
        bump = 1 - smoothstep((distance / self._radius - 1.15) / 1.1)
        moved = self._remap(image, self._y - gaze[1] * bump, self._x - gaze[0] * bump)
        soft = 0.012 * self._width
        matte = np.clip((self._y - self._upper) / soft - 0.5, 0, 1) * np.clip(
            (self._lower - self._y) / soft - 0.5, 0, 1
        )
        self._paste(image, self._patch(image) * (1 - matte[..., None]) + moved * matte[..., None])

    def raise_brow(self, image: Image, amount: float) -> None:
        """Lift the brow and let the skin above and below follow, in place."""
        centre = self._brow - 0.08 * self._width
        spread = np.where(self._y < centre, 0.42, 0.24) * self._width
        vertical = np.exp(-0.5 * ((self._y - centre) / spread) ** 2)
        middle = (self._left + self._right) / 2
        across = 1 - smoothstep((np.abs(self._x - middle) / (self._right - self._left) - 0.25) / 0.25)
        self._paste(image, self._remap(image, self._y + amount * vertical * across))

    def _remap(self, image: Image, y: NDArray[np.float64], x: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        columns = (self._x if x is None else x).astype(np.float32)
        return cv2.remap(image, columns, y.astype(np.float32), cv2.INTER_CUBIC).astype(np.float64)

    def _patch(self, image: Image) -> NDArray[np.float64]:
        return image[self._top : self._bottom, self._left : self._right].astype(np.float64)

    def _paste(self, image: Image, patch: NDArray[np.float64]) -> None:
        image[self._top : self._bottom, self._left : self._right] = np.clip(np.rint(patch), 0, 255).astype(np.uint8)
