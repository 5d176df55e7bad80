"""Aligned crops of faces: sampled without aliasing, looked at again, and their parts masked."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import GeometryError
from faceloom.evaluate.benchmark.quality import Look
from faceloom.geometry import masks
from faceloom.geometry.similarity import face_crop, invert, scale_of, transform
from faceloom.perceive import FaceClass, FaceParser, Perception, perceive_image
from faceloom.types import Attribute, Box, Crop, Image, Points

_CLASSES: dict[Attribute, tuple[FaceClass, ...]] = {
    Attribute.EYEBROWS: (FaceClass.LEFT_BROW, FaceClass.RIGHT_BROW),
    Attribute.EYES: (FaceClass.LEFT_EYE, FaceClass.RIGHT_EYE),
    Attribute.NOSE: (FaceClass.NOSE,),
    Attribute.MOUTH: (FaceClass.MOUTH, FaceClass.UPPER_LIP, FaceClass.LOWER_LIP),
}
_COVERS = (FaceClass.BACKGROUND, FaceClass.GLASSES, FaceClass.CLOTH, FaceClass.HAIR, FaceClass.HAT)
_LEAST_PARSED = 0.4
"""Share of a part's polygon that the parser must find; below, it sees no such part."""


def cut(image: Image, crop: Crop) -> Image:
    """(crop.height, crop.width, 3) uint8: the picture under the crop, edges repeated beyond its border.

    image  (H, W, 3) uint8. Where the crop makes it smaller, the picture is smoothed first (Gaussian of the deviation
           that a pixel of the crop lacks) so that nothing aliases.
    """
    scale = scale_of(crop.matrix)
    height, width = image.shape[:2]
    sigma = 0.5 * float(np.sqrt(max(scale**-2 - 1, 0.0)))
    box = Box.around(_corners(crop)).pad(int(4 * sigma) + 4).clip(width, height)
    if not box.area:
        box = Box(0, 0, width, height)
    piece = np.ascontiguousarray(image[box.slices])
    if sigma > 0.2:
        piece = cv2.GaussianBlur(piece, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    matrix = crop.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (box.left, box.top)
    size = (crop.width, crop.height)
    flags = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(piece, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def seen_mask(shape: tuple[int, ...], crop: Crop) -> NDArray[np.bool_]:
    """(crop.height, crop.width) bool: the pixels of a crop that lie inside a picture of ``shape`` (H, W, ...)."""
    inside = np.ones(shape[:2], np.uint8)
    size = (crop.width, crop.height)
    flags = cv2.INTER_NEAREST
    return np.asarray(cv2.warpAffine(inside, crop.matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT) > 0)


def _corners(crop: Crop) -> NDArray[np.float64]:
    corners = np.array([[0, 0], [crop.width, 0], [0, crop.height], [crop.width, crop.height]], np.float64)
    return transform(invert(crop.matrix), corners)


def look_at_crop(image: Image, crop: Crop, perception: Perception) -> Look | None:
    """Cut the crop out and find the face in it anew: the same from a video and from a manifest. None: no face."""
    picture = cut(image, crop)
    faces = perceive_image(picture, perception)
    if not faces:
        return None
    return Look(picture, faces[0], seen_mask(image.shape, crop), 1 / scale_of(crop.matrix))


def aligned_crop(landmarks: Points, size: int) -> Crop | None:
    """The FFHQ-like square around a face (``geometry.similarity.face_crop``); None for landmarks that define none."""
    try:
        return face_crop(landmarks, size)
    except GeometryError:
        return None


def part_mask(part: Attribute, landmarks: Points, size: int) -> NDArray[np.float32]:
    """(size, size) float32 in [0, 1]: the part's own polygons (lids, hair of the brow, lips with the mouth, nose)."""
    box = Box(0, 0, size, size)
    return _union(masks.region_mask(piece, landmarks, box) for piece in part.parts)


def parsed_mask(part: Attribute, landmarks: Points, classes: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """The part as the face parser sees it, (S, S) float32 of 0 and 1, and the share of it that something covers.

    classes  (S, S) ``FaceClass`` of the crop. The share is 1 where the parser finds hardly anything of the part.
    """
    polygon = part_mask(part, landmarks, classes.shape[0])
    found = np.isin(classes, _CLASSES[part])
    area = max(float(polygon.sum()), 1e-6)
    covered = float(polygon[np.isin(classes, _COVERS)].sum()) / area
    return found.astype(np.float32), 1.0 if float(polygon[found].sum()) < _LEAST_PARSED * area else covered


def parse(look: Look, parser: FaceParser) -> NDArray[np.uint8]:
    """(S, S) uint8 ``FaceClass`` of the look's crop."""
    return parser.parse(look.crop, look.face.landmarks)


def _union(pieces: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    together: NDArray[np.float32] = np.maximum.reduce(list(pieces))
    return together
