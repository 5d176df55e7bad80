"""Head pose by HopeNet, where the user has the weights (its authors' ``hopenet_*.pkl``).

Ruiz et al., Fine-Grained Head Pose Estimation Without Keypoints, CVPRW 2018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError
from faceloom.evaluate.metrics.perceptual import IMAGENET_DEVIATION, IMAGENET_MEAN
from faceloom.geometry import topology as t
from faceloom.perceive.morphable import keypoints_of_landmarks
from faceloom.types import Image, Points

if TYPE_CHECKING:
    from faceloom.nets.hopenet import HopeNet

_SIZE = 224
_JAW = t.FACE_OVAL[8:29]
"""From ear to ear along the chin, as the first 17 of the 68 points that the network's crops are made from."""
_MARGINS = np.array([-0.4, -0.4, 0.4, 0.12])
"""Left, top, right, bottom, shares of the box: how the authors cut the pictures that they test on."""


class HeadPose:
    """Yaw, pitch and roll of one face at a time."""

    def __init__(self, network: HopeNet) -> None:
        self._network = network

    def angles(self, image: Image, landmarks: Points) -> NDArray[np.float32]:
        """(3,) degrees of the face at ``landmarks`` (478, 2 or 3) of ``image`` ((H, W, 3) uint8 RGB).

        The signs are HopeNet's. Raises ``FaceError`` for landmarks in one place.
        """
        import torch

        crop = (head_crop(image, landmarks).astype(np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_DEVIATION
        batch = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32))
        with torch.inference_mode():
            found: NDArray[np.float32] = (
                self._network(batch.to(next(self._network.parameters()).device))[0].cpu().numpy()
            )
        return found


def head_crop(image: Image, landmarks: Points) -> Image:
    """(224, 224, 3): the middle square of the box around brows, ears and chin with the authors' margins.

    Black beyond the picture. Raises ``FaceError`` for landmarks in one place.
    """
    points = np.concatenate([keypoints_of_landmarks(landmarks), landmarks[list(_JAW), :2]])
    low, high = points.min(axis=0), points.max(axis=0)
    width, height = high - low
    if not (np.isfinite([width, height]).all() and min(width, height) > 1):
        raise FaceError("the landmarks lie in one place, so there is no head to look at; detect the face again")
    left, top, right, bottom = np.array([*low, *high]) + _MARGINS * [width, height, width, height]
    side, x, y = min(right - left, bottom - top), (left + right) / 2, (top + bottom) / 2
    return _square(image, x - side / 2, y - side / 2, side)


def _square(image: Image, left: float, top: float, side: float) -> Image:
    pixels = max(1, round(side))
    shift = np.array([[1, 0, -left], [0, 1, -top]], np.float64)
    cut = cv2.warpAffine(image, shift, (pixels, pixels), flags=cv2.INTER_LINEAR)
    crop: Image = cv2.resize(cut, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA if pixels > _SIZE else cv2.INTER_LINEAR)
    return crop
