"""The upper lid of a driven eye that shuts: skin, which an open eye hides, and the lashes along its edge.

A lid that comes down is not the lid of the open eye drawn out: it unfolds, and its lashes go along with its edge and
turn from up to down. So it is laid over the moved face, skin first, then lashes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.fill import fill
from faceloom.geometry.partcover import eye_openness, face_scale
from faceloom.types import Box, FloatImage, Matte, Part, Points

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_STRETCHED = (1.1, 1.6)
"""How many times as high as in the picture a lid gets up to which its own pixels are stretched, and from which on it is
unfolded."""
_CLOSING = (0.1, 0.4)
"""Share of the way to the shut eye up to which a lid is not unfolded, and from which on it may be in full."""
_COLUMNS, _ROWS = 48, 15
_QUANTILE = 0.6
"""Of the brightness of the skin above the fold, column by column: lashes, brow and glasses are darker, glints brighter.
"""
_EVEN = 4.0
"""Deviation, in columns, of the Gaussian that evens out what neighbouring columns say."""
_SKIN = (0.6, 0.85)
"""Brightness over that of the skin up to which a pixel is the brow or in its shadow, and from which on it is skin."""
_LIGHTER = (1.4, 1.15)
"""The same from which on it is none of the skin around the eye, and up to which it may be."""
_LASHES = (-0.015, 0.06)
"""Where the lashes of an open eye are looked for, from the edge of its lid upwards, distances between the eyes."""
_LEAST_DARK = 0.35
"""How much of the light a line of lashes takes, at least."""
_RIM, _REACH = 0.006, 0.045
"""Half the width of the edge of a lid, and how far lashes reach beyond it if all that was looked at is dark, distances
between the eyes."""
_HANGING = (0.4, 0.9)
"""Share of the way to the shut eye at which lashes begin to hang down, and at which they do."""
_GONE = (0.02, 0.07)
"""Openings of an eye at which nothing is seen of the eyeball, and from which on all between the lids is."""
_OUTER, _INNER = (0.15, 0.4), (-0.05, 0.2)
"""How far beyond the outer and the inner corner of the eye lashes lie in full, and end, in widths of the eye."""
_BULGE = 0.1
"""How much brighter a lid is in its middle than along its fold, because the eyeball rounds it."""
_CREASE, _CREASE_WIDTH = 0.12, 0.016
"""How much darker the fold of a lid is than the skin around it, and the deviation of its shadow, distances between the
eyes."""


@dataclass(frozen=True, eq=False)
class ShutLid:
    """What comes down over an eye, over a box.

    tone           (h, w, 3) colour of the skin above the fold, roughly; relief  (h, w) what its skin is multiplied by.
    cover          (h, w) where skin covers what is below it; above  (h, w) where that is skin of the upper lid.
    source         (h, w) where the skin may say what that of a lid looks like: not in the brow.
    light          (h, w) what lashes leave of the light.
    hidden         0 to 1, how much of the eyeball between the lids is not seen.
    """

    tone: FloatImage
    relief: Matte
    cover: Matte
    above: Matte
    source: Matte
    light: Matte
    hidden: float

    def over(self, picture: FloatImage) -> FloatImage:
        """``picture`` (h, w, 3) with skin that goes on from the skin around."""
        bright = (picture / np.maximum(self.tone, np.float32(0.02))).mean(axis=-1)
        bare = masks.smoothstep(bright, *_SKIN) * masks.smoothstep(bright, *_LIGHTER)
        known = self.source * (1 - self.cover) ** 2 * bare
        lower, upper = (fill(picture, known * where) for where in (1 - self.above, self.above))
        skin = (lower + self.above[..., None] * (upper - lower)) * self.relief[..., None]
        covered: FloatImage = picture + self.cover[..., None] * (skin - picture)
        return covered


def shut_lid(part: Part, frame: FloatImage, seen: Points, wanted: Points, box: Box, glasses: float) -> ShutLid | None:
    """The upper lid over ``box`` of an eye that ``frame`` shows open; None where the frame shows enough of the lid.

    part          an eye; frame  (H, W, 3) float32.
    seen, wanted  (478, 3) landmarks in the frame, and where they are to be.
    glasses       0 to 1, how certainly they are worn: their rims stay.
    """
    own, lid = _Lid.of(part, seen), _Lid.of(part, wanted)
    opened = eye_openness(part, wanted)
    turned = 1 - opened / max(eye_openness(part, seen), 1e-3)
    # A brow that rises stretches the lid too, but shuts no eye.
    unfolded = masks.smoothstep(lid.width / max(own.width, 0.01), *_STRETCHED) * masks.smoothstep(turned, *_CLOSING)
    if not unfolded or not box.area:
        return None
    hidden = float(unfolded * masks.smoothstep(opened, *_GONE[::-1]))
    share, height = lid.shares(box)
    tone = _skin_tone(own, frame)
    # Sharp under the lashes; at the corners of the eye and beside them the skin above and below is one.
    width = 0.01 + 0.2 * _step(np.maximum(-share, share - 1), -0.15, 0.15)
    above = _step((height - lid.edge(share)) / (lid.scale * width) - 0.5, 1, -1)
    cover: Matte = unfolded * lid.cover(share, height, hidden, glasses)
    light: Matte = 1 - unfolded * _lashes(own, lid, frame, tone, share, height, turned)
    source = _step((height - 0.5 * (lid.hair(share) + lid.brow(share))) / lid.scale, -0.03, 0.0)
    return ShutLid(tone(share), lid.relief(share, height), cover, above, source, light, hidden)


@dataclass(frozen=True, eq=False)
class _Lid:
    """The upper lid of one picture, by the line between the corners of the eye, from the outer to the inner one.

    origin  (2,) the outer corner; along, down (2,) unit vectors, along the line and across it towards the chin.
    length  of the line, pixels; scale  distance between the eyes, pixels.
    width   of the lid from fold to edge, distances between the eyes.
    hair, brow, fold, edge, lower  pixels under that line of the ridge of the brow, of what is below it, of the fold of
            the lid and of the edges of both lids, as functions of the share of its length.
    """

    origin: NDArray[np.float64]
    along: NDArray[np.float64]
    down: NDArray[np.float64]
    length: float
    scale: float
    width: float
    hair: Curve
    brow: Curve
    fold: Curve
    edge: Curve
    lower: Curve

    @classmethod
    def of(cls, part: Part, landmarks: Points) -> _Lid:
        points = np.asarray(landmarks, np.float64)[:, :2]
        hair, brow, fold, edge, lower = (points[list(line)] for line in _lines(part))
        length, scale = max(float(np.linalg.norm(edge[-1] - edge[0])), 1e-6), face_scale(landmarks)
        along = (edge[-1] - edge[0]) / length
        down = np.array([-along[1], along[0]])
        if down @ (points[152] - points[10]) < 0:
            down = -down
        curves = [
            _curve((line - edge[0]) @ along / length, (line - edge[0]) @ down)
            for line in (hair, brow, fold, edge, lower)
        ]
        width = float(np.linalg.norm(edge[2:-2] - fold[2:-2], axis=1).mean()) / scale
        return cls(edge[0], along, down, length, scale, width, *curves)

    def shares(self, box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(h, w) where along the line the pixels of ``box`` lie, 0 to 1 between the corners, and pixels under it."""
        x = np.arange(box.left, box.right) - self.origin[0]
        y = (np.arange(box.top, box.bottom) - self.origin[1])[:, None]
        return (self.along[0] * x + self.along[1] * y) / self.length, self.down[0] * x + self.down[1] * y

    def look_up(self, frame: FloatImage, share: NDArray[np.float64], height: NDArray[np.float64]) -> FloatImage:
        """(..., 3) ``frame`` at ``share`` of the line, ``height`` pixels under it."""
        where = self.origin + (share * self.length)[..., None] * self.along + height[..., None] * self.down
        return cv2.remap(frame, where.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def cover(self, share: NDArray[np.float64], height: NDArray[np.float64], hidden: float, glasses: float) -> Matte:
        """(h, w) the lid and the skin up to the brow, over which lashes may lie, but with ``glasses`` only up to below
        the brow; down to its edge or, so far as the eyeball is ``hidden``, to the lower lid."""
        hair, brow, fold, edge, soft = (
            self.hair(share), self.brow(share), self.fold(share), self.edge(share), 0.008 * self.scale
        )  # fmt: skip
        top = brow + (1 - glasses) * 0.5 * (hair - brow)
        full = fold + (1 - glasses) * 0.6 * (brow - fold)
        begun = _step((height - top) / np.maximum(full - top, soft), 0, 1)
        end = edge + hidden * np.maximum(self.lower(share) - edge, 0) + (0.006 + 0.045 * hidden) * self.scale
        # Beside the eye there is no edge for it to end at.
        beside = 0.15 * self.scale * _step(np.maximum(-share, share - 1), -0.1, 0.2)
        ended = _step((height - end + 0.7 * beside) / (soft + beside), 1, -1)
        covered: Matte = begun * ended * _step(-share, *_OUTER[::-1]) * _step(share - 1, *_INNER[::-1])
        return covered

    def relief(self, share: NDArray[np.float64], height: NDArray[np.float64]) -> Matte:
        """(h, w) brightness by the shape of a shut lid: the eyeball lifts it into the light, its fold is in shadow."""
        fold, edge = self.fold(share), self.edge(share)
        down = np.clip((height - fold) / np.maximum(edge - fold, 0.01 * self.scale), 0, 1)
        along = np.sin(np.pi * np.clip(share, 0, 1))
        crease = np.exp(-0.5 * ((height - fold) / (_CREASE_WIDTH * self.scale)) ** 2) * np.sqrt(along)
        lit: Matte = (1 + _BULGE * np.sin(np.pi * down) * along - _CREASE * crease).astype(np.float32)
        return lit


def _lines(part: Part) -> tuple[t.Indices, ...]:
    if part == Part.LEFT_EYE:
        return t.LEFT_EYEBROW_LOWER, t.LEFT_UNDER_BROW, t.LEFT_UPPER_LID_SKIN, t.LEFT_UPPER_LID, t.LEFT_LOWER_LID
    return t.RIGHT_EYEBROW_LOWER, t.RIGHT_UNDER_BROW, t.RIGHT_UPPER_LID_SKIN, t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID


def _curve(share: NDArray[np.float64], height: NDArray[np.float64]) -> Curve:
    # Landmarks of an eye that is turned away need not lie in order.
    share = np.maximum.accumulate(share) + 1e-6 * np.arange(len(share))
    curve = PchipInterpolator(share, height)

    def at(where: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = curve(np.clip(where, share[0], share[-1]))
        return found

    return at


def _step(x: NDArray[np.float64], low: float, high: float) -> Matte:
    return masks.smoothstep(x.astype(np.float32), low, high)


def _skin_tone(own: _Lid, frame: FloatImage) -> Callable[[NDArray[np.float64]], FloatImage]:
    """The colour of the skin above the fold of a lid, (..., 3), as a function of the share of the line."""
    columns = np.linspace(-0.1, 1.1, _COLUMNS)
    rows = np.linspace(0.0, 1.0, _ROWS)[:, None]
    top, fold = 0.5 * (own.hair(columns) + own.brow(columns)), own.fold(columns)
    seen = own.look_up(frame, np.broadcast_to(columns, (_ROWS, _COLUMNS)), top + rows * (fold - top))
    order = np.argsort(seen.sum(axis=-1), axis=0)
    middle = round(_QUANTILE * (_ROWS - 1))
    chosen = np.take_along_axis(seen, order[middle - 2 : middle + 3, :, None], axis=0).mean(axis=0)
    even = cv2.GaussianBlur(chosen[None], (0, 0), _EVEN, borderType=cv2.BORDER_REPLICATE)[0]

    def at(share: NDArray[np.float64]) -> FloatImage:
        return np.stack([np.interp(share, columns, even[:, c]) for c in range(3)], axis=-1).astype(np.float32)

    return at


def _lashes(
    own: _Lid,
    lid: _Lid,
    frame: FloatImage,
    tone: Callable[[NDArray[np.float64]], FloatImage],
    share: NDArray[np.float64],
    height: NDArray[np.float64],
    turned: float,
) -> Matte:
    """(h, w) share of the light that lashes take at places of ``lid``.

    turned  0 for an eye as in the picture, 1 for a shut one.
    """
    columns, rows = np.linspace(0, 1, _COLUMNS), np.linspace(*_LASHES, _ROWS)[:, None]
    seen = own.look_up(frame, np.broadcast_to(columns, (_ROWS, _COLUMNS)), own.edge(columns) - rows * own.scale)
    taken = np.clip(1 - (seen / np.maximum(tone(columns), np.float32(0.02))).mean(axis=-1), 0, 1)
    even = cv2.GaussianBlur(np.stack([taken.max(axis=0), taken.mean(axis=0)]), (0, 0), _EVEN, None, 0.01)
    darkest, amount = (np.interp(share, columns, row) for row in even)
    hanging = float(masks.smoothstep(turned, *_HANGING))
    below = (height - lid.edge(share)) / lid.scale
    reach = _RIM + _REACH * amount * np.where(below > 0, hanging, (1 - hanging) * max(1 - turned, 0.0))
    line = np.exp(-0.5 * (below / reach) ** 2)
    # Few lashes grow at the corners.
    ends = _step(np.minimum(share, 1 - share), -0.05, 0.12)
    taking: Matte = (np.maximum(darkest, _LEAST_DARK) * line * ends).astype(np.float32)
    return taking
