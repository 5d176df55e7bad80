"""Rims of glasses: thin lines that are not part of the face and lie in front of it."""

from __future__ import annotations

import cv2
import numpy as np

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.geometry.similarity import fit_similarity
from faceloom.types import Box, Image, Matte, Part, Points

_RIM = 0.13
"""Widest rim looked for, as the window of the median, in inter-ocular distances; a line wider than half stays."""
_STRIP = (24, 56)
"""Size in pixels, at 80 pixels between the eyes, of the strip across the bridge of the nose."""


def thin_lines(image: Image, scale: float) -> Matte:
    """How much each pixel differs from the median of its surroundings: (H, W) float32 in [0, 1], largest channel.

    Thin lines, dark or bright, stand out; edges, shading and broad highlights do not.

    Args:
        image: (H, W, 3) uint8.
        scale: inter-ocular distance in pixels.
    """
    window = min(2 * round(_RIM * scale / 2) + 1, 255)
    if window < 3:
        return np.zeros(image.shape[:2], np.float32)
    apart = cv2.absdiff(image, cv2.medianBlur(image, window))
    # Plane by plane: numpy is slow along a last axis of three.
    return np.maximum.reduce([apart[..., c] for c in range(3)]).astype(np.float32) / np.float32(255)


def bridge_contrast(image: Image, landmarks: Points) -> float:
    """Contrast in [0, 1] of a line across the bridge of the nose between the eyes.

    Every pair of glasses has one there and hardly a face does: below 0.08 without glasses, above 0.12 with them.
    """
    points = np.asarray(landmarks, np.float64)[:, :2]
    corners = points[list(t.RIGHT_EYE_CORNERS + t.LEFT_EYE_CORNERS)]
    eyes = 0.5 * (corners[::2] + corners[1::2])
    width, height = _STRIP
    goal = np.array([[width / 2 - 40, height / 2 - 4], [width / 2 + 40, height / 2 - 4]])
    to_frame = fit_similarity(goal, eyes)
    strip = cv2.warpAffine(
        image, to_frame, _STRIP, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return float(np.median(thin_lines(strip, 80.0).max(axis=0)))


def rims(image: Image, landmarks: Points, box: Box) -> Matte:
    """Where thin rims cross the face, eyes left out: (h, w) float32 in [0, 1] over ``box`` of ``image``.

    Meant for faces whose ``bridge_contrast`` says that they wear glasses; on others it marks single hairs.
    """
    scale = face_scale(landmarks)
    margin = int(0.1 * scale) + 2
    wide = box.pad(margin).clip(image.shape[1], image.shape[0])
    lines = masks.smoothstep(thin_lines(image[wide.slices], scale), 0.05, 0.12)
    eyes = [masks.polygon_mask(masks.offset_outline(masks.outline(p, landmarks), 0.06 * scale), wide) for p in _EYES]
    nostrils = masks.polygon_mask(np.asarray(landmarks)[list(_NOSE_TIP), :2], wide)
    lines = masks.blur(masks.dilate(lines, 0.012 * scale), 0.008 * scale) * (1 - np.maximum.reduce([*eyes, nostrils]))
    return lines[box.relative_to(wide).slices]


_EYES = (Part.LEFT_EYE, Part.RIGHT_EYE)
_NOSE_TIP = (195, 248, 456, 360, 358, 327, 326, 2, 97, 98, 129, 131, 236, 3)
