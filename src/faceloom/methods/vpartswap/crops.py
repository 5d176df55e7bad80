"""The square, aligned crops that the network works on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import warp
from faceloom.geometry.similarity import face_crop, invert, scale_of, transform
from faceloom.types import Box, Crop, Face, FloatImage, Frame, Image, Points


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """A face as the network sees it.

    index      of the frame.
    crop       from frame to crop, the square that FFHQ would cut.
    picture    (S, S, 3) float32 RGB in [0, 1].
    landmarks  (478, 3) float64, crop pixels; z in the unit of x.
    """

    index: int
    crop: Crop
    picture: FloatImage
    landmarks: NDArray[np.float64]

    @property
    def rounded(self) -> Image:
        """The picture as uint8."""
        return (self.picture * 255 + 0.5).astype(np.uint8)


def cut_face(frame: Frame, face: Face, size: int) -> FaceCrop:
    """The aligned crop of a face, ``size`` pixels on a side."""
    crop = face_crop(face.landmarks, size)
    return FaceCrop(frame.index, crop, resample(frame.image, crop), to_crop(face.landmarks, crop))


def to_crop(landmarks: Points, crop: Crop) -> NDArray[np.float64]:
    """Landmarks (478, 3) of the frame in crop pixels, depth scaled along."""
    depth = landmarks[:, 2:3].astype(np.float64) * scale_of(crop.matrix)
    return np.hstack([transform(crop.matrix, landmarks), depth])


def resample(image: Image, crop: Crop) -> FloatImage:
    """The pixels of a crop, (h, w, 3) float32 in [0, 1], without aliasing; the frame's edge is repeated outside it."""
    to_frame = invert(crop.matrix)
    corners = np.array([[0, 0], [crop.width, 0], [0, crop.height], [crop.width, crop.height]], np.float64) - 0.5
    zoom = scale_of(to_frame)
    box = Box.around(transform(to_frame, corners)).pad(int(4 * zoom) + 2).clip(image.shape[1], image.shape[0])
    if not box.area:
        box = Box(0, 0, image.shape[1], image.shape[0])
    part = image[box.slices].astype(np.float32) / np.float32(255)
    to_frame[:, 2] -= (box.left, box.top)
    where = warp.affine_field(to_frame, Box(0, 0, crop.width, crop.height))
    return np.clip(warp.sample_minified(warp.minified(part), where, zoom), 0, 1)


def enlarge(picture: NDArray[np.float32], crop: Crop, box: Box) -> NDArray[np.float32]:
    """A picture in crop pixels, seen over ``box`` of the frame: (h, w, C) float32, cubic."""
    from_box = crop.matrix.copy()
    from_box[:, 2] += from_box[:, :2] @ np.array([box.left, box.top], np.float64)
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC
    return cv2.warpAffine(picture, from_box, (box.width, box.height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
