"""Landmarks of the one face in a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceloom.perceive.detector import FaceDetector
from faceloom.perceive.landmarker import FaceLandmarker
from faceloom.weights import Store


class Landmarks:
    """Detector and landmark network; the weight ``face_landmarker`` must be in ``store``."""

    def __init__(self, store: Store) -> None:
        self._detector = FaceDetector(store)
        self._landmarker = FaceLandmarker(store)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(478, 3) landmarks in pixels of ``image`` ((H, W, 3) uint8 RGB), z in the unit of x."""
        largest = max(self._detector.detect(image), key=lambda found: found.size, default=None)
        found = None if largest is None else self._landmarker.from_detection(image, largest)
        if found is None:
            raise RuntimeError("no face in a generated picture")
        return found.landmarks.astype(np.float64)
