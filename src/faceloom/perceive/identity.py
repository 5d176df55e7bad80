"""Who is it: a vector that is alike for pictures of one person.

Zhong et al., SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition, 2021; run by OpenCV.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError
from faceloom.perceive.opencv_log import only_errors
from faceloom.types import Image, Points
from faceloom.weights import Store

SAME_PERSON = 0.363
"""Cosine similarity from which SFace's authors call two faces one person (LFW benchmark)."""

_FIVE_POINTS = ((33, 133), (362, 263), (1,), (61,), (291,))
"""Landmarks whose means are right eye, left eye, nose tip, right and left corner of the mouth. The corners of an eye,
not its iris: the vector must not depend on gaze."""


class FaceEmbedder:
    """Identity vectors with the weight ``sface``."""

    weights = ("sface",)

    def __init__(self, store: Store) -> None:
        model = np.fromfile(store.path("sface"), np.uint8)
        with only_errors():
            self._model = cv2.FaceRecognizerSF.create("onnx", model, np.empty(0, np.uint8))

    def embed(self, image: Image, points: Points) -> NDArray[np.float32]:
        """(128,) float32 of unit length for one face in ``image`` ((H, W, 3) uint8 RGB).

        points  (5, 2) frame pixels: right eye, left eye, nose tip, right and left corner of the mouth
                (``Detection.keypoints`` of YuNet), or the (478, 2 or 3) landmarks. Compare vectors made from the same
                kind of points: the two kinds agree to a cosine of about 0.95, and those of landmarks are the steadier.

        Raises ``FaceError`` for points that define no face.
        """
        five = np.asarray(points, np.float32)[:, :2]
        if len(five) > len(_FIVE_POINTS):
            five = np.stack([five[list(group)].mean(axis=0) for group in _FIVE_POINTS])
        if five.shape != (5, 2) or not np.isfinite(five).all() or np.ptp(five, axis=0).max() < 1:
            raise FaceError("identity: the points define no face; five distinct points or 478 landmarks are needed")
        row = np.zeros(15, np.float32)
        row[4:14] = five.ravel()
        aligned = self._model.alignCrop(np.ascontiguousarray(image), row)
        vector = self._model.feature(cv2.cvtColor(aligned, cv2.COLOR_RGB2BGR))[0]
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def similarity(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Cosine similarity in [-1, 1] of two identity vectors of unit length; see ``SAME_PERSON``."""
    return float(one @ other)
