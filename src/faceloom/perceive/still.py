"""Every face of a still picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2

from faceloom.perceive.association import landmark_box, overlap, same_place
from faceloom.perceive.bundle import Perception
from faceloom.perceive.landmarker import LandmarkResult
from faceloom.types import Face, Image

_WEIGHTS = ("face_landmarker", "yunet")
_CONFIDENCE = 0.5
_OVERLAP = 0.35  # two people cheek to cheek stay below; two readings of one face rarely do
_MARGIN = 0.5
_LONGEST = 1024


def still_weights(*, embeddings: bool = False) -> tuple[str, ...]:
    """Names of the weights that ``perceive_image`` needs."""
    return (*_WEIGHTS, "sface") if embeddings else _WEIGHTS


def perceive_image(image: Image, perception: Perception, *, embeddings: bool = False) -> list[Face]:
    """All faces of ``image`` ((H, W, 3) uint8 RGB), largest first; an empty list when there are none.

    BlazeFace and YuNet both look, so that faces of any size are found; a face that both find is one face. If neither
    finds any, they look once more with a margin around the picture, for a face that fills it to the edges. Every
    face is confirmed by the landmark network.

    embeddings  also compute ``Face.embedding`` (weight ``sface``).
    """
    results = _merge(_candidates(image, perception)) or _with_margin(image, perception)
    faces = [_face(image, result, perception, embeddings) for result in results]
    return sorted(faces, key=lambda face: -face.box.area)


def _candidates(image: Image, perception: Perception) -> Iterator[LandmarkResult]:
    """Landmarks of what the detectors see, the more exact detector first."""
    for detection in perception.detector.detect(image):
        result = perception.landmarker.from_detection(image, detection)
        if result is not None:
            yield result
    for detection in perception.yunet.detect(image):
        rough = perception.landmarker.from_detection(image, detection)
        if rough is None:
            continue
        # YuNet's boxes are not the ones the network was trained on; its own landmarks give a better region.
        result = perception.landmarker.from_landmarks(image, rough.landmarks)
        if result.confidence >= _CONFIDENCE:
            yield result


def _merge(results: Iterable[LandmarkResult]) -> list[LandmarkResult]:
    """The first of each group of results that lie on one face."""
    kept: list[LandmarkResult] = []
    for result in results:
        if not any(_one_face(result, other) for other in kept):
            kept.append(result)
    return kept


def _one_face(one: LandmarkResult, other: LandmarkResult) -> bool:
    boxes = landmark_box(one.landmarks), landmark_box(other.landmarks)
    return same_place(one.landmarks, other.landmarks) or overlap(*boxes) > _OVERLAP


def _with_margin(image: Image, perception: Perception) -> list[LandmarkResult]:
    """Look again in a picture with a margin: detectors want some surroundings. Reduced, to bound time and memory."""
    scale = min(1.0, _LONGEST / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    pad = round(max(small.shape[:2]) * _MARGIN)
    larger = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    found = [(result.landmarks - (pad, pad, 0)) / scale for result in _candidates(larger, perception)]
    results = (perception.landmarker.from_landmarks(image, landmarks) for landmarks in found)
    return _merge(result for result in results if result.confidence >= _CONFIDENCE)


def _face(image: Image, result: LandmarkResult, perception: Perception, embeddings: bool) -> Face:
    height, width = image.shape[:2]
    landmarks = result.landmarks
    return Face(
        landmarks=landmarks,
        blendshapes=perception.landmarker.blendshapes(landmarks, width, height),
        pose=perception.landmarker.head_pose(landmarks, width, height),
        confidence=result.confidence,
        embedding=perception.embedder.embed(image, landmarks) if embeddings else None,
    )
