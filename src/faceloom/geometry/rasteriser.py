"""Meshes to pixels: a z-buffer with barycentric interpolation (UniFaceGAN, eq. 5).

Convention: see ``mesh``. Pixel centres are at integers; a smaller z is nearer. The first call of a process loads the
compiled loops (numba); the very first on a machine compiles them, which takes some ten seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceloomError, GeometryError
from faceloom.types import Matte


@dataclass(frozen=True, eq=False)
class Raster:
    """What is seen at each pixel of a picture of H rows and W columns.

    triangle   (H, W) int32, the nearest triangle, -1 where there is none.
    weights    (H, W, 3) float32, what its corners count, sum 1; at pixels along the outline whose centre is not
               covered, those of a covered place inside the pixel.
    depth      (H, W) float32, z there, inf where there is none.
    coverage   (H, W) float32 in [0, 1], the share of the pixel that the mesh covers; ``triangle`` is -1 where it is 0.
    triangles  (T, 3) int32, the mesh drawn.
    """

    triangle: NDArray[np.int32]
    weights: NDArray[np.float32]
    depth: NDArray[np.float32]
    coverage: Matte
    triangles: NDArray[np.int32]

    def interpolate(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """``values`` (V, C) of the vertices at each pixel, (H, W, C) float32; 0 where there is no triangle."""
        corners = np.ascontiguousarray(values, np.float32)
        picture = np.zeros((*self.triangle.shape, corners.shape[1]), np.float32)
        _kernels().blend(corners, self.triangles, self.triangle, self.weights, picture)
        return picture


def rasterise(
    vertices: NDArray[Any], triangles: NDArray[Any], width: int, height: int, *, soft: bool = True, cull: bool = True
) -> Raster:
    """Draw a mesh into a picture of ``width`` x ``height`` pixels.

    vertices   (V, 3), pixels of that picture; whatever lies outside it is cut off.
    triangles  (T, 3) indices.
    soft       coverage of the pixels along outline and holes is exact to 1/64, and pixels that are covered in part
               count as covered; otherwise coverage is 0 or 1 by the pixel's centre. For smooth motion: an outline that
               snaps to pixels shimmers.
    cull       leave out the triangles that are seen from behind.

    Raises ``GeometryError`` for vertices that are not finite, indices that are no vertices or a size below 1;
    ``FaceloomError`` when numba is not installed.
    """
    points, corners = _checked(vertices, triangles)
    if width < 1 or height < 1:
        raise GeometryError(f"cannot draw a mesh into {width} x {height} pixels")
    kernels = _kernels()
    winner = np.full((height, width), -1, np.int32)
    depth = np.full((height, width), np.inf, np.float32)
    weights = np.zeros((height, width, 3), np.float32)
    kernels.fill(points, corners, cull, winner, depth)
    kernels.weigh(points, corners, winner, weights)
    coverage = np.empty((height, width), np.float32)
    if soft:
        kernels.soften(points, corners, cull, winner, weights, depth, coverage)
    else:
        coverage[:] = winner >= 0
    return Raster(winner, weights, depth, coverage, corners)


def soft_matte(coverage: Matte, width: float) -> Matte:
    """A matte that rises from 0 at the outline of ``coverage`` to 1 about ``width`` pixels further in.

    Everything outside stays 0. It follows the outline in fractions of a pixel. ``width`` 0 gives ``coverage`` itself.
    """
    if width <= 0:
        return coverage
    # Where the outline is straight, the blurred picture is 1/2 on it and 1 two deviations inside.
    blurred = cv2.GaussianBlur(coverage, (0, 0), width / 2, borderType=cv2.BORDER_REPLICATE)
    return np.minimum(np.clip(2 * blurred - 1, 0, 1), coverage)


def _checked(vertices: NDArray[Any], triangles: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    points = np.ascontiguousarray(vertices, np.float64)
    corners = np.ascontiguousarray(triangles, np.int32)
    if points.ndim != 2 or points.shape[1] != 3 or corners.ndim != 2 or corners.shape[1] != 3:
        raise GeometryError(f"a mesh has vertices (V, 3) and triangles (T, 3), got {points.shape} and {corners.shape}")
    if not np.isfinite(points).all():
        raise GeometryError("the mesh has vertices that are not finite; fit the face again")
    if len(corners) and not 0 <= corners.min() <= corners.max() < len(points):
        raise GeometryError(f"the mesh has triangles of vertices that do not exist: there are {len(points)}")
    return points, corners


@cache
def _kernels() -> ModuleType:
    try:
        from faceloom.geometry import raster_kernels
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("numba", "llvmlite"):
            raise
        raise FaceloomError("drawing a mesh needs numba: pip install 'faceloom[mesh]'") from error
    except RuntimeError as error:  # numba keeps compiled loops beside the source or in the user's cache folder
        raise FaceloomError(
            f"numba cannot keep its compiled loops: {error}; set NUMBA_CACHE_DIR to a writable folder"
        ) from error
    return raster_kernels
