"""Aligned crops of portraits whose landmarks are stored, as the networks of diffusion methods take them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry.similarity import face_crop
from faceloom.methods.vpartswap.crops import FaceCrop, resample, to_crop

TESTS = Path(__file__).parents[1]
LANDMARKS = TESTS / "data" / "geometry" / "landmarks.npz"


@cache
def stored_landmarks(person: int) -> NDArray[np.float32]:
    """(478, 3) landmarks of ``portrait(person)``, 1 to 4, pixels; read-only."""
    with np.load(LANDMARKS) as archive:
        landmarks = archive[f"landmarks_{person}"].astype(np.float32)
    landmarks.flags.writeable = False
    return landmarks


@cache
def portrait(person: int) -> NDArray[np.uint8]:
    """(512, 512, 3) uint8 RGB; read-only."""
    path = TESTS.parent / "examples" / "portraits" / f"person_{person:02d}.jpg"
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    image.flags.writeable = False
    return image


def aligned(person: int, size: int, index: int = 0) -> FaceCrop:
    """The face of a portrait as frame ``index`` of a clip."""
    crop = face_crop(stored_landmarks(person), size)
    return FaceCrop(index, crop, resample(portrait(person), crop), to_crop(stored_landmarks(person), crop))
