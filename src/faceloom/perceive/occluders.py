"""What the face parser sees in front of a face: hair, hats, clothes, things that are no face at all."""

from __future__ import annotations

import numpy as np

from faceloom.geometry import masks
from faceloom.geometry.partcover import face_scale
from faceloom.perceive.parse import FaceClass, FaceParser
from faceloom.types import Box, Face, Image, Matte

_IN_FRONT = (FaceClass.BACKGROUND, FaceClass.CLOTH, FaceClass.HAIR, FaceClass.HAT, FaceClass.EARRING)
"""Glasses are left out: the parser paints their lenses over the eyes behind them."""


def occluder_matte(image: Image, face: Face, parser: FaceParser) -> tuple[Box, Matte]:
    """Where something covers ``face`` in ``image`` ((H, W, 3) uint8 RGB).

    Returns:
        The box of the face, clipped to the image, and over it a (h, w) float32 matte in [0, 1], soft by about 1 % of
        the inter-ocular distance and 0 outside the face's oval.
    """
    box = face.box.clip(image.shape[1], image.shape[0])
    classes = parser.parse(image, face.landmarks)[box.slices]
    covered = np.isin(classes, [int(kind) for kind in _IN_FRONT]).astype(np.float32)
    oval = masks.region_mask(masks.Region.FACE_OVAL, face.landmarks, box)
    return box, masks.blur(covered * oval, 0.012 * face_scale(face.landmarks))
