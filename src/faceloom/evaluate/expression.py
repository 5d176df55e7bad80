"""Expression by Deep3DFaceRecon, where the user has the weights (its authors' ``epoch_20.pth``).

Deng et al., Accurate 3D Face Reconstruction with Weakly-Supervised Learning, CVPRW 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError
from faceloom.geometry import topology as t
from faceloom.types import Image, Matrix, Points

if TYPE_CHECKING:
    from faceloom.nets.deep3d import Deep3DFaceRecon

_SIZE, _SCALE = 224, 102.0
"""Side of the crop, and its pixels for a decimetre of the face."""
_NOSE_TIP = 4
_TEMPLATE = np.array(
    [
        [-0.31148657, 0.29036078, 0.13377953],
        [0.30979887, 0.28972036, 0.13179526],
        [0.0032535, -0.04617932, 0.55244243],
        [-0.25216928, -0.38133916, 0.22405732],
        [0.2484662, -0.38128236, 0.22235769],
    ]
)
"""Right eye, left eye, tip of the nose, right and left corner of the mouth of the mean face, decimetres, y up."""


class FaceExpression:
    """Coefficients of the expression of one face at a time."""

    def __init__(self, network: Deep3DFaceRecon) -> None:
        self._network = network

    def coefficients(self, image: Image, landmarks: Points) -> NDArray[np.float32]:
        """(64,) of the face at ``landmarks`` (478, 2 or 3) of ``image`` ((H, W, 3) uint8 RGB).

        Raises ``FaceError`` for landmarks in one place.
        """
        import torch

        from faceloom.nets.deep3d import EXPRESSION

        crop = face_crop(image, landmarks).astype(np.float32) / 255
        batch = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)[None]))
        with torch.inference_mode():
            found = self._network(batch.to(next(self._network.parameters()).device))[0, EXPRESSION]
        coefficients: NDArray[np.float32] = found.cpu().numpy()
        return coefficients


def face_crop(image: Image, landmarks: Points) -> Image:
    """(224, 224, 3): the face aligned as the network is trained to see it, black beyond the picture.

    Bicubic, from the picture reduced by area first where it gets smaller. Raises ``FaceError``, see ``alignment``.
    """
    matrix = alignment(landmarks)
    scale = float(matrix[0, 0])
    if scale < 1:
        height, width = image.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        share = np.array([size[0] / width, size[1] / height])
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        # Pixel centres are at integers: x of the picture is (x + 0.5) share - 0.5 of the smaller one.
        matrix = np.column_stack([matrix[:, :2] / share, matrix[:, 2] + scale * (0.5 / share - 0.5)])
    crop: Image = cv2.warpAffine(image, matrix, (_SIZE, _SIZE), flags=cv2.INTER_CUBIC)
    return crop


def alignment(landmarks: Points) -> Matrix:
    """(2, 3) from frame to crop: shift and size, no turn.

    The mean face is fitted to five points by a linear camera (least squares); its origin comes to the middle of the
    crop, and a decimetre of it to 102 pixels. Raises ``FaceError`` for landmarks in one place.
    """
    camera, *_ = np.linalg.lstsq(np.column_stack([_TEMPLATE * [1, -1, 1], np.ones(5)]), _five_points(landmarks))
    pixels = float(np.linalg.norm(camera[:3], axis=0).mean())
    if not pixels > 1e-6:
        raise FaceError("the landmarks lie in one place, so there is no face to align; detect the face again")
    scale = _SCALE / pixels
    shift = _SIZE / 2 - scale * camera[3]
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _five_points(landmarks: Points) -> NDArray[np.float64]:
    """(5, 2) pixels, in the order of the template; an eye is the middle between its corners."""
    points = np.asarray(landmarks, np.float64)[:, :2]
    eyes = [points[list(corners)].mean(axis=0) for corners in (t.RIGHT_EYE_CORNERS, t.LEFT_EYE_CORNERS)]
    return np.stack([*eyes, points[_NOSE_TIP], *points[list(t.MOUTH_CORNERS)]])
