"""Which pixels of a face are face: skin and features, and not the hair, beard edge or glasses in front of them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import colour, masks
from faceloom.geometry.partcover import core_matte, face_scale
from faceloom.types import Box, FloatImage, Image, Matte, Part

SKIN: tuple[int, ...] = (
    151, 9, 8, 104, 333, 69, 299, 108, 337, 168, 6, 197, 195, 5, 50, 280, 101, 330, 205, 425, 187, 411, 36, 266, 117,
    346, 118, 347, 147, 376, 192, 416, 214, 434, 207, 427, 199, 200, 175, 18, 210, 430, 135, 364, 123, 352,
)  # fmt: skip
"""Bare skin all over the face."""
_UPPER_FACE = (151, 9, 8, 104, 333, 69, 299, 108, 337, 168, 6, 197)
_LOWER_FACE = (205, 425, 187, 411, 192, 416, 214, 434, 207, 427, 200, 18, 210, 430, 164)
_CERTAIN = 0.38
"""Distance from the oval of the face, in distances between the eyes, from which on a pixel is face whatever it looks
like: a shadow of the nose is not skin-coloured."""
_LOCK = 0.035
"""Half the width of the edge of a lock of hair, the same unit."""
_FEATURES = (Part.LEFT_EYE, Part.RIGHT_EYE, Part.NOSE, Part.MOUTH, Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW)


def oval_matte(landmarks: NDArray[np.float64], box: Box, inset: float, soft: float) -> Matte:
    """The oval of the face moved in by ``inset``, its edge blurred by ``soft`` (distances between the eyes)."""
    scale = face_scale(landmarks)
    oval = masks.offset_outline(masks.outline(masks.Region.FACE_OVAL, landmarks), -inset * scale)
    return masks.blur(masks.polygon_mask(oval, box), soft * scale)


def tint_step(image: Image, landmarks: NDArray[np.float64]) -> float:
    """How much the tint of the lower face differs from that of the upper one: distance of a and b in CIE Lab.

    image  (H, W, 3) uint8. Beards and shadows stay below 13, masks of blue, white and black cloth lie above 20.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), max(0.5, 0.04 * face_scale(landmarks)))
    colours = []
    for points in (_UPPER_FACE, _LOWER_FACE):
        x, y = np.rint(landmarks[list(points), :2]).astype(np.int64).T
        seen = smooth[np.clip(y, 0, image.shape[0] - 1), np.clip(x, 0, image.shape[1] - 1)]
        lab = cv2.cvtColor(seen[None].astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)[0]
        colours.append(np.median(lab[:, 1:], axis=0))
    return float(np.hypot(*(colours[1] - colours[0])))


def face_pixels(
    picture: FloatImage,
    landmarks: NDArray[np.float64],
    skin: tuple[NDArray[np.float64], NDArray[np.float64]],
    box: Box,
) -> Matte:
    """1 on skin, features and the middle of the face, 0 on hair and what else hangs into it: (h, w) float32 over
    ``box``.

    picture  (h, w, 3) float32 in [0, 1], the pixels of ``box``.
    skin     ``surround.skin_statistics`` of the face.
    """
    sure = np.maximum(oval_matte(landmarks, box, _CERTAIN, 0.06), features(landmarks, box))
    return sure + (1 - sure) * skin_alike(picture, landmarks, skin)


def features(landmarks: NDArray[np.float64], box: Box) -> Matte:
    """Eyes, brows, nose and mouth, which look like no skin and belong to the face: (h, w) float32 over ``box``."""
    found: Matte = np.maximum.reduce([core_matte(part, landmarks, box) for part in _FEATURES])
    return found


def skin_alike(
    picture: FloatImage, landmarks: NDArray[np.float64], skin: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> Matte:
    """How much each pixel has the colour of skin, see ``face_pixels``."""
    scale = face_scale(landmarks)
    smooth = cv2.GaussianBlur(picture, (0, 0), max(0.4, 0.012 * scale))
    # Shrunk, because a thin lock is half skin along its edges.
    alike = masks.dilate(colour.likeness(smooth, *skin), -_LOCK * scale)
    return masks.blur(alike, 0.02 * scale)
