"""What may be replaced around a part: skin, and not the hair, beard or glasses that lie over it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import colour, masks
from faceloom.geometry.partcover import core_matte, face_scale
from faceloom.types import Box, FloatImage, Matte, Part

_LEAST_SPREAD = np.array([0.25, 0.09, 0.09])
"""Deviations of skin features below which a face is more even than wrinkles, pores and shading allow."""


def skin_statistics(colours: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and robust deviation (3,) of ``colour.skin_features`` over (K, 3) colours of skin."""
    features = colour.skin_features(colours).astype(np.float64)
    middle = colour.column_medians(features)
    spread = np.maximum(1.4826 * colour.column_medians(np.abs(features - middle)), _LEAST_SPREAD)
    return middle, spread


def part_and_skin(
    image: FloatImage,
    part: Part,
    landmarks: NDArray[np.float64],
    skin: tuple[NDArray[np.float64], NDArray[np.float64]],
    box: Box,
    core: Matte | None = None,
) -> Matte:
    """1 on the part itself and on skin around it, 0 on anything else: (h, w) float32 over ``box``.

    Args:
        image: (h, w, 3) float32, the pixels of ``box``.
        part: which part.
        landmarks: (478, 3) in the frame of reference of ``box``.
        skin: ``skin_statistics`` of the face.
        box: where ``image`` lies.
        core: ``core_matte`` of the part over ``box``, if it is known.
    """
    core, scale = core_matte(part, landmarks, box) if core is None else core, face_scale(landmarks)
    smooth = cv2.GaussianBlur(image, (0, 0), max(0.4, 0.008 * scale))
    return core + (1 - core) * masks.blur(colour.likeness(smooth, *skin), 0.010 * scale)
