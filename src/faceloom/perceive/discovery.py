"""Find faces that are not followed yet: detectors, then landmarks, then doubts."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from faceloom.perceive.association import eye_midpoint, face_size, is_plausible, same_place
from faceloom.perceive.detector import Detection
from faceloom.perceive.landmarker import LandmarkResult
from faceloom.perceive.senses import Detector, Landmarker
from faceloom.types import Image, Points

_LONGEST = 640


class FaceFinder:
    """Detectors turned into landmark sets: one for each face, and none for what is no face.

    detector        fast, for faces that take a fair share of the picture.
    small_detector  slower, for small and many faces; used in thorough searches.
    score           least score of a detection; patterns that are no faces reach about 0.55.
    confidence      least confidence of the landmark network for a new face.
    smallest        faces below this size are not worth following, pixels.
    """

    def __init__(
        self,
        detector: Detector,
        small_detector: Detector,
        landmarker: Landmarker,
        *,
        score: float = 0.6,
        confidence: float = 0.6,
        smallest: float = 20.0,
    ) -> None:
        self._detector = detector
        self._small_detector = small_detector
        self._landmarker = landmarker
        self._score = score
        self._confidence = confidence
        self._smallest = smallest

    def find(self, image: Image, known: Sequence[Points], *, thorough: bool) -> list[LandmarkResult]:
        """Faces in ``image`` that are at none of the ``known`` landmark sets, largest first.

        thorough  use the detector for small faces as well.
        """
        detections = self._detector.detect(image)
        if thorough:
            detections = detections + self._detect_small(image)
        found: list[LandmarkResult] = []
        for detection in detections:
            if detection.score < self._score:
                continue
            taken = [*known, *(result.landmarks for result in found)]
            if any(_on_face(detection, landmarks) for landmarks in taken):
                continue
            result = self._measure(image, detection)
            if result is not None and not any(same_place(result.landmarks, landmarks) for landmarks in taken):
                found.append(result)
        return sorted(found, key=lambda result: -face_size(result.landmarks))

    def _detect_small(self, image: Image) -> list[Detection]:
        """Run the slow detector on a picture reduced to 640 pixels, but no farther than to half its size.

        At half its size the smallest face worth following is still large enough to be found.
        """
        scale = min(1.0, max(0.5, _LONGEST / max(image.shape[:2])))
        if scale == 1.0:
            return self._small_detector.detect(image)
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found = self._small_detector.detect(small)
        return [Detection(each.box / scale, each.keypoints / scale, each.score) for each in found]

    def _measure(self, image: Image, detection: Detection) -> LandmarkResult | None:
        """Landmarks of a detection, measured twice: the second region fits better than the detector's box."""
        first = self._landmarker.from_detection(image, detection)
        if first is None or not self._trusted(first, image):
            return None
        second = self._landmarker.from_landmarks(image, first.landmarks)
        return second if self._trusted(second, image) else None

    def _trusted(self, result: LandmarkResult, image: Image) -> bool:
        height, width = image.shape[:2]
        return result.confidence >= self._confidence and is_plausible(result.landmarks, width, height, self._smallest)


def _on_face(detection: Detection, landmarks: Points) -> bool:
    """True when the detection's eyes are where the face's eyes are."""
    distance = np.linalg.norm(detection.keypoints[:2].mean(axis=0) - eye_midpoint(landmarks))
    return bool(distance < 0.35 * min(face_size(landmarks), detection.size))
