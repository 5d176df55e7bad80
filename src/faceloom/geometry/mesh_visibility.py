"""Which points of a mesh the viewer sees: the depth test of UniFaceGAN, eqs. 13 and 15."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry.mesh import vertex_normals
from faceloom.geometry.rasteriser import Raster

DEPTH_TOLERANCE = 1.0
"""Pixels by which a point may lie behind the z-buffer and still be seen: a surface is curved between two pixels."""

_STEEPEST = 8.0


def passes_depth(
    points: NDArray[Any], raster: Raster, vertices: NDArray[Any], tolerance: float = DEPTH_TOLERANCE
) -> NDArray[np.bool_]:
    """(N,) True for ``points`` (N, 3), pixels, with nothing of the mesh in front of them.

    raster, vertices  the mesh as ``rasterise`` drew it, and the vertices (V, 3) that it drew.

    The z-buffer is continued from the nearest pixel centre to the point's own place along the plane of the triangle
    seen there: on a slope, a point of the surface is deeper than its pixel by several times the tolerance. Where the
    mesh is not seen nothing hides the point; outside the picture nothing is known, and the answer is False.
    """
    height, width = raster.triangle.shape
    column, row = np.rint(points[:, 0]).astype(np.int64), np.rint(points[:, 1]).astype(np.int64)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = column.clip(0, width - 1), row.clip(0, height - 1)
    triangle = raster.triangle[row, column]
    seen = inside & (triangle >= 0)
    column, row = column[seen], row[seen]
    slope = _slope(np.asarray(vertices, np.float64)[raster.triangles[triangle[seen]]])
    surface = raster.depth[row, column] + slope[0] * (points[seen, 0] - column) + slope[1] * (points[seen, 1] - row)
    result = inside.copy()
    result[seen] = points[seen, 2] <= surface + tolerance
    return result


def visible_vertices(
    vertices: NDArray[Any], raster: Raster, tolerance: float = DEPTH_TOLERANCE
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which vertices (V, 3) of the drawn mesh are seen, (V,) bool, and how squarely.

    The second answer, (V,) float32 in [-1, 1], is the cosine between the outward normal and the direction to the
    viewer: 1 where the surface faces the viewer, 0 or less where it turns away. A vertex that turns away is not seen.
    """
    facing = -vertex_normals(vertices, raster.triangles)[:, 2]
    return passes_depth(vertices, raster, vertices, tolerance) & (facing > 0), facing


def _slope(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Change of z by x and by y on the planes of triangles (N, 3, 3), held to ``_STEEPEST`` where they are edge-on."""
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = u[:, 0] * v[:, 1] - v[:, 0] * u[:, 1]
    area = np.where(area == 0, np.inf, area)
    by_x = (u[:, 2] * v[:, 1] - v[:, 2] * u[:, 1]) / area
    by_y = (u[:, 0] * v[:, 2] - v[:, 0] * u[:, 2]) / area
    return by_x.clip(-_STEEPEST, _STEEPEST), by_y.clip(-_STEEPEST, _STEEPEST)
