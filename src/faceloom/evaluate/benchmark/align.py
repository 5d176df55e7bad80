"""One smooth alignment per clip: target and results are cut out of their frames by the same matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError
from faceloom.evaluate.benchmark.cutting import aligned_crop
from faceloom.geometry.similarity import scale_of, transform
from faceloom.perceive import smooth_parameters
from faceloom.types import Crop, Face, Points

SMOOTHING_SECONDS = 0.15
"""Standard deviation of the Gaussian in time. Short enough to stay with a head that turns, long enough that the crop
does not tremble with the landmarks: a trembling crop would add warping error to every method alike."""


def smooth_alignment(faces: Sequence[Face | None], size: int, fps: float) -> NDArray[np.float64]:
    """(T, 2, 3) similarities from frame to a ``size`` × ``size`` crop, one per frame.

    Each frame's own FFHQ-like crop (``geometry.similarity.face_crop``), interpolated over frames without a face, then
    averaged in time. A similarity is linear in its four numbers, so their average is one too, and it maps every point
    to the average of where the single ones would.

    Raises:
        FaceError: no face in any frame.
    """
    crops = [None if face is None else aligned_crop(face.landmarks, size) for face in faces]
    known = np.array([crop is not None for crop in crops])
    if not known.any():
        raise FaceError("no face was found in any frame, so there is nothing to align")
    own = np.array([crop.matrix.ravel() for crop in crops if crop is not None])
    frames = np.arange(len(crops))
    filled = np.column_stack([np.interp(frames, frames[known], column) for column in own.T])
    sigma = max(SMOOTHING_SECONDS * fps, 0.5)
    smooth = smooth_parameters(filled, np.ones(len(filled), bool), radius=int(np.ceil(3 * sigma)), sigma=sigma)
    return smooth.reshape(-1, 2, 3)


def crop_at(matrices: NDArray[np.float64], index: int, size: int) -> Crop:
    """The crop of one frame."""
    return Crop(matrices[index], size, size)


def to_crop(landmarks: Points, crop: Crop) -> NDArray[np.float64]:
    """(478, 3) landmarks of the frame in crop pixels; z in the unit of x."""
    points = np.asarray(landmarks, np.float64)
    return np.column_stack([transform(crop.matrix, points), points[:, 2] * scale_of(crop.matrix)])
