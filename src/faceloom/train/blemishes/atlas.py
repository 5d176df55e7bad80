"""The anatomies of packed faces, found once and kept beside them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError, MediaError
from faceloom.perceive import Perception
from faceloom.train.blemishes.anatomy import Anatomy, find_anatomy, soften
from faceloom.train.data.faces import PackedFaces
from faceloom.types import Image

NAME = "anatomy.npz"
_SIDE = 256
"""Side of the kept masks."""


class Atlas:
    """Landmarks and skin of packed faces.

    Raises MediaError: not found, damaged, or of other faces.
    """

    def __init__(self, faces: PackedFaces) -> None:
        path = faces.folder / NAME
        try:
            with np.load(path, allow_pickle=False) as kept:
                self._landmarks: NDArray[np.float32] = kept["landmarks"]
                self._skin: NDArray[np.uint8] = kept["skin"]
                self.found: NDArray[np.bool_] = kept["found"]
        except FileNotFoundError as error:
            raise MediaError(f"{path}: is missing; faces are looked for when training begins") from error
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise MediaError(f"{path}: is damaged ({error}); delete it, and it is made again") from error
        if len(self.found) != len(faces.names):
            raise MediaError(f"{path}: belongs to other faces; delete it, and it is made again")

    def anatomy(self, row: int, size: int) -> Anatomy:
        """Of the face in a row, in a picture of ``size`` pixels a side."""
        skin = np.unpackbits(self._skin[row]).reshape(_SIDE, _SIDE)
        # Pixel centres are at integers: the side of the picture is from -0.5 to size - 0.5.
        return Anatomy(self._landmarks[row] * size - 0.5, soften(skin, size, size))


def face_pixels(faces: PackedFaces, size: int, row: int) -> Image:
    """(size, size, 3) uint8 RGB of one packed face."""
    pixels = faces.batch(size, np.array([row]))[0].permute(1, 2, 0).numpy()
    return np.round((pixels + 1) * 127.5).astype(np.uint8)


def prepare_atlas(
    faces: PackedFaces,
    perception: Perception,
    *,
    parser: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Find the anatomies of all packed faces, if that was not done before.

    perception  finds landmarks and, with ``parser``, skin; 0.1 s a face on one core.

    Raises FaceError if no face has one.
    """
    path = faces.folder / NAME
    if path.is_file():
        return
    size, count = max(faces.sizes), len(faces.names)
    landmarks = np.zeros((count, 478, 2), np.float32)
    skin = np.zeros((count, _SIDE * _SIDE // 8), np.uint8)
    found = np.zeros(count, bool)
    for row in range(count):
        anatomy = find_anatomy(face_pixels(faces, size, row), perception, parser=parser)
        if anatomy is not None:
            landmarks[row], found[row] = (anatomy.landmarks + 0.5) / size, True
            small = cv2.resize(anatomy.skin, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
            skin[row] = np.packbits(small > 0.5)
        progress(row + 1, count)
    if not found.any():
        raise FaceError(f"{faces.folder}: no face was found in any of the packed pictures")
    temporary = path.with_name(f".{path.stem}.partial.npz")
    np.savez(temporary, landmarks=landmarks, skin=skin, found=found)
    temporary.replace(path)
