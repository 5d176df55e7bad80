"""How far a part reaches: the polygon it fills, its soft matte, its box, and how much of it faces the camera."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.similarity import fit_similarity, transform
from faceloom.types import Box, Matte, Part, Points

_EDGE: dict[Part, tuple[float, float]] = {
    Part.MOUTH: (0.05, 0.035),
    Part.NOSE: (0.02, 0.045),
    Part.LEFT_EYE: (0.0, 0.035),
    Part.RIGHT_EYE: (0.0, 0.035),
    Part.LEFT_EYEBROW: (0.06, 0.035),
    Part.RIGHT_EYEBROW: (0.06, 0.035),
}
"""Per part: how far the matte reaches past the outline, and its softness, in inter-ocular distances."""

_SIDE: dict[Part, float] = {
    Part.MOUTH: 0.0,
    Part.NOSE: 0.0,
    Part.LEFT_EYE: 0.45,
    Part.RIGHT_EYE: -0.45,
    Part.LEFT_EYEBROW: 0.4,
    Part.RIGHT_EYEBROW: -0.4,
}
"""Tangent of the angle by which each part looks to the side on a frontal head (x to the subject's left)."""

_CORE_SOFTNESS = 0.015
"""Softness of ``core_matte``'s edge, in inter-ocular distances."""
_GAUSSIAN_REACH = 3.2
"""Standard deviations after which a blurred edge is below one grey level."""


def face_scale(landmarks: Points) -> float:
    """Distance between the eyes' centres in pixels, measured in 3-D so that it does not shrink with yaw."""
    (a, b), (c, d) = t.LEFT_EYE_CORNERS, t.RIGHT_EYE_CORNERS
    across = 0.5 * (landmarks[a, :3] + landmarks[b, :3] - landmarks[c, :3] - landmarks[d, :3])
    return max(float(np.sqrt(across @ across)), 1e-3)


def cover_outline(part: Part, landmarks: Points) -> NDArray[np.float64]:
    """(K, 2) polygon that a transfer of the part replaces: for eyes the lids and skin around too."""
    if part == Part.LEFT_EYE:
        return _midway(landmarks, t.LEFT_UPPER_LID_SKIN, t.LEFT_UNDER_BROW, t.LEFT_LOWER_LID_SKIN, t.LEFT_UNDER_EYE)
    if part == Part.RIGHT_EYE:
        return _midway(landmarks, t.RIGHT_UPPER_LID_SKIN, t.RIGHT_UNDER_BROW, t.RIGHT_LOWER_LID_SKIN, t.RIGHT_UNDER_EYE)
    return masks.outline(part, landmarks)


def part_matte(part: Part, target: Points, reference: Points | None, box: Box) -> Matte:
    """The soft matte of a part over ``box``: (h, w) float32 in [0, 1], 0 beyond the silhouette of the face.

    Args:
        part: which part.
        target: (478, 3) landmarks in the frame.
        reference: (478, 3) landmarks in the reference; a nose keeps its own shape, so the matte covers both noses.
        box: the pixels of the frame wanted.
    """
    outlines = _matte_outlines(part, target, reference, box)
    return _soft_matte(part, masks.polygon_masks(outlines.all, box), outlines, face_scale(target))


def part_and_core_mattes(part: Part, target: Points, reference: Points | None, box: Box) -> tuple[Matte, Matte]:
    """``part_matte`` and ``core_matte`` of the target, in less time than one after the other."""
    outlines, scale = _matte_outlines(part, target, reference, box), face_scale(target)
    *mattes, core = masks.polygon_masks([*outlines.all, _core_outline(part, target)], box)
    return _soft_matte(part, mattes, outlines, scale), masks.blur(core, _CORE_SOFTNESS * scale)


class _MatteOutlines(NamedTuple):
    """Polygons (K, 2) that a part's matte covers, and the face's silhouette if it passes through the matte."""

    covers: list[NDArray[np.float64]]
    silhouettes: list[NDArray[np.float64]]

    @property
    def all(self) -> list[NDArray[np.float64]]:
        return self.covers + self.silhouettes


def _matte_outlines(part: Part, target: Points, reference: Points | None, box: Box) -> _MatteOutlines:
    scale, grow = face_scale(target), _EDGE[part][0]
    covers = [masks.offset_outline(cover_outline(part, target), grow * scale)]
    if part == Part.NOSE and reference is not None:
        nose = list(t.NOSE_POINTS)
        moved = transform(fit_similarity(reference[nose], target[nose]), cover_outline(part, reference))
        covers.append(masks.offset_outline(moved, grow * scale))
    # Inset, because hair and background begin a little inside the mesh's silhouette on a turned head.
    oval = masks.offset_outline(masks.outline(masks.Region.FACE_OVAL, target), -0.07 * scale)
    return _MatteOutlines(covers, [] if _deep_inside(oval, box, 0.06 * scale) else [oval])


def _soft_matte(part: Part, mattes: list[Matte], outlines: _MatteOutlines, scale: float) -> Matte:
    """``part_matte`` from the masks of its outlines."""
    soft_mask = masks.blur(np.maximum.reduce(mattes[: len(outlines.covers)]), _EDGE[part][1] * scale)
    if not outlines.silhouettes:
        return soft_mask
    return np.minimum(soft_mask, masks.blur(mattes[-1], 0.02 * scale))


def _deep_inside(outline: NDArray[np.float64], box: Box, margin: float) -> bool:
    """Whether all corners of ``box`` lie inside a convex outline by at least ``margin`` pixels."""
    polygon = outline.astype(np.float32)
    corners = ((box.left, box.top), (box.right, box.top), (box.left, box.bottom), (box.right, box.bottom))
    return all(cv2.pointPolygonTest(polygon, corner, True) > margin for corner in corners)


def core_matte(part: Part, landmarks: Points, box: Box) -> Matte:
    """Where the target's own part lies and must go, whatever it looks like: (h, w) float32 in [0, 1].

    Around it, up to the edge of ``part_matte``, there should be skin; what is not skin there (hair, a beard, the
    rim of glasses) belongs to the target and stays.
    """
    return masks.blur(masks.polygon_mask(_core_outline(part, landmarks), box), _CORE_SOFTNESS * face_scale(landmarks))


def _core_outline(part: Part, landmarks: Points) -> NDArray[np.float64]:
    if part in (Part.LEFT_EYE, Part.RIGHT_EYE):
        left = part == Part.LEFT_EYE
        upper, lower = (
            (t.LEFT_UPPER_LID_SKIN, t.LEFT_LOWER_LID_SKIN) if left else (t.RIGHT_UPPER_LID_SKIN, t.RIGHT_LOWER_LID_SKIN)
        )
        return np.asarray(landmarks, np.float64)[list(upper + lower[-2:0:-1]), :2]
    return masks.offset_outline(cover_outline(part, landmarks), 0.02 * face_scale(landmarks))


def part_box(part: Part, landmarks: Points, width: int, height: int) -> Box:
    """The pixels that editing a part may touch, clipped to a frame of ``width`` × ``height``; may be empty."""
    grow, soft = _EDGE[part]
    scale = face_scale(landmarks)
    margin = (grow + _GAUSSIAN_REACH * soft) * scale + 2
    if part == Part.NOSE:
        # Room for a reference nose that is larger than the target's.
        margin += 0.12 * scale
    return Box.around(cover_outline(part, landmarks)).pad(int(np.ceil(margin))).clip(width, height)


def visibility(part: Part, pose: NDArray[np.float64]) -> float:
    """How far a part faces the camera: 1 up to 45° away from it, 0 from 70° on.

    ``pose`` is the (4, 4) head pose; a part's direction on a frontal head comes from where it sits.
    """
    direction = np.array([_SIDE[part], 0.0, 1.0])
    turned = pose[:3, :3] @ direction
    angle = float(np.degrees(np.arccos(np.clip(turned[2] / max(float(np.linalg.norm(turned)), 1e-9), -1, 1))))
    return float(masks.smoothstep(angle, 70.0, 45.0))


def eye_openness(part: Part, landmarks: Points) -> float:
    """Mean height of the lid opening over the width of the eye; about 0.3 when open, under 0.1 when shut."""
    return float(eye_opennesses(part, np.asarray(landmarks)[None])[0])


def eye_opennesses(part: Part, landmarks: Points) -> NDArray[np.float64]:
    """``eye_openness`` of many faces at once: (T, 478, 3) landmarks to (T,)."""
    left = part == Part.LEFT_EYE
    upper, lower = (t.LEFT_UPPER_LID, t.LEFT_LOWER_LID) if left else (t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID)
    gap = landmarks[:, lower[2:-2], :2] - landmarks[:, upper[2:-2], :2]
    across = landmarks[:, upper[0], :3] - landmarks[:, upper[-1], :3]
    width = np.sqrt((across * across).sum(axis=-1))
    opennesses: NDArray[np.float64] = np.hypot(gap[..., 0], gap[..., 1]).mean(axis=-1) / np.maximum(width, 1e-6)
    return opennesses


def mouth_openness(landmarks: Points) -> float:
    """Mean gap between the inner lip lines over the inter-ocular distance."""
    gap = landmarks[list(t.LOWER_LIP_INNER[3:-3]), :2] - landmarks[list(t.UPPER_LIP_INNER[3:-3]), :2]
    return float(np.hypot(gap[:, 0], gap[:, 1]).mean() / face_scale(landmarks))


def _midway(
    landmarks: Points, upper: t.Indices, above: t.Indices, lower: t.Indices, below: t.Indices
) -> NDArray[np.float64]:
    points = np.asarray(landmarks, np.float64)[:, :2]
    top = 0.5 * (points[list(upper)] + points[list(above)])
    bottom = 0.5 * (points[list(lower)] + points[list(below)])
    return np.vstack([top, bottom[-2:0:-1]])
