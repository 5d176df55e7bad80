"""The picture while it is painted, and shapes to paint with. Lengths are in millimetres of the face."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from faceloom.geometry.masks import smoothstep
from faceloom.methods.langbrt.prompts import Area, Blemish, Prompt, Side
from faceloom.train.blemishes.anatomy import Anatomy
from faceloom.train.blemishes.optics import Density, SkinLight
from faceloom.types import Matte, Points

Slices = tuple[slice, slice]


@dataclass(eq=False)
class Canvas:
    """A face, its light, the generator of everything random, and what was painted so far, by kind and place."""

    anatomy: Anatomy
    light: SkinLight
    rng: np.random.Generator
    layers: dict[Prompt, Density] = field(default_factory=dict)

    @property
    def mm(self) -> float:
        """Pixels a millimetre."""
        return self.anatomy.mm

    @property
    def tone(self) -> float:
        """0 for the darkest skin, 1 for the lightest."""
        return self.light.tone

    def window(self, centre: Points, reach: float) -> Slices | None:
        """The pixels within ``reach`` mm of a point, or None if they are outside the picture."""
        height, width = self.anatomy.skin.shape
        low = np.maximum(np.floor(np.asarray(centre) - reach * self.mm - 1), 0).astype(int)
        high = np.minimum(np.ceil(np.asarray(centre) + reach * self.mm + 2), [width, height]).astype(int)
        return None if (high - low < 2).any() else (slice(low[1], high[1]), slice(low[0], high[0]))

    def add(self, kind: Blemish, area: Area, side: Side, change: Density, where: Slices | None = None) -> None:
        """Paint on skin; what is painted belongs as a whole to the area and side named."""
        prompt, (rows, columns) = Prompt(kind, area, side), where or (slice(None), slice(None))
        layer = self.layers.setdefault(prompt, np.zeros_like(self.light.log))
        layer[rows, columns] += change * self._takes[rows, columns, None]

    @cached_property
    def _takes(self) -> Matte:
        """Skin, less where it is so bright that the picture shows white: colour painted there would be grey."""
        return self.anatomy.skin * smoothstep(self.light.log[..., 1], np.log(0.95), np.log(0.55))

    def points_in(self, area: Area, side: Side, count: int, clusters: int = 0) -> NDArray[np.float32]:
        """(N, 2) random skin pixels of an area, N <= count; near a few centres if ``clusters`` is not 0."""
        weight = self.anatomy.region(area, side)
        weight = np.where(weight > 0.6, weight, 0)
        if weight.sum() < 1:
            return np.zeros((0, 2), np.float32)
        if clusters:
            centres = self._pick(weight, clusters)
            pull = np.zeros_like(weight)
            for x, y in centres.astype(int):
                pull[y, x] = 1
            pull = cv2.GaussianBlur(pull, (0, 0), self.rng.uniform(6, 15) * self.mm)
            weight = weight * (pull / max(float(pull.max()), 1e-12) + 0.05)
        return self._pick(weight, count)

    def _pick(self, weight: Matte, count: int) -> NDArray[np.float32]:
        sums = np.cumsum(weight.ravel(), dtype=np.float64)
        rows, columns = np.divmod(np.searchsorted(sums, self.rng.uniform(0, sums[-1], count)), weight.shape[1])
        jitter = self.rng.uniform(-0.5, 0.5, (count, 2))
        return (np.column_stack([columns, rows]) + jitter).astype(np.float32)

    def side_of(self, point: Points) -> Side:
        """Which half of the face a point is on."""
        x, y = (
            int(np.clip(round(float(v)), 0, limit - 1))
            for v, limit in zip(point, self.anatomy.skin.T.shape, strict=True)
        )
        return Side.LEFT if self.anatomy.sides[Side.LEFT][y, x] > 0.5 else Side.RIGHT

    def noise(self, size: float, shape: tuple[int, int] | None = None) -> Matte:
        """Smooth noise, about standard normal, with bumps of ``size`` mm."""
        height, width = shape or self.anatomy.skin.shape
        sigma = max(size * self.mm / 2, 0.4)
        step = max(1, int(sigma / 1.5))
        coarse = self.rng.standard_normal((height // step + 5, width // step + 5)).astype(np.float32)
        coarse = cv2.GaussianBlur(coarse, (0, 0), sigma / step)
        large = cv2.resize(coarse, (coarse.shape[1] * step, coarse.shape[0] * step), interpolation=cv2.INTER_CUBIC)
        found = large[step : step + height, step : step + width]
        return found / max(float(coarse.std()), 1e-6)


def distance_from(
    where: Slices, centre: Points, radius: float, wobble: NDArray[np.float64], stretch: float, turn: float
) -> Matte:
    """Distance from an uneven, turned ellipse's centre, 1 on its edge.

    radius   pixels; ``stretch`` the ratio of its axes; ``turn`` radians.
    wobble   (K, 2) amplitude and phase of the edge's waves, 2, 3, ... around.
    """
    y, x = np.mgrid[where[0], where[1]].astype(np.float32)
    dx, dy = x - centre[0], y - centre[1]
    cos, sin = np.cos(turn), np.sin(turn)
    along, across = (dx * cos + dy * sin) / np.sqrt(stretch), (dy * cos - dx * sin) * np.sqrt(stretch)
    angle = np.arctan2(across, along)
    edge = 1 + sum(a * np.cos((k + 2) * angle + phase) for k, (a, phase) in enumerate(wobble))
    return (np.hypot(along, across) / (max(radius, 0.35) * edge)).astype(np.float32)


def waves(rng: np.random.Generator, amount: float, count: int = 4) -> NDArray[np.float64]:
    """Random ``wobble`` for ``distance_from``, smaller the finer the wave."""
    return np.column_stack([rng.normal(0, amount, count) / np.arange(2, 2 + count), rng.uniform(0, 2 * np.pi, count)])


def curve(points: Points, step: float = 0.5) -> NDArray[np.float32]:
    """A smooth line through ``points`` (N, 2), one point every ``step`` pixels: (M, 2)."""
    p = np.asarray(points, np.float64)
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(p, axis=0).T))])
    count = max(4, int(along[-1] / step))
    at = np.linspace(0, along[-1], count)
    if len(p) == 2:
        return np.column_stack([np.interp(at, along, p[:, axis]) for axis in (0, 1)]).astype(np.float32)
    from scipy.interpolate import PchipInterpolator

    keep = np.concatenate([[True], np.diff(along) > 1e-6])
    return PchipInterpolator(along[keep], p[keep])(at).astype(np.float32)


def along_curve(line: NDArray[np.float32], where: Slices) -> tuple[Matte, Matte]:
    """Distance of every pixel of ``where`` from a line, and how far along it its nearest point is, 0 to 1."""
    y, x = np.mgrid[where[0], where[1]].astype(np.float32)
    distance, index = cKDTree(line).query(np.column_stack([x.ravel(), y.ravel()]))
    shape = x.shape
    return (
        distance.reshape(shape).astype(np.float32),
        (index.reshape(shape) / max(len(line) - 1, 1)).astype(np.float32),
    )


def window_of(canvas: Canvas, line: NDArray[np.float32], margin: float) -> Slices | None:
    """The pixels within ``margin`` mm of the bounding box of a line."""
    low, high = line.min(axis=0), line.max(axis=0)
    height, width = canvas.anatomy.skin.shape
    start = np.maximum(np.floor(low - margin * canvas.mm), 0).astype(int)
    stop = np.minimum(np.ceil(high + margin * canvas.mm) + 1, [width, height]).astype(int)
    return None if (stop - start < 2).any() else (slice(start[1], stop[1]), slice(start[0], stop[0]))
