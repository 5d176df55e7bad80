"""Opening and closing the mouth of a portrait whose lips are closed.

Each lip and the skin on its side is one thin-plate map; between the inner lip lines lies a fixed picture of teeth and
tongue from another synthetic face, which the lips uncover.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from example_clip.curves import line_through, smoothstep
from faceloom.geometry import topology
from faceloom.geometry.tps import ThinPlateSpline
from faceloom.types import Box

Image = NDArray[np.uint8]
_CORNER_FOLLOWS_JAW = 0.30
_CAVITY = np.array([38.0, 16.0, 16.0])
_WHITE = np.array([0.98, 1.0, 1.08])
"""Takes the warm light of the other face from the teeth, red, green and blue."""
_WIDEST = 0.21
_HIGHEST = 0.030
_CHIN, _NOSE_BASE, _RIGHT_EYE, _LEFT_EYE = 152, 2, 33, 263


@dataclass(frozen=True)
class MouthShape:
    """How the mouth differs from the portrait's.

    jaw     0 closed, 1 wide open.
    spread  relative change of the mouth's half width; negative rounds the lips.
    lift    0 upper lip at rest, 1 raised so that the teeth show.
    """

    jaw: float
    spread: float
    lift: float


@dataclass(frozen=True)
class _Lip:
    """One side of the mouth: rows of landmarks from the contact line outwards, and how far each follows the lip."""

    rows: tuple[tuple[int, ...], ...]
    follows: tuple[float, ...]


_NARROWS = (1.0, 1.0, 1.0, 0.6)
"""How far each row of a lip follows a change of the mouth's width."""


_UPPER = _Lip(
    (
        topology.UPPER_LIP_INNER,
        topology.UPPER_LIP_MIDDLE,
        topology.UPPER_LIP_OUTER,
        topology.UPPER_LIP_SKIN,
    ),
    (1.0, 0.9, 0.75, 0.35),
)
_LOWER = _Lip(
    (
        topology.LOWER_LIP_INNER,
        topology.LOWER_LIP_MIDDLE,
        topology.LOWER_LIP_OUTER,
        topology.LOWER_LIP_SKIN,
    ),
    (1.0, 1.0, 0.97, 0.95),
)


class MouthRig:
    """Moves the lips and jaw of one portrait.

    landmarks  (478, 2 or 3) pixels of the portrait, lips closed, head upright and roughly frontal.
    inside     a picture of a face with an open mouth ((H, W, 3) uint8) and its (478, 2 or 3) landmarks.
    """

    def __init__(self, landmarks: NDArray[np.floating], size: int, inside: Image, inside_landmarks: NDArray) -> None:
        self._points = landmarks[:, :2].astype(np.float64)
        self._box = Box(0, 0, size, size)
        self._scale = float(np.linalg.norm(self._points[_RIGHT_EYE] - self._points[_LEFT_EYE]))
        corners = self._points[[topology.UPPER_LIP_INNER[0], topology.UPPER_LIP_INNER[-1]]]
        self._middle = corners.mean(axis=0)
        self._half_width = float(abs(corners[1, 0] - corners[0, 0])) / 2
        self._close_lips()
        self._still, self._jawline = self._anchors(size)
        self._y, self._x = np.mgrid[:size, :size].astype(np.float64)
        self._plate = self._place(inside, inside_landmarks[:, :2].astype(np.float64))

    def apply(self, image: Image, shape: MouthShape) -> Image:
        """The portrait ((S, S, 3) uint8) with another mouth."""
        if shape == MouthShape(0.0, 0.0, 0.0):
            return image
        upper, upper_line = self._warp(image, _UPPER, shape)
        lower, lower_line = self._warp(image, _LOWER, shape)
        lower_line = np.maximum(lower_line, upper_line)
        beyond = np.clip(np.abs(self._x - self._middle[0]) / self._half_width - 1 - shape.spread, 0, 1)
        soft = (0.008 + 0.15 * beyond) * self._scale
        above = np.clip((upper_line - self._y) / soft + 0.5, 0, 1)
        below = np.clip((self._y - lower_line) / soft + 0.5, 0, 1)
        inner = self._inside(shape, upper_line, lower_line)
        between = np.clip(1 - above - below, 0, 1)
        result = upper * above[..., None] + lower * below[..., None] + inner * between[..., None]
        return np.clip(np.rint(result / np.maximum(above + below + between, 1e-6)[..., None]), 0, 255).astype(np.uint8)

    def _close_lips(self) -> None:
        """Let both inner lines run along the contact line, which the landmarks straddle."""
        upper, lower = list(topology.UPPER_LIP_INNER), list(topology.LOWER_LIP_INNER)
        contact = (self._points[upper] + self._points[lower]) / 2
        self._points[upper] = self._points[lower] = contact

    def _anchors(self, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points that never move, and points of the jaw that follow it in part."""
        points = self._points
        oval = points[list(topology.FACE_OVAL)]
        height = points[_CHIN, 1] - points[_NOSE_BASE, 1]
        upper_face = [*topology.NOSE_RING, *topology.RIGHT_EYE_RING, *topology.LEFT_EYE_RING]
        neck = np.column_stack([oval[:, 0], np.full(len(oval), points[_CHIN, 1] + 0.55 * height)])
        beside = self._middle + (oval - self._middle) * 1.35
        beside = beside[(beside[:, 1] < points[_CHIN, 1]) & (beside[:, 1] > points[_NOSE_BASE, 1] - height)]
        side = np.linspace(0, size - 1, 5)
        border = [(x, y) for x in side for y in side if x in (0, size - 1) or y in (0, size - 1)]
        high = oval[oval[:, 1] <= points[_NOSE_BASE, 1]]
        still = np.concatenate([points[sorted(set(upper_face))], high, neck[::3], beside, np.array(border)])
        return _distinct(still), oval[oval[:, 1] > points[_NOSE_BASE, 1]]

    def _warp(self, image: Image, lip: _Lip, shape: MouthShape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``image`` with that lip moved, and the height of the lip's inner line per column."""
        source, target = [self._still], [self._still]
        for row, follows, narrows in zip(lip.rows, lip.follows, _NARROWS, strict=True):
            points = self._points[list(row)]
            source.append(points)
            target.append(self._moved(points, lip is _LOWER, follows, narrows, shape))
        inner = target[1]
        drop = _WIDEST * self._scale * shape.jaw
        share = smoothstep(
            (self._jawline[:, 1] - self._middle[1]) / (self._points[_CHIN, 1] - self._middle[1]) * 0.75 + 0.25
        )
        source.append(self._jawline)
        target.append(self._jawline + np.column_stack([np.zeros(len(share)), 0.85 * drop * share]))
        here, there = np.concatenate(source), np.concatenate(target)
        keep = _first_of_each(there)
        field = ThinPlateSpline.fit(there[keep], here[keep], regularization=1e-5).field(self._box, 8)
        moved = cv2.remap(image, field, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float64)
        return moved, line_through(inner, self._x[0])[None, :]

    def _moved(
        self, points: NDArray, is_lower: bool, follows: float, narrows: float, shape: MouthShape
    ) -> NDArray[np.float64]:
        across = (points[:, 0] - self._middle[0]) / self._half_width
        centre = np.clip(1 - np.abs(across) ** 2.4, 0, 1)
        drop = _WIDEST * self._scale * shape.jaw
        corner = _CORNER_FOLLOWS_JAW * drop * (1 - centre)
        own = drop * follows if is_lower else -_HIGHEST * self._scale * shape.lift * follows
        inward = shape.spread * self._half_width * across * narrows
        return points + np.column_stack([inward, own * centre + corner])

    def _place(self, inside: Image, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
        """The open mouth's inside, brought to where this portrait's would be, dark around it."""
        widest = MouthShape(1.0, 0.0, 1.0)
        rows = ((topology.UPPER_LIP_INNER, False), (topology.LOWER_LIP_INNER, True))
        here = np.concatenate([self._moved(self._points[list(row)], low, 1.0, 1.0, widest) for row, low in rows])
        there = np.concatenate([landmarks[list(row)] for row, _ in rows])
        keep = _first_of_each(here)
        field = ThinPlateSpline.fit(here[keep], there[keep], regularization=1e-3).field(self._box, 8)
        picture = cv2.remap(inside, field, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float64)
        matte = np.zeros(inside.shape[:2], np.uint8)
        ring = landmarks[list(topology.INNER_MOUTH_RING)]
        cv2.fillPoly(matte, [np.rint(ring).astype(np.int32)], 255)
        matte = cv2.erode(matte, np.ones((5, 5), np.uint8))
        matte = cv2.GaussianBlur(matte, (0, 0), 2.5)
        alpha = cv2.remap(matte, field, None, cv2.INTER_LINEAR)[..., None] / 255.0
        return picture * _WHITE * alpha + _CAVITY * (1 - alpha)

    def _inside(self, shape: MouthShape, upper: NDArray, lower: NDArray) -> NDArray[np.float64]:
        """Teeth stay with the skull, the floor of the mouth follows the jaw, light enters as the lips part."""
        missing = _WIDEST * self._scale * (1 - shape.jaw)
        top = self._middle[1] - _HIGHEST * self._scale
        depth = smoothstep((self._y - top) / (_WIDEST * self._scale) - 0.35)
        rows = (self._y + 0.6 * missing * depth).astype(np.float32)
        plate = cv2.remap(self._plate, self._x.astype(np.float32), rows, cv2.INTER_LINEAR)
        shadow = 1 - 0.55 * np.exp(-np.clip(self._y - upper, 0, None) / (0.022 * self._scale))
        shadow *= 1 - 0.35 * np.exp(-np.clip(lower - self._y, 0, None) / (0.016 * self._scale))
        light = 0.62 + 0.38 * min(1.0, shape.jaw / 0.7)
        return plate * (shadow * light)[..., None]


def _first_of_each(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of points that are not within a pixel of an earlier one."""
    cells = np.rint(points).astype(np.int64)
    return np.sort(np.unique(cells, axis=0, return_index=True)[1])


def _distinct(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points[_first_of_each(points)]
