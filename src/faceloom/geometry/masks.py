"""Mattes from landmarks: polygons with subpixel edges, soft bands, and the region of every part."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import topology as t
from faceloom.types import Box, Matte, Part, Points

_SUBPIXEL_BITS = 4


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
        return np.maximum(
            polygon_mask(outline(Region.UPPER_LIP, landmarks), box),
            polygon_mask(outline(Region.LOWER_LIP, landmarks), box),
        )
    if region == Region.SKIN:
        holes = (Part.LEFT_EYE, Part.RIGHT_EYE, Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW, Part.MOUTH)
        oval = polygon_mask(outline(Region.FACE_OVAL, landmarks), box)
        covered: Matte = np.maximum.reduce([polygon_mask(outline(hole, landmarks), box) for hole in holes])
        return np.minimum(oval, 1 - covered)
    return polygon_mask(outline(region, landmarks), box)


def polygon_mask(points: Points, box: Box) -> Matte:
    """Fill a polygon: (height, width) float32 in [0, 1], antialiased, vertices exact to 1/16 pixel.

    Args:
        points: (K, 2) vertices in the same frame of reference as ``box``.
        box: the pixels wanted; vertices outside it are allowed.
    """
    mask = np.zeros((box.height, box.width), np.uint8)
    if mask.size and len(points) >= 3:
        shifted = (np.asarray(points, np.float64)[:, :2] - (box.left, box.top)) * (1 << _SUBPIXEL_BITS)
        # OpenCV's fixed-point rasteriser overflows far outside the picture, where the shape no longer matters.
        limit = (1 << 15) << _SUBPIXEL_BITS
        fixed = np.clip(np.round(shifted), -limit, limit).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    return mask.astype(np.float32) / np.float32(255)


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
    if sigma <= 0.05:
        return mask
    return cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)


def dilate(mask: Matte, radius: float) -> Matte:
    """Grow (shrink if negative) a mask by ``radius`` pixels with a round structuring element."""
    size = 2 * round(abs(radius)) + 1
    if size == 1:
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
