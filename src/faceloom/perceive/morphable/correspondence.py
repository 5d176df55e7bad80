"""Between the 478 landmarks and the 68 points of the morphable model: where to look, and how well it fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceloom.errors import FaceError
from faceloom.types import Points


@dataclass(frozen=True)
class CropSquare:
    """A square of whole pixels in the frame, which it may leave: ``side`` columns from ``left``, rows from ``top``."""

    left: int
    top: int
    side: int


def square_around_box(box: ArrayLike) -> CropSquare:
    """The square that the regressor wants to see, for a face ``box``: (left, top, right, bottom), frame pixels.

    1.58 times the mean side of the box, moved down by 0.14 of it, as the regressor was trained. Raises ``FaceError``
    for a box without area.
    """
    left, top, right, bottom = (float(value) for value in np.asarray(box, np.float64))
    if not (np.isfinite([left, top, right, bottom]).all() and right > left and bottom > top):
        raise FaceError(f"the face box ({left:.1f}, {top:.1f}, {right:.1f}, {bottom:.1f}) has no area; detect again")
    mean_side = (right - left + bottom - top) / 2
    side = int(1.58 * mean_side)
    x, y = (left + right) / 2, (top + bottom) / 2 + 0.14 * mean_side
    return CropSquare(round(x - side / 2), round(y - side / 2), max(1, side))


def square_around_landmarks(landmarks: Points) -> CropSquare:
    """``square_around_box`` of the bounding box of ``landmarks`` ((N, 2 or 3) frame pixels)."""
    return square_around_box(np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)]))


# The landmarks next to the points 17 to 67 of Multi-PIE. Two landmarks: the point lies between them. Points 0 to 16
# run along the contour of the face as it is seen, not along the skin: no landmark answers to them at every pose.
_INNER = (
    70, 63, 105, 66, 107,  # upper edge of the subject's right eyebrow, from the temple
    336, 296, 334, 293, 300,  # of the left one, from the nose
    168, (197, 6), 5, 4,  # bridge of the nose
    98, 97, 2, 326, 327,  # underside of the nose
    33, 160, 158, 133, 153, 144,  # right eye, from its outer corner over the upper lid
    362, 385, 387, 263, 373, 380,  # left eye, from its inner corner
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer edge of the lips
    78, 81, 13, 311, 308, 402, 14, 178,  # inner edge
)  # fmt: skip
_FIRST = np.array([entry if isinstance(entry, int) else entry[0] for entry in _INNER])
_SECOND = np.array([entry if isinstance(entry, int) else entry[1] for entry in _INNER])
_RIGHT_EYE, _LEFT_EYE = 33, 263
BROW_POINTS = 10
"""Of the points 17 to 67, the first ones lie on the eyebrows."""


def keypoints_of_landmarks(landmarks: Points) -> NDArray[np.float64]:
    """(51, 2) frame pixels: where ``landmarks`` (478, 2 or 3) put the points 17 to 67 of the 68: all but the jaw."""
    return (landmarks[_FIRST, :2].astype(np.float64) + landmarks[_SECOND, :2]) / 2


@dataclass(frozen=True, eq=False)
class ReprojectionError:
    """How far the model's points are from the landmarks in the frame.

    pixels    (51,) float64, distance of each of the points 17 to 67, frame pixels.
    mean      their mean, frame pixels.
    relative  the mean as a share of the distance between the outer corners of the eyes (of 3D landmarks, so that it
              does not grow when the head turns).
    """

    pixels: NDArray[np.float64]
    mean: float
    relative: float


def reprojection_error(keypoints: Points, landmarks: Points) -> ReprojectionError:
    """Compare ``keypoints`` ((68, 2 or 3), ``MorphableModel.keypoints``) with ``landmarks`` (478, 3), frame pixels."""
    pixels = np.linalg.norm(keypoints[17:, :2] - keypoints_of_landmarks(landmarks), axis=1)
    eyes = float(np.linalg.norm(landmarks[_RIGHT_EYE] - landmarks[_LEFT_EYE]))
    return ReprojectionError(pixels, float(pixels.mean()), float(pixels.mean() / max(eyes, 1e-9)))
