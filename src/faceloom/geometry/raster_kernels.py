"""The inner loops of the rasteriser, compiled by numba when they are first called and kept on disk.

Import this module only where a mesh is really drawn: it needs numba. Arguments are C-contiguous float64 vertices,
int32 triangles and float32 pictures; nothing is checked here.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_EDGE = 1e-9
"""How far outside a triangle, in barycentric weight, a pixel still belongs to it: no cracks along shared edges."""
_FINE = 8
"""Samples along each axis of a pixel, for coverage."""


@njit(cache=True)
def fill(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int32],
    cull: bool,
    winner: NDArray[np.int32],
    depth: NDArray[np.float32],
) -> None:
    """Put the nearest triangle at each pixel centre into ``winner`` (-1 before) and its z into ``depth`` (inf)."""
    height, width = winner.shape
    for index in range(triangles.shape[0]):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        ax, ay, bx, by = vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1]
        cx, cy = vertices[c, 0], vertices[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0 or (cull and area < 0.0):
            continue
        left, right = np.ceil(max(0.0, min(ax, bx, cx))), np.floor(min(width - 1.0, max(ax, bx, cx)))
        top, bottom = np.ceil(max(0.0, min(ay, by, cy))), np.floor(min(height - 1.0, max(ay, by, cy)))
        if left > right or top > bottom:
            continue
        inverse = 1.0 / area
        az, bz, cz = vertices[a, 2], vertices[b, 2], vertices[c, 2]
        for y in range(int(top), int(bottom) + 1):
            for x in range(int(left), int(right) + 1):
                second = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) * inverse
                third = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) * inverse
                first = 1.0 - second - third
                if first < -_EDGE or second < -_EDGE or third < -_EDGE:
                    continue
                z = np.float32(first * az + second * bz + third * cz)
                if z < depth[y, x]:
                    depth[y, x] = z
                    winner[y, x] = index


@njit(cache=True)
def weigh(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int32],
    winner: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> None:
    """Barycentric weights of each pixel centre in its winner."""
    height, width = winner.shape
    for y in range(height):
        for x in range(width):
            index = winner[y, x]
            if index < 0:
                continue
            a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
            ax, ay = vertices[a, 0], vertices[a, 1]
            ux, uy = vertices[b, 0] - ax, vertices[b, 1] - ay
            vx, vy = vertices[c, 0] - ax, vertices[c, 1] - ay
            area = ux * vy - vx * uy
            second = ((x - ax) * vy - vx * (y - ay)) / area
            third = (ux * (y - ay) - (x - ax) * uy) / area
            weights[y, x, 0] = 1.0 - second - third
            weights[y, x, 1] = second
            weights[y, x, 2] = third


@njit(cache=True)
def soften(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int32],
    cull: bool,
    winner: NDArray[np.int32],
    weights: NDArray[np.float32],
    depth: NDArray[np.float32],
    coverage: NDArray[np.float32],
) -> None:
    """Share of each pixel that the mesh covers, by 64 samples along its outline and the holes in it.

    A pixel whose centre is not covered, but some of its samples are, gets the nearest triangle there as its winner.
    """
    height, width = winner.shape
    outline = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            inside = winner[y, x] >= 0
            coverage[y, x] = 1.0 if inside else 0.0
            for v in range(max(0, y - 1), min(height, y + 2)):
                for u in range(max(0, x - 1), min(width, x + 2)):
                    if (winner[v, u] >= 0) != inside:
                        outline[y, x] = True
    bits = np.zeros((height, width), np.uint64)
    uncovered = winner < 0
    for index in range(triangles.shape[0]):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        ax, ay, bx, by = vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1]
        cx, cy = vertices[c, 0], vertices[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0 or (cull and area < 0.0):
            continue
        low_x, high_x = max(-0.5, min(ax, bx, cx)), min(width - 0.5, max(ax, bx, cx))
        low_y, high_y = max(-0.5, min(ay, by, cy)), min(height - 0.5, max(ay, by, cy))
        if low_x > high_x or low_y > high_y:
            continue
        inverse = 1.0 / area
        for y in range(int(low_y + 0.5), min(height - 1, int(high_y + 0.5)) + 1):
            for x in range(int(low_x + 0.5), min(width - 1, int(high_x + 0.5)) + 1):
                if not outline[y, x]:
                    continue
                # Samples lie at (k + 1/2) / 8 - 1/2; only those in the triangle's box are looked at.
                first_column = max(0, int(np.ceil((low_x - x + 0.5) * _FINE - 0.5)))
                last_column = min(_FINE - 1, int(np.floor((high_x - x + 0.5) * _FINE - 0.5)))
                first_row = max(0, int(np.ceil((low_y - y + 0.5) * _FINE - 0.5)))
                last_row = min(_FINE - 1, int(np.floor((high_y - y + 0.5) * _FINE - 0.5)))
                for row in range(first_row, last_row + 1):
                    sample_y = y + (row + 0.5) / _FINE - 0.5
                    for column in range(first_column, last_column + 1):
                        sample_x = x + (column + 0.5) / _FINE - 0.5
                        second = ((sample_x - ax) * (cy - ay) - (cx - ax) * (sample_y - ay)) * inverse
                        third = ((bx - ax) * (sample_y - ay) - (sample_x - ax) * (by - ay)) * inverse
                        first = 1.0 - second - third
                        if first < -_EDGE or second < -_EDGE or third < -_EDGE:
                            continue
                        bits[y, x] |= np.uint64(1) << np.uint64(row * _FINE + column)
                        if uncovered[y, x]:
                            z = np.float32(first * vertices[a, 2] + second * vertices[b, 2] + third * vertices[c, 2])
                            if z < depth[y, x]:
                                depth[y, x] = z
                                winner[y, x] = index
                                weights[y, x, 0] = first
                                weights[y, x, 1] = second
                                weights[y, x, 2] = third
    for y in range(height):
        for x in range(width):
            if outline[y, x]:
                count = 0
                left = bits[y, x]
                while left != np.uint64(0):
                    left &= left - np.uint64(1)
                    count += 1
                coverage[y, x] = count / (_FINE * _FINE)


@njit(cache=True)
def blend(
    values: NDArray[np.float32],
    triangles: NDArray[np.int32],
    winner: NDArray[np.int32],
    weights: NDArray[np.float32],
    picture: NDArray[np.float32],
) -> None:
    """The values of three corners mixed at each pixel, into ``picture`` (H, W, C)."""
    height, width = winner.shape
    for y in range(height):
        for x in range(width):
            index = winner[y, x]
            if index < 0:
                continue
            a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
            for channel in range(values.shape[1]):
                picture[y, x, channel] = (
                    weights[y, x, 0] * values[a, channel]
                    + weights[y, x, 1] * values[b, channel]
                    + weights[y, x, 2] * values[c, channel]
                )
