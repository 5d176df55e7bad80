"""Where an edit may show, and the part cut out upright so that two of them can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.evaluate.motion import RING
from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import cover_outline, face_scale
from faceloom.geometry.similarity import transform
from faceloom.types import Attribute, Box, Image, Matrix, Matte, Points

_ROOM = 1.15
"""Side of a part's square over the longer side of its outline."""


def outlines(attribute: Attribute, landmarks: Points) -> list[NDArray[np.float64]]:
    """Polygons (K, 2) that an edit of ``attribute`` replaces; the face oval for what is no facial part."""
    if not attribute.parts:
        return [masks.outline(masks.Region.FACE_OVAL, landmarks)]
    return [cover_outline(part, landmarks) for part in attribute.parts]


def edit_region(
    attribute: Attribute, landmarks: Points, width: int, height: int, ring: float = RING
) -> NDArray[np.bool_]:
    """(height, width) bool: where an edit of ``attribute`` may show in a frame.

    The parts' outlines (``partcover.cover_outline``) and a ring of ``ring`` inter-ocular distances around them, in
    which the soft edge of a transfer lies. It depends on the target's face alone, so that every method is judged on the
    same pixels.

    Args:
        attribute: what is transferred.
        landmarks: (478, 3) of the target's face, frame pixels.
        width: columns of the frame.
        height: rows of the frame.
        ring: width of the ring, inter-ocular distances.
    """
    box, reach = Box(0, 0, width, height), ring * face_scale(landmarks)
    inside = [masks.polygon_mask(outline, box) for outline in outlines(attribute, landmarks)]
    return masks.dilate(np.maximum.reduce(inside), reach) > 0


@dataclass(frozen=True, eq=False)
class PartView:
    """A part cut out upright.

    image   (size, size, 3) uint8 RGB.
    mask    (size, size) float32 in [0, 1], 1 within the part's outline.
    matrix  (2, 3) from the frame to this picture.
    """

    image: Image
    mask: Matte
    matrix: Matrix


def part_view(image: Image, landmarks: Points, attribute: Attribute, size: int) -> PartView:
    """The square around a part with the eyes' line level, scaled to ``size`` pixels.

    The side is 1.15 times the longer side of the part's outline, so parts of different size fill the picture alike.

    Args:
        image: (H, W, 3) uint8 RGB; beyond its border the edge is repeated.
        landmarks: (478, 3), pixels of ``image``.
        attribute: which part; the whole face for what is no facial part.
        size: pixels a side.
    """
    polygons = outlines(attribute, landmarks)
    level = _level(landmarks)
    turned = np.vstack(polygons) @ level.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    zoom = size / max(_ROOM * float((high - low).max()), 1.0)
    linear = zoom * level
    centre = 0.5 * (low + high) * zoom
    matrix = np.column_stack([linear, 0.5 * (size - 1) - centre])
    mask = np.maximum.reduce([masks.polygon_mask(transform(matrix, one), Box(0, 0, size, size)) for one in polygons])
    return PartView(_cut(image, matrix, size, zoom), mask, matrix)


def cells(image: Image, matrix: Matrix, size: int, count: int) -> NDArray[np.float32]:
    """Mean luminance in [0, 1] of ``count`` x ``count`` cells of a part's square: (count, count) float32.

    matrix, size  of the ``part_view`` that says where the square is.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    view = cv2.warpAffine(grey, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(view.astype(np.float32) / np.float32(255), (count, count), interpolation=cv2.INTER_AREA)


def _level(landmarks: Points) -> NDArray[np.float64]:
    """Rotation (2, 2) that makes the line from the subject's right eye to the left one run along x."""
    points = np.asarray(landmarks, np.float64)[:, :2]
    right, left = (points[list(corners)].mean(axis=0) for corners in (t.RIGHT_EYE_CORNERS, t.LEFT_EYE_CORNERS))
    x, y = (left - right) / max(float(np.linalg.norm(left - right)), 1e-9)
    return np.array([[x, y], [-y, x]])


def _cut(image: Image, matrix: Matrix, size: int, zoom: float) -> Image:
    """Sample ``image``; before it is made smaller it is blurred, so that fine detail does not alias."""
    if zoom < 1:
        sigma = 0.5 * np.sqrt(1 / zoom**2 - 1)
        image = cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.3 else image
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
