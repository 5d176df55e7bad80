"""Mattes from landmarks: polygons with subpixel edges, soft bands, and the region of every part."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import GeometryError
from faceloom.geometry import topology as t
from faceloom.types import Box, Matte, Part, Points


class Region(StrEnum):
    """Areas of the face that are not parts to transfer but that masks are needed for."""

    LIPS = "lips"
    UPPER_LIP = "upper_lip"
    LOWER_LIP = "lower_lip"
    INNER_MOUTH = "inner_mouth"
    LEFT_IRIS = "left_iris"
    RIGHT_IRIS = "right_iris"
    FACE_OVAL = "face_oval"
    SKIN = "skin"


_RINGS: dict[Part | Region, tuple[int, ...]] = {
    Part.LEFT_EYE: t.LEFT_EYE_RING,
    Part.RIGHT_EYE: t.RIGHT_EYE_RING,
    Part.NOSE: t.NOSE_RING,
    Part.MOUTH: t.MOUTH_RING,
    Region.INNER_MOUTH: t.INNER_MOUTH_RING,
    Region.UPPER_LIP: t.UPPER_LIP_OUTER + t.UPPER_LIP_INNER[::-1],
    Region.LOWER_LIP: t.LOWER_LIP_OUTER + t.LOWER_LIP_INNER[::-1],
    Region.FACE_OVAL: t.FACE_OVAL,
}


def outline(region: Part | Region, landmarks: Points) -> NDArray[np.float64]:
    """(K, 2) closed polygon of a part or region, in the frame of reference of ``landmarks`` (478, 2+).

    Irises are 24-gons around the iris centre; eyebrows run along the upper edge of the hair and back along its
    lower edge. LIPS and SKIN are no single polygon: use ``region_mask``.
    """
    points = np.asarray(landmarks, np.float64)[:, :2]
    if region in (Region.LEFT_IRIS, Region.RIGHT_IRIS):
        return _iris_circle(points[list(t.LEFT_IRIS if region == Region.LEFT_IRIS else t.RIGHT_IRIS)])
    if region == Part.RIGHT_EYEBROW:
        return _eyebrow(points, t.RIGHT_EYEBROW_UPPER, t.RIGHT_EYEBROW_LOWER, t.RIGHT_UNDER_BROW[2:7])
    if region == Part.LEFT_EYEBROW:
        return _eyebrow(points, t.LEFT_EYEBROW_UPPER, t.LEFT_EYEBROW_LOWER, t.LEFT_UNDER_BROW[2:7])
    if region not in _RINGS:
        raise ValueError(f"{region} has no single outline; use region_mask")
    return points[list(_RINGS[region])]


def region_mask(region: Part | Region, landmarks: Points, box: Box) -> Matte:
    """Mask of a part or region over ``box``: (height, width) float32 in [0, 1] with an antialiased edge.

    MOUTH covers lips and inner mouth, LIPS the lips alone, SKIN the face oval without eyes, eyebrows and mouth.
    """
    if region == Region.LIPS:
        # Summed: where closed lips meet inside a pixel, each covers its share of it.
        upper, lower = (polygon_mask(outline(lip, landmarks), box) for lip in (Region.UPPER_LIP, Region.LOWER_LIP))
        return np.minimum(upper + lower, 1)
    if region == Region.SKIN:
        holes = (Part.LEFT_EYE, Part.RIGHT_EYE, Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW, Part.MOUTH)
        oval = polygon_mask(outline(Region.FACE_OVAL, landmarks), box)
        covered: Matte = np.maximum.reduce([polygon_mask(outline(hole, landmarks), box) for hole in holes])
        return np.minimum(oval, 1 - covered)
    return polygon_mask(outline(region, landmarks), box)


def polygon_mask(points: Points, box: Box) -> Matte:
    """Fill a polygon: (height, width) float32 in [0, 1], the exact share of every pixel that it covers.

    Exact, because an edge that jumps in steps as a face moves by less than a pixel is seen as shimmer.

    Args:
        points: (K, 2) vertices in the same frame of reference as ``box``.
        box: the pixels wanted; vertices outside it are allowed.

    Raises:
        GeometryError: vertices that are not finite.
    """
    return polygon_masks([points], box)[0]


def polygon_masks(polygons: Sequence[Points], box: Box) -> list[Matte]:
    """``polygon_mask`` of several polygons over one box, in little more time than one.

    Source: signed-area accumulation, as font rasterisers do: cut every edge at the borders of the pixels, add each
    piece's height at its pixel (the share to its right there, the rest one further), and sum from left to right.
    """
    mattes = [np.zeros((box.height, box.width), np.float32) for _ in polygons]
    filled = [k for k, points in enumerate(polygons) if len(points) >= 3]
    if not filled or box.area == 0:
        return mattes
    a = np.concatenate([np.asarray(polygons[k], np.float64)[:, :2] for k in filled])
    a = a - (box.left - 0.5, box.top - 0.5)
    if not np.isfinite(a).all():
        raise GeometryError("a polygon needs finite vertices; some are not numbers")
    counts = np.array([len(polygons[k]) for k in filled])
    ends = np.cumsum(counts)
    following = np.arange(1, len(a) + 1)
    following[ends - 1] = ends - counts
    run = a[following] - a
    edge, start, end = _pieces(a, run, box)
    middle = a[edge] + (0.5 * (start + end))[:, None] * run[edge]
    row, x, rise = np.floor(middle[:, 1]), np.clip(middle[:, 0], 0, box.width), (end - start) * run[edge, 1]
    inside = (row >= 0) & (row < box.height)
    row, x, rise, edge = row[inside].astype(np.intp), x[inside], rise[inside], edge[inside]
    # The rows that each polygon reaches, one polygon below the other, are one picture. What lies to its right counts
    # in a column of its own, so that every row sums to 0 and the next one begins with nothing.
    top, bottom = _rows_reached(a[:, 1], ends - counts, box.height)
    below, stride = np.cumsum(bottom - top), box.width + 1
    column = x.astype(np.intp)
    beyond = rise * (x - column)
    at = (np.repeat(below - bottom, counts)[edge] + row) * stride + column
    share = _running_sums(
        np.concatenate([at, at + 1]), np.concatenate([rise - beyond, beyond]), int(below[-1]) * stride
    )
    rows = share.reshape(-1, stride)[:, :-1]
    for k, first, last, stop in zip(filled, top.tolist(), bottom.tolist(), below.tolist(), strict=True):
        mattes[k][first:last] = rows[stop - (last - first) : stop]
    return mattes


def _running_sums(at: NDArray[np.intp], steps: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Absolute sums of all ``steps`` that lie at or before each of ``size`` places, at most 1.

    There are few steps and many places, so the sums between two steps are copied rather than added up.
    """
    order = np.argsort(at, kind="stable")
    borders = np.concatenate([[0], at[order], [size]])
    sums = np.abs(np.cumsum(steps[order]))
    # What rounding leaves of sums that cancel must not count as covered.
    sums[sums < 1e-9] = 0
    values = np.concatenate([[0.0], np.minimum(sums, 1)]).astype(np.float32)
    return np.repeat(values, borders[1:] - borders[:-1])


def line_mask(points: Points, width: float, box: Box) -> Matte:
    """A polyline of the given width (pixels) over ``box``: (height, width) float32 in [0, 1], antialiased."""
    return polygon_mask(line_outline(points, width), box)


def line_outline(points: Points, width: float) -> NDArray[np.float64]:
    """(2 K, 2) polygon of a polyline (K, 2+) of the given width."""
    p = np.asarray(points, np.float64)[:, :2]
    tangent = np.gradient(p, axis=0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    normal = normal / np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-9)[:, None]
    return np.vstack([p + normal * width / 2, (p - normal * width / 2)[::-1]])


def offset_outline(points: Points, distance: float) -> NDArray[np.float64]:
    """Move each vertex of a closed polygon outwards (inwards if negative) by ``distance`` along its normal."""
    p = np.asarray(points, np.float64)[:, :2]
    after = np.concatenate([p[1:], p[:1]])
    tangent = after - np.concatenate([p[-1:], p[:-1]])
    twice_area = float(p[:, 0] @ after[:, 1] - after[:, 0] @ p[:, 1])
    length = np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)
    moved = p.copy()
    outward = (distance if twice_area > 0 else -distance) / length
    moved[:, 0] += outward * tangent[:, 1]
    moved[:, 1] -= outward * tangent[:, 0]
    return moved


def blur(mask: Matte, sigma: float) -> Matte:
    """Gaussian blur with zero beyond the border; ``sigma`` in pixels, 0 leaves the mask as it is."""
    if sigma <= 0.05 or mask.size == 0:
        return mask
    return cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)


def dilate(mask: Matte, radius: float) -> Matte:
    """Grow (shrink if negative) a mask by ``radius`` pixels with a round structuring element."""
    size = 2 * round(abs(radius)) + 1
    if size == 1 or mask.size == 0:
        return mask
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    operate = cv2.dilate if radius > 0 else cv2.erode
    return operate(mask, element, borderType=cv2.BORDER_CONSTANT, borderValue=0)


def soft_band(mask: Matte, width: float, sigma: float) -> Matte:
    """A soft band along the edge of a mask: dilation minus erosion by ``width`` / 2, then a Gaussian.

    Returns (H, W) float32 in [0, 1], 1 on the edge. Source: V-PartSwap, section 3.3.
    """
    half = max(1.0, width / 2)
    band = blur(dilate(mask, half) - dilate(mask, -half), sigma)
    peak = float(band.max(initial=0.0))
    return band / peak if peak > 0 else band


def smoothstep(x: NDArray[np.float32] | float, low: float, high: float) -> NDArray[np.float32]:
    """0 below ``low``, 1 above ``high``, a cubic between; descending when ``low > high``."""
    s = np.clip((np.asarray(x, np.float32) - low) / (high - low), 0, 1)
    return (s * s * (3 - 2 * s)).astype(np.float32)


def _rows_reached(
    y: NDArray[np.float64], starts: NDArray[np.intp], height: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First row that polygons reach and the one after the last; ``y`` of all vertices, polygons begin at ``starts``."""
    top = np.minimum(np.maximum(np.floor(np.minimum.reduceat(y, starts)), 0), height)
    bottom = np.maximum(np.minimum(np.floor(np.maximum.reduceat(y, starts)) + 1, height), top)
    return top.astype(np.intp), bottom.astype(np.intp)


def _pieces(
    start: NDArray[np.float64], run: NDArray[np.float64], box: Box
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Edges ``start + t run`` cut at the borders of the box's pixels: edge index, first t and last t of each piece."""
    count = len(run)
    edge, passed = _crossings(start.T.ravel(), run.T.ravel(), np.repeat([box.width, box.height], count))
    edge = np.concatenate([np.arange(count), edge % count])
    first = np.concatenate([np.zeros(count), passed])
    # One key orders by edge and then along it; doubled, so that rounding cannot reach the next edge.
    order = np.argsort(2 * edge + first)
    edge, first = edge[order], first[order]
    last = np.ones(len(edge))
    np.copyto(last[:-1], first[1:], where=edge[1:] == edge[:-1])
    return edge, first, last


def _crossings(
    start: NDArray[np.float64], run: NDArray[np.float64], size: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where the coordinate ``start + t run`` of each edge passes the integers 0 to ``size``: edge index and t."""
    end = start + run
    first = np.maximum(np.floor(np.minimum(start, end)) + 1, 0)
    last = np.minimum(np.ceil(np.maximum(start, end)) - 1, size)
    count = np.maximum(last - first + 1, 0).astype(np.intp)
    edge = np.repeat(np.arange(len(run)), count)
    nth = np.arange(len(edge)) - (np.cumsum(count) - count)[edge]
    return edge, (first[edge] + nth - start[edge]) / run[edge]


def _iris_circle(iris: NDArray[np.float64]) -> NDArray[np.float64]:
    radius = np.hypot(*(iris[1:] - iris[0]).T).mean()
    angle = np.arange(24) * (2 * np.pi / 24)
    return iris[0] + radius * np.column_stack([np.cos(angle), np.sin(angle)])


def _eyebrow(
    points: NDArray[np.float64], upper: Sequence[int], ridge: Sequence[int], under: Sequence[int]
) -> NDArray[np.float64]:
    # The mesh marks the upper edge and the ridge; the lower edge of the hair lies between ridge and lid skin.
    lower = 0.5 * (points[list(ridge)] + points[list(under)])
    lower[[0, -1]] = points[[ridge[0], ridge[-1]]]
    return np.vstack([points[list(upper)], lower[::-1]])
