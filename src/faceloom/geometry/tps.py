"""Thin-plate splines: the smoothest map of the plane that takes given points to given points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from scipy.linalg import LinAlgError, lu_factor, lu_solve
from scipy.spatial.distance import pdist

from faceloom.errors import GeometryError
from faceloom.types import Box, Points

_NEARLY_COLLINEAR = 1e-6
"""Ratio of the spreads across and along the points below which they count as one line."""


@dataclass(frozen=True, eq=False)
class ThinPlateSpline:
    """A fitted spline ``f(x) = A [x, 1] + sum_k w_k U(|x - c_k|)`` with ``U(r) = r^2 log r^2``.

    Coordinates are normalised (shifted and scaled) before the kernel, which changes nothing in exact arithmetic
    and keeps the system well conditioned.

    Source: Bookstein, "Principal warps: thin-plate splines and the decomposition of deformations", 1989.
    """

    centres: NDArray[np.float64]
    """(K, 2) control points, normalised."""
    weights: NDArray[np.float64]
    """(K + 3, 2): kernel weights, then the affine part for x, y and 1."""
    origin: NDArray[np.float64]
    scale: float

    @classmethod
    def fit(cls, source: Points, target: Points, regularization: float = 0.0) -> ThinPlateSpline:
        """The spline that maps ``source`` points to ``target`` points.

        Args:
            source: (K, 2+) control points, K >= 3, not all on one line, all distinct.
            target: (K, 2+) where they go (any frame of reference).
            regularization: 0 interpolates; larger values trade exactness for smoothness (relative to the
                squared spread of the points).

        Raises:
            GeometryError: too few points, collinear or coincident points, values that are not finite.
        """
        p, q = np.asarray(source, np.float64)[:, :2], np.asarray(target, np.float64)[:, :2]
        _check(p, q)
        origin = p.mean(axis=0)
        scale = float(np.sqrt(((p - origin) ** 2).sum(axis=1).mean()))
        centres = (p - origin) / scale
        count = len(p)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _kernel(centres, centres) + regularization * np.eye(count)
        system[:count, count:] = np.column_stack([centres, np.ones(count)])
        system[count:, :count] = system[:count, count:].T
        try:
            weights = lu_solve(lu_factor(system), np.vstack([q, np.zeros((3, 2))]))
        except (LinAlgError, ValueError) as error:
            raise GeometryError(f"no thin-plate spline through these {count} points: {error}") from error
        return cls(centres, weights, origin, scale)

    def __call__(self, points: Points) -> NDArray[np.float64]:
        """Map (..., 2) points."""
        x = (np.asarray(points, np.float64)[..., :2] - self.origin) / self.scale
        flat = x.reshape(-1, 2)
        count = len(self.centres)
        mapped = _kernel(flat, self.centres) @ self.weights[:count]
        mapped += flat @ self.weights[count : count + 2] + self.weights[count + 2]
        return mapped.reshape(x.shape)

    def field(self, box: Box, step: int = 8) -> NDArray[np.float32]:
        """The map at every pixel of ``box``: (height, width, 2) float32.

        Evaluated once per ``step`` × ``step`` cell and upsampled by interpolating cubic splines, which keep any
        affine map; ``step=1`` evaluates every pixel. Single precision: about 1e-4 of a pixel.
        """
        if box.area == 0:
            return np.zeros((box.height, box.width, 2), np.float32)
        if step <= 1:
            fine = self._grid(np.arange(box.left, box.right), np.arange(box.top, box.bottom))
        else:
            coarse = self._grid(box.left + _nodes(box.width, step), box.top + _nodes(box.height, step))
            fine = _upsampling(box.height, step) @ coarse @ _upsampling(box.width, step).T
        return np.ascontiguousarray(np.moveaxis(fine, 0, -1))

    def _grid(self, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """The map at all ``(x_j, y_i)``: (2, len(y), len(x)) float32."""
        u, v = (x - self.origin[0]) / self.scale, (y - self.origin[1]) / self.scale
        count = len(self.centres)
        across = ((u - self.centres[:, :1]) ** 2).astype(np.float32)
        down = ((v - self.centres[:, 1:]) ** 2).astype(np.float32)
        squared = (across[:, None, :] + down[:, :, None]).reshape(count, -1)
        kernel = np.log(np.maximum(squared, np.float32(1e-30)))
        kernel *= squared
        bend = (self.weights[:count].T.astype(np.float32) @ kernel).reshape(2, len(v), len(u))
        a, b, c = self.weights[count:, :, None, None]
        return bend + (a * u + b * v[:, None] + c).astype(np.float32)


def _nodes(length: int, step: int) -> NDArray[np.float64]:
    """Middles of the cells of ``step`` pixels that cover ``length`` pixels, with two more cells on each side.

    The cells beyond the border keep the spline's free ends away from the pixels.
    """
    return (np.arange(-2, -(-length // step) + 2) + 0.5) * step - 0.5


@lru_cache(maxsize=256)
def _upsampling(length: int, step: int) -> NDArray[np.float32]:
    """(length, cells) matrix from values at ``_nodes`` to values at every pixel, by interpolating cubic spline."""
    nodes = _nodes(length, step)
    return make_interp_spline(nodes, np.eye(len(nodes)), k=3)(np.arange(length)).astype(np.float32)


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """``U(|a_i - b_j|)`` as an (len(a), len(b)) matrix."""
    squared = (a[:, 0, None] - b[None, :, 0]) ** 2 + (a[:, 1, None] - b[None, :, 1]) ** 2
    return squared * np.log(np.maximum(squared, 1e-300))


def _check(p: NDArray[np.float64], q: NDArray[np.float64]) -> None:
    if p.shape != q.shape or len(p) < 3:
        raise GeometryError(f"a thin-plate spline needs two equal lists of at least 3 points, got {len(p)}, {len(q)}")
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise GeometryError("a thin-plate spline needs finite points; some are not numbers")
    spread = np.linalg.svd(p - p.mean(axis=0), compute_uv=False)
    if spread[1] <= _NEARLY_COLLINEAR * max(spread[0], 1e-300):
        raise GeometryError(f"no thin-plate spline through these {len(p)} points: they lie on one line")
    if pdist(p).min() <= 1e-9 * spread[0]:
        raise GeometryError(f"no thin-plate spline through these {len(p)} points: two of them coincide")
