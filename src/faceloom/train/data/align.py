"""Pictures of a folder, as square pictures of aligned faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from faceloom.errors import MediaError
from faceloom.geometry.similarity import face_crop, scale_of
from faceloom.media import read_image
from faceloom.perceive import Perception, perceive_image
from faceloom.types import Face, Image

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif")
_LEAST_FACE = 32
"""Faces whose crop is smaller than this many pixels of the picture are left out."""

Complaint = Callable[[str], None]
"""Told about each picture that is left out, and why."""


def picture_files(folder: Path) -> list[Path]:
    """All pictures below a folder, by name of their extension, sorted.

    Raises:
        MediaError: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise MediaError(f"{folder}: is not a folder. Name a folder of pictures of faces.")
    hidden = set(folder.rglob(".*"))
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in EXTENSIONS and path.is_file() and not hidden.intersection((path, *path.parents))
    ]
    if not files:
        raise MediaError(f"{folder}: there is no picture in it. Known are {' '.join(EXTENSIONS)}.")
    return files


def aligned_faces(
    files: Sequence[Path], size: int, perception: Perception | None, complain: Complaint
) -> Iterator[tuple[Path, int, Image]]:
    """The faces of each picture, cut out as FFHQ does: file, number of the face in it, (size, size, 3) uint8 RGB.

    Args:
        files: pictures.
        size: side of the result, pixels.
        perception: finds the faces; None takes every picture for one aligned face and only scales it.
        complain: told about pictures without a face, with faces that are too small, and those that cannot be read.
    """
    for path in files:
        try:
            image = read_image(path)
        except MediaError as error:
            complain(str(error))
            continue
        if perception is None:
            if image.shape[0] == image.shape[1]:
                yield path, 0, _scaled(image, size)
            else:
                complain(f"{path}: is not square, so not an aligned face; leave out --aligned")
            continue
        faces = [face for face in perceive_image(image, perception) if _large_enough(face)]
        if not faces:
            complain(f"{path}: no face of at least {_LEAST_FACE} pixels was found in it")
        for number, face in enumerate(faces):
            yield path, number, _cut(image, face, size)


def _large_enough(face: Face) -> bool:
    return 1 / scale_of(face_crop(face.landmarks, 1).matrix) >= _LEAST_FACE


def _cut(image: Image, face: Face, size: int) -> Image:
    """The FFHQ crop, from the picture mirrored beyond its edges; reduced in steps of two, so that nothing aliases."""
    crop = face_crop(face.landmarks, size)
    factor = max(1, int(1 / scale_of(crop.matrix)))
    large = face_crop(face.landmarks, size * factor)
    cut = cv2.warpAffine(
        image, large.matrix, (large.width, large.height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return _scaled(cut, size)


def _scaled(image: Image, size: int) -> Image:
    if image.shape[0] == size:
        return np.ascontiguousarray(image)
    shrinks = image.shape[0] > size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
