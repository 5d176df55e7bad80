"""What the face parser sees in front of a face: hair, hats, clothes, things that are no face at all."""

from __future__ import annotations

import numpy as np

from faceloom.geometry import masks
from faceloom.geometry.partcover import face_scale
from faceloom.perceive.parse import FaceClass, FaceParser
from faceloom.types import Box, Face, Image, Matte, Part

_IN_FRONT = [
    int(kind) for kind in (FaceClass.BACKGROUND, FaceClass.CLOTH, FaceClass.HAIR, FaceClass.HAT, FaceClass.EARRING)
]
"""Glasses are left out: the parser paints their lenses over the eyes behind them."""
_OF_MOUTH = [int(kind) for kind in (FaceClass.MOUTH, FaceClass.UPPER_LIP, FaceClass.LOWER_LIP)]


def occluder_matte(image: Image, face: Face, parser: FaceParser) -> tuple[Box, Matte]:
    """Where something covers ``face`` in ``image`` ((H, W, 3) uint8 RGB).

    Returns:
        The box of the face, clipped to the image, and over it a (h, w) float32 matte in [0, 1], soft by about 1 % of
        the inter-ocular distance and 0 outside the face's oval.
    """
    box = face.box.clip(image.shape[1], image.shape[0])
    classes, scale = parser.parse(image, face.landmarks)[box.slices], face_scale(face.landmarks)
    covered = np.isin(classes, _IN_FRONT)
    oval = masks.region_mask(masks.Region.FACE_OVAL, face.landmarks, box)
    # A hand or a thing before the mouth is often taken for skin; but then the lips are missing where they must be.
    lips = masks.polygon_mask(masks.offset_outline(masks.outline(Part.MOUTH, face.landmarks), -0.03 * scale), box)
    no_lips = (lips * ~np.isin(classes, _OF_MOUTH)).astype(np.float32)
    # Specks along thin lips are mistakes of the parser: only what survives an erosion is grown again, and more.
    no_lips = masks.dilate(masks.dilate(no_lips, -0.025 * scale), 0.065 * scale)
    return box, masks.blur(np.maximum(covered * oval, no_lips), 0.012 * scale)
