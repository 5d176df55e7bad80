"""What a painter must know of a face: landmarks, skin, areas, and how long a millimetre is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import topology as t
from faceloom.geometry.masks import Region, region_mask, smoothstep
from faceloom.methods.langbrt.prompts import Area, Side
from faceloom.methods.langbrt.regions import area_masks, side_mask
from faceloom.methods.langbrt.skin import beard, parsed_as_skin
from faceloom.perceive import Perception, perceive_image
from faceloom.types import Box, Image, Matte, Points
from faceloom.weights import Store

WEIGHTS = ("face_landmarker", "yunet", "bisenet_celebamask")
_EYES_MM, _FACE_MM = 90.0, 112.0
"""Between the outer corners of adults' eyes, and from the bridge of the nose to the chin, mm."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One face in one picture.

    landmarks  (478, 2) float32, pixels.
    skin       (H, W) float32 in [0, 1]: skin of the face, without eyes, brows, lips, hair and glasses.
    """

    landmarks: NDArray[np.float32]
    skin: Matte

    @property
    def box(self) -> Box:
        """The whole picture."""
        return Box(0, 0, self.skin.shape[1], self.skin.shape[0])

    @cached_property
    def mm(self) -> float:
        """Pixels a millimetre, from the distance of the eyes or the length of the face, whichever is less shortened."""
        eyes = self.landmarks[t.LEFT_EYE_CORNERS[0]] - self.landmarks[t.RIGHT_EYE_CORNERS[0]]
        length = self.landmarks[168] - self.landmarks[152]
        return max(float(np.hypot(*eyes)) / _EYES_MM, float(np.hypot(*length)) / _FACE_MM)

    @cached_property
    def up(self) -> NDArray[np.float32]:
        """(2,) unit vector from chin to forehead."""
        along = self.landmarks[168] - self.landmarks[152]
        return along / max(float(np.hypot(*along)), 1e-6)

    @cached_property
    def areas(self) -> dict[Area, Matte]:
        """Masks of the areas, whether skin or not."""
        return area_masks(self.landmarks, self.box)

    def region(self, area: Area, side: Side) -> Matte:
        """Skin of an area on one side, (H, W) float32 in [0, 1]."""
        return self.areas[area] * self.sides[side] * self.skin

    @cached_property
    def sides(self) -> dict[Side, Matte]:
        """Masks of both sides of the whole picture."""
        return {side: side_mask(side, self.landmarks, self.box) for side in Side}


def find_anatomy(image: Image, perception: Perception, *, parser: bool = True) -> Anatomy | None:
    """The anatomy of the largest face of ``image`` ((H, W, 3) uint8 RGB), or None if there is no face.

    parser  find skin with the face parser (needs torch); else by landmarks and colour alone. With the parser, the
            picture must be an aligned face as FFHQ cuts them.
    """
    faces = perceive_image(image, perception)
    if not faces:
        return None
    landmarks = np.ascontiguousarray(faces[0].landmarks[:, :2], np.float32)
    skin = parsed_skin(image, landmarks, perception) if parser else coloured_skin(image, landmarks)
    return Anatomy(landmarks, skin)


def parsed_skin(image: Image, landmarks: Points, perception: Perception) -> Matte:
    """Skin of an aligned face by the face parser, (H, W) float32 with edges a little inside; beards are none."""
    skin = parsed_as_skin(image, perception.parser)
    return soften(skin, image.shape[1], image.shape[0]) * (1 - beard(image, landmarks))


def coloured_skin(image: Image, landmarks: Points) -> Matte:
    """Skin by place and colour, (H, W) float32: inside the face, and coloured as cheeks, nose and chin are."""
    box = Box(0, 0, image.shape[1], image.shape[0])
    inside = area_masks(landmarks, box)[Area.FACE] * _without_parts(landmarks, box)
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), max(0.6, image.shape[1] / 256)), cv2.COLOR_RGB2LAB)
    lab = lab.astype(np.float32)
    sure = region_mask(Region.SKIN, landmarks, box) > 0.9
    if not sure.any():
        return np.zeros(inside.shape, np.float32)
    middle = np.median(lab[sure], axis=0)
    spread = np.maximum(1.5 * np.median(np.abs(lab[sure] - middle), axis=0), [12, 4, 4])
    distance = np.sqrt((((lab - middle) / spread) ** 2).sum(-1) / 3)
    return inside * smoothstep(distance, 3.2, 2.0)


def soften(mask: NDArray[np.uint8], width: int, height: int) -> Matte:
    """A binary mask at another size, shrunk a little, with soft edges."""
    eroded = cv2.erode(mask, np.ones((3, 3), np.uint8)).astype(np.float32)
    large = cv2.resize(eroded, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(large, (0, 0), max(0.7, width / len(mask)))


def perception_for_anatomy(store: Store) -> Perception:
    """Networks for ``find_anatomy``, single-threaded."""
    return Perception(store, threads=1)


def _without_parts(landmarks: Points, box: Box) -> Matte:
    skin, oval = region_mask(Region.SKIN, landmarks, box), region_mask(Region.FACE_OVAL, landmarks, box)
    return 1 - np.clip(oval - skin, 0, 1)
