"""Where on a face the areas are that words name."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import topology as t
from faceloom.geometry.masks import outline, polygon_mask, smoothstep
from faceloom.methods.langbrt.prompts import Area, Side
from faceloom.types import Box, Matte, Part, Points

_BRIDGE, _CHIN, _HAIRLINE = 168, 152, 10
_EYES = (
    (t.RIGHT_UNDER_BROW + t.RIGHT_UNDER_EYE, t.RIGHT_EYE_CORNERS),
    (t.LEFT_UNDER_BROW + t.LEFT_UNDER_EYE, t.LEFT_EYE_CORNERS),
)
_CROWS_FEET = 0.45
"""How far the area of an eye reaches beyond its outer corner, in widths of the eye."""
_ABOVE = 0.3
"""How far foreheads reach above the topmost landmarks, in distances from there to the bridge of the nose."""


def area_masks(landmarks: Points, box: Box) -> dict[Area, Matte]:
    """Masks of all areas over ``box``, (height, width) float32 in [0, 1]; outside FACE every pixel has one area.

    Eyes, brows and lips are not cut out: what of an area is skin is for a skin mask to say.

    Args:
        landmarks: (478, 2+) in the frame of reference of ``box``.
        box: the pixels wanted.
    """
    points = np.asarray(landmarks, np.float64)[:, :2]
    up = points[_BRIDGE] - points[_CHIN]
    up = up / max(float(np.linalg.norm(up)), 1e-9)
    face = polygon_mask(_face(points, up), box)
    free, masks = face.copy(), {Area.FACE: face}
    # In this order each takes of what is left.
    for area, polygons in (
        (Area.NOSE, [outline(Part.NOSE, points)]),
        (Area.EYES, [_eye(points, *eye) for eye in _EYES]),
        (Area.MOUTH, [_mouth(points)]),
        (Area.FOREHEAD, [_above_eyes(points, up)]),
        (Area.CHIN, [_chin(points, up)]),
    ):
        covered = np.maximum.reduce([polygon_mask(polygon, box) for polygon in polygons])
        masks[area] = np.minimum(free, covered)
        free = np.clip(free - masks[area], 0, 1)
    masks[Area.CHEEKS] = free
    return masks


def side_mask(side: Side, landmarks: Points, box: Box) -> Matte:
    """1 on the subject's ``side`` of the face's midline, 0 beyond it, soft over a twentieth of the face between."""
    if side == Side.BOTH:
        return np.ones((box.height, box.width), np.float32)
    points = np.asarray(landmarks, np.float64)[:, :2]
    across = points[t.LEFT_EYE_CORNERS[0]] - points[t.RIGHT_EYE_CORNERS[0]]
    # The bridge, nose tip and chin follow a turned head, the middle between the eyes does not.
    line = points[_CHIN] - points[_BRIDGE]
    normal = np.array([line[1], -line[0]]) / max(float(np.linalg.norm(line)), 1e-9)
    if normal @ across < 0:
        normal = -normal
    y, x = np.mgrid[box.top : box.bottom, box.left : box.right].astype(np.float32)
    distance = (x - points[_BRIDGE, 0]) * normal[0] + (y - points[_BRIDGE, 1]) * normal[1]
    soft = 0.025 * float(np.linalg.norm(line))
    left = smoothstep(distance, -soft, soft)
    return left if side == Side.LEFT else 1 - left


def region_of(area: Area, side: Side, landmarks: Points, box: Box) -> Matte:
    """An area on one side, (height, width) float32 in [0, 1]."""
    return area_masks(landmarks, box)[area] * side_mask(side, landmarks, box)


def _face(points: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """The oval, its upper part moved up: the mesh ends below the hairline."""
    oval = points[list(t.FACE_OVAL)].copy()
    height = (oval - points[_BRIDGE]) @ up
    top = max(float((points[_HAIRLINE] - points[_BRIDGE]) @ up), 1e-9)
    return oval + (np.clip(height / top, 0, 1) ** 2 * _ABOVE * top)[:, None] * up


def _eye(points: NDArray[np.float64], ring: tuple[int, ...], corners: tuple[int, ...]) -> NDArray[np.float64]:
    outer, inner = points[corners[0]], points[corners[1]]
    around = points[list(ring)]
    reach = (outer - inner) * _CROWS_FEET
    centre = around.mean(axis=0)
    larger = centre + 1.15 * (around - centre)
    tail = np.array([outer + reach + turn * np.array([-reach[1], reach[0]]) for turn in (-0.7, 0.7)])
    return _hull(np.vstack([larger, tail]))


def _mouth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    ring = outline(Part.MOUTH, points)
    centre = ring.mean(axis=0)
    across = points[t.MOUTH_CORNERS[1]] - points[t.MOUTH_CORNERS[0]]
    across = across / max(float(np.linalg.norm(across)), 1e-9)
    down = np.array([-across[1], across[0]])
    offset = ring - centre
    wide = centre + 1.45 * (offset @ across)[:, None] * across + 1.75 * (offset @ down)[:, None] * down
    # Up to the wings of the nose, so that the folds beside it belong here.
    return _hull(np.vstack([wide, points[[129, 358, 98, 327]]]))


def _above_eyes(points: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Everything above a line a little below the brows (a very large square): what lies between them belongs here."""
    across = np.array([-up[1], up[0]])
    brows = points[list(t.RIGHT_EYEBROW_LOWER + t.LEFT_EYEBROW_LOWER)]
    level = 0.4 * float(np.median((brows - points[_BRIDGE]) @ up))
    far = 10 * max(float(np.ptp(points, axis=0).max()), 1.0)
    start = points[_BRIDGE] + level * up
    corners = (-across, across, across + up, up - across)
    return start + far * np.array(corners)


def _chin(points: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Below the lower lip, as wide as the mouth."""
    across = np.array([-up[1], up[0]])
    right, left = (points[index] for index in t.MOUTH_CORNERS)
    half = 0.6 * abs(float((left - right) @ across))
    start = points[17]
    low = points[_CHIN] - 0.3 * np.linalg.norm(points[_CHIN] - start) * up
    return np.array([start - half * across, start + half * across, low + half * across, low - half * across])


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)
