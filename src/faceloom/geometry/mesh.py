"""Triangle meshes: normals, and which point lies opposite to which, left for right.

Convention: vertices are (V, 3) with x and y in pixels (y down) and z in the unit of x, negative towards the viewer.
Triangles are (T, 3) indices; the corners of one that faces the viewer run clockwise in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.floating]
Triangles = NDArray[np.integer]

_PLANE_POINTS = 4000
"""Vertices that the mirror plane is found from."""


def vertex_normals(vertices: Floats, triangles: Triangles) -> NDArray[np.float32]:
    """(V, 3) float32 of unit length, outwards: the mean of the triangles around, weighted by area.

    Towards the viewer the normal's z is -1. A vertex of no triangle, or of none with an area, has normal 0.
    """
    points = np.asarray(vertices, np.float32)
    first, second, third = (points[triangles[:, corner]] for corner in range(3))
    normals = _sum_at_corners(np.cross(third - first, second - first), triangles, len(points))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (normals / np.maximum(length, np.finfo(np.float32).tiny)).astype(np.float32)
    return unit


def spread(values: NDArray[np.float32], triangles: Triangles, rounds: int) -> NDArray[np.float32]:
    """``values`` (V,) smoothed along the mesh: in each round, the mean over the triangles that meet in the vertex."""
    count = np.maximum(np.bincount(triangles.ravel(), minlength=len(values)), 1).astype(np.float32)
    for _ in range(rounds):
        mean = values[triangles].mean(axis=1)
        total = _sum_at_corners(mean[:, None], triangles, len(values))[:, 0]
        values = np.where(count > 0, total / count, values).astype(np.float32)
    return values


def _sum_at_corners(values: Floats, triangles: Triangles, count: int) -> NDArray[np.float64]:
    """(T, C) to (count, C): each triangle's values added to its three corners."""
    columns = [
        np.bincount(triangles.ravel(), weights=np.repeat(values[:, column], 3), minlength=count)
        for column in range(values.shape[1])
    ]
    return np.stack(columns, axis=1)


@dataclass(frozen=True, eq=False)
class MirrorTable:
    """For each vertex the point of the surface opposite to it, as a mix of three vertices.

    corners  (V, 3) int32, vertices of one triangle.
    weights  (V, 3) float32, barycentric, at least 0 with sum 1.
    gap      (V,) float32, distance between that point and the reflected vertex, unit of the vertices.
    """

    corners: NDArray[np.int32]
    weights: NDArray[np.float32]
    gap: NDArray[np.float32]

    def apply(self, values: Floats) -> NDArray[np.float32]:
        """``values`` (V, C) as they are on the other side, (V, C) float32."""
        result: NDArray[np.float32] = np.einsum(
            "vk,vkc->vc", self.weights, np.asarray(values, np.float32)[self.corners], dtype=np.float32
        )
        return result


def mirror_table(vertices: Floats, triangles: Triangles, neighbours: int = 1) -> MirrorTable:
    """The mirror table of a mesh that is about symmetric in x.

    The mirror plane is the x at which the reflected mesh lies closest to the mesh. Each reflected vertex then goes to
    the closest point of the triangles around its ``neighbours`` nearest vertices; on coarse meshes take more than one.
    """
    points = np.asarray(vertices, np.float64)
    tree = cKDTree(points)
    some = points[:: max(1, len(points) // _PLANE_POINTS)]
    centre = float((points[:, 0].min() + points[:, 0].max()) / 2)
    for _ in range(8):
        nearest = tree.query(_reflected(some, centre))[1]
        # Of a pair of opposite points, the mean of the two x lies in the plane.
        centre = float(np.median(some[:, 0] + points[nearest, 0]) / 2)
    image = _reflected(points, centre)
    return _closest_points(image, points, np.asarray(triangles), tree.query(image, k=list(range(1, neighbours + 1)))[1])


def _reflected(points: NDArray[np.float64], centre: float) -> NDArray[np.float64]:
    return np.column_stack([2 * centre - points[:, 0], points[:, 1:]])


def _closest_points(
    queries: NDArray[np.float64], points: NDArray[np.float64], triangles: Triangles, candidates: NDArray[np.integer]
) -> MirrorTable:
    """The closest point to each of ``queries`` on the triangles that touch its ``candidates`` (Q, K) vertices."""
    order = np.argsort(triangles.ravel(), kind="stable")
    owners = (order // 3).astype(np.int64)
    degree = np.bincount(triangles.ravel(), minlength=len(points))
    start = np.concatenate([[0], np.cumsum(degree)])
    best = np.full(len(queries), np.inf)
    corners = np.repeat(candidates[:, :1], 3, axis=1).astype(np.int32)
    weights = np.tile(np.array([1.0, 0.0, 0.0]), (len(queries), 1))
    for column in candidates.T:
        for turn in range(int(degree.max())):
            rows = np.flatnonzero(degree[column] > turn)
            chosen = triangles[owners[start[column[rows]] + turn]]
            share = _closest_weights(queries[rows], points[chosen])
            distance = np.linalg.norm(np.einsum("nk,nkc->nc", share, points[chosen]) - queries[rows], axis=1)
            closer = distance < best[rows]
            better = rows[closer]
            best[better], corners[better], weights[better] = distance[closer], chosen[closer], share[closer]
    return MirrorTable(corners, weights.astype(np.float32), best.astype(np.float32))


def _closest_weights(queries: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Barycentric weights (N, 3) of the point of each triangle (N, 3, 3) closest to its query (N, 3)."""
    base, first, second = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    offset = queries - base
    aa, ab, bb = (np.einsum("nc,nc->n", p, q) for p, q in ((first, first), (first, second), (second, second)))
    pa, pb = np.einsum("nc,nc->n", offset, first), np.einsum("nc,nc->n", offset, second)
    area = np.maximum(aa * bb - ab * ab, np.finfo(np.float64).tiny)
    u, v = (bb * pa - ab * pb) / area, (aa * pb - ab * pa) / area
    inside = np.column_stack([1 - u - v, u, v])
    outside = (inside < 0).any(axis=1)
    if outside.any():
        inside[outside] = _closest_on_edges(queries[outside], corners[outside])
    return inside


def _closest_on_edges(queries: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    best = np.full(len(queries), np.inf)
    weights = np.zeros((len(queries), 3))
    for a, b in ((0, 1), (1, 2), (2, 0)):
        edge = corners[:, b] - corners[:, a]
        length = np.maximum(np.einsum("nc,nc->n", edge, edge), np.finfo(np.float64).tiny)
        at = np.clip(np.einsum("nc,nc->n", queries - corners[:, a], edge) / length, 0, 1)
        distance = np.linalg.norm(corners[:, a] + at[:, None] * edge - queries, axis=1)
        closer = distance < best
        best[closer] = distance[closer]
        weights[closer] = 0
        weights[closer, a], weights[closer, b] = 1 - at[closer], at[closer]
    return weights
