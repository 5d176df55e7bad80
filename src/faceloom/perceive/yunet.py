"""Face detection with YuNet: small faces, many faces, any size of picture.

Wu et al., YuNet: A Tiny Millisecond-level Face Detector, 2023; run by OpenCV.
"""

from __future__ import annotations

import cv2
import numpy as np

from faceloom.perceive.detector import Detection
from faceloom.perceive.opencv_log import only_errors
from faceloom.types import Image
from faceloom.weights import Store


class YuNet:
    """Finds faces from about ten pixels up to about the whole picture.

    store      where the weight ``yunet`` is.
    threshold  least score of a face.
    overlap    of two boxes with a larger intersection over union, the one with the lower score is dropped.
    longest    a picture with a longer side is reduced to it first; bounds time and memory on very large pictures.
    """

    weights = ("yunet",)

    def __init__(self, store: Store, *, threshold: float = 0.6, overlap: float = 0.3, longest: int = 1920) -> None:
        model = np.fromfile(store.path("yunet"), np.uint8)
        with only_errors():
            self._model = cv2.FaceDetectorYN.create(
                "onnx", model, np.empty(0, np.uint8), (320, 320), threshold, overlap
            )
        self.longest = longest

    def detect(self, image: Image) -> list[Detection]:
        """Faces in ``image`` ((H, W, 3) uint8 RGB), best score first, with five keypoints each."""
        height, width = image.shape[:2]
        scale = min(1.0, self.longest / max(height, width))
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        self._model.setInputSize((image.shape[1], image.shape[0]))
        _, rows = self._model.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        # Axes are scaled apart: a reduced picture has whole pixels, so its two scales differ a little.
        stretch = np.array([width / image.shape[1], height / image.shape[0]], np.float32)
        return [_detection(row, stretch) for row in sorted(rows, key=lambda row: -row[14])]


def _detection(row: np.ndarray, stretch: np.ndarray) -> Detection:
    """From OpenCV's row of 15: left, top, width, height, five points, score."""
    points = row[:14].reshape(7, 2) * stretch
    box = np.concatenate([points[0], points[0] + points[1]])
    return Detection(box, points[2:], float(row[14]))
