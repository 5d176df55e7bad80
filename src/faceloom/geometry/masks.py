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

    Source: signed-area accumulation, as font rasterisers do: cut every edge at the borders of the pixels, add each
    piece's height at its pixel (the share to its right there, the rest one further), and sum along the rows.
    """
    a = np.asarray(points, np.float64)[:, :2] - (box.left - 0.5, box.top - 0.5)
    if len(a) < 3 or box.area == 0:
        return np.zeros((box.height, box.width), np.float32)
    if not np.isfinite(a).all():
        raise GeometryError("a polygon needs finite vertices; some are not numbers")
    run = np.roll(a, -1, axis=0) - a
    edge, start, end = _pieces(a, run, box)
    middle = a[edge] + (0.5 * (start + end))[:, None] * run[edge]
    rise = (end - start) * run[edge, 1]
    row, x = np.floor(middle[:, 1]), np.maximum(middle[:, 0], 0)
    inside = (row >= 0) & (row < box.height) & (x < box.width)
    row, x, rise = row[inside].astype(np.intp), x[inside], rise[inside]
    column = x.astype(np.intp)
    beyond = rise * (x - column)
    stride = box.width + 1
    at = row * stride + column
    steps = np.bincount(
        np.concatenate([at, at + 1]), np.concatenate([rise - beyond, beyond]), minlength=box.height * stride
    )
    covered = np.abs(np.cumsum(steps.reshape(box.height, stride)[:, :-1], axis=1))
    # What rounding leaves of sums that cancel must not count as covered.
    covered *= covered > 1e-9
    return np.minimum(covered, 1, out=covered).astype(np.float32)


def line_mask(points: Points, width: float, box: Box) -> Matte:
    """A polyline of the given width (pixels) over ``box``: (height, width) float32 in [0, 1], antialiased."""
    p = np.asarray(points, np.float64)[:, :2]
    tangent = np.gradient(p, axis=0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    normal = normal / np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-9)[:, None]
    return polygon_mask(np.vstack([p + normal * width / 2, (p - normal * width / 2)[::-1]]), box)


def offset_outline(points: Points, distance: float) -> NDArray[np.float64]:
    """Move each vertex of a closed polygon outwards (inwards if negative) by ``distance`` along its normal."""
    p = np.asarray(points, np.float64)[:, :2]
    tangent = np.roll(p, -1, axis=0) - np.roll(p, 1, axis=0)
    normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    normal = normal / np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-9)[:, None]
    area = 0.5 * float(np.sum(p[:, 0] * np.roll(p[:, 1], -1) - np.roll(p[:, 0], -1) * p[:, 1]))
    return p + normal * (distance if area > 0 else -distance)


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


def _pieces(
    start: NDArray[np.float64], run: NDArray[np.float64], box: Box
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Edges ``start + t run`` cut at the borders of the box's pixels: edge index, first t and last t of each piece."""
    count = len(run)
    across, down = _crossings(start[:, 0], run[:, 0], box.width), _crossings(start[:, 1], run[:, 1], box.height)
    edge = np.concatenate([np.arange(count), across[0], down[0]])
    first = np.concatenate([np.zeros(count), across[1], down[1]])
    order = np.lexsort((first, edge))
    edge, first = edge[order], first[order]
    last = np.where(np.diff(edge, append=-1) == 0, np.append(first[1:], 1.0), 1.0)
    return edge, first, last


def _crossings(
    start: NDArray[np.float64], run: NDArray[np.float64], size: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where the coordinate ``start + t run`` of each edge passes the integers 0 to ``size``: edge index and t."""
    low, high = np.minimum(start, start + run), np.maximum(start, start + run)
    first = np.clip(np.floor(low) + 1, 0, size + 1)
    count = np.maximum(np.clip(np.ceil(high) - 1, -1, size) - first + 1, 0).astype(np.intp)
    edge = np.repeat(np.arange(len(run)), count)
    nth = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
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
