"""478 face landmarks with iris, blendshapes and head pose of one face.

Kartynnik et al., Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs, 2019; Grishchenko et al.,
Attention Mesh, 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from faceloom.perceive.blendshapes import BLENDSHAPE_LANDMARKS
from faceloom.perceive.detector import Detection
from faceloom.perceive.litert import LiteRtModel, read_bundle
from faceloom.perceive.pose import CanonicalFace, read_canonical_face
from faceloom.types import Image, Matrix, Points
from faceloom.weights import Store

_SIZE = 256
_MARGIN = 1.5
_RIGHT_EYE_CORNER, _LEFT_EYE_CORNER = 33, 263
_LANDMARKS, _PRESENCE = "Identity", "Identity_1"


@dataclass(frozen=True, eq=False)
class LandmarkResult:
    """What the landmark network says about one region.

    landmarks   (478, 3) float32, frame pixels; z in the unit of x, negative towards the camera.
    confidence  probability in [0, 1] that the region shows a face.
    """

    landmarks: NDArray[np.float32]
    confidence: float


@dataclass(frozen=True)
class _Region:
    """A rotated square of the frame: centre, side (pixels) and angle of its x axis (radians, towards +y)."""

    x: float
    y: float
    side: float
    angle: float

    def to_frame(self) -> Matrix:
        """(2, 3) matrix from the network's picture to the frame."""
        scale, half = self.side / _SIZE, _SIZE / 2
        cos, sin = scale * math.cos(self.angle), scale * math.sin(self.angle)
        linear = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([linear, np.array([self.x, self.y]) - linear @ (half, half)])


def _region(low: Points, high: Points, right_eye: Points, left_eye: Points) -> _Region:
    """The square around the box from ``low`` to ``high``, with a margin, turned so that the eyes are level."""
    x, y = (low[:2] + high[:2]) / 2
    side = float((high - low)[:2].max()) * _MARGIN
    angle = math.atan2(float(left_eye[1] - right_eye[1]), float(left_eye[0] - right_eye[0]))
    return _Region(float(x), float(y), side, angle)


class FaceLandmarker:
    """Landmarks, blendshapes and pose of one face at a time, with the weight ``face_landmarker``.

    threads  CPU threads of the landmark network. Two take about half the time of one when cores are idle, for 1.4 times
             the processor time; where other work fills the cores, one is better.
    """

    weights = ("face_landmarker",)

    def __init__(self, store: Store, *, threads: int = 2) -> None:
        bundle = read_bundle(store.path("face_landmarker"))
        self._mesh = LiteRtModel(bundle["face_landmarks_detector.tflite"], threads)
        self._shapes = LiteRtModel(bundle["face_blendshapes.tflite"])
        self._canonical: CanonicalFace = read_canonical_face(bundle["geometry_pipeline_metadata_landmarks.binarypb"])

    def from_detection(self, image: Image, detection: Detection, *, threshold: float = 0.5) -> LandmarkResult | None:
        """Landmarks of a detected face in ``image`` ((H, W, 3) uint8 RGB), or None below ``threshold`` confidence."""
        low, high = detection.box[:2], detection.box[2:]
        region = _region(low, high, detection.keypoints[0], detection.keypoints[1])
        result = self._run(image, region)
        return result if result.confidence >= threshold else None

    def from_landmarks(self, image: Image, landmarks: Points) -> LandmarkResult:
        """Landmarks of a face that was at ``landmarks`` ((478, 2 or 3) frame pixels) in a neighbouring frame.

        The caller decides by ``confidence`` whether the face is still there.
        """
        low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
        return self._run(image, _region(low, high, landmarks[_RIGHT_EYE_CORNER], landmarks[_LEFT_EYE_CORNER]))

    def blendshapes(self, landmarks: Points, width: int, height: int) -> NDArray[np.float32]:
        """(52,) float32 in [0, 1], named by ``BLENDSHAPES``, of a face in a ``width`` x ``height`` frame.

        This network normalises position and scale itself and needs no frame size; a substitute may.
        """
        del width, height
        self._shapes.input[0] = landmarks[BLENDSHAPE_LANDMARKS, :2]
        return next(iter(self._shapes.run().values()))

    def head_pose(self, landmarks: Points, width: int, height: int) -> NDArray[np.float64]:
        """(4, 4) float64 from the canonical face (cm, x right, y up, z to the camera) to the camera.

        See ``CanonicalFace.pose``.
        """
        return self._canonical.pose(landmarks, width, height)

    def _run(self, image: Image, region: _Region) -> LandmarkResult:
        to_frame = region.to_frame()
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(image, to_frame, (_SIZE, _SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        np.multiply(crop, np.float32(1 / 255), out=self._mesh.input[0])
        outputs = self._mesh.run()
        points = outputs[_LANDMARKS].reshape(-1, 3)
        landmarks = np.empty_like(points)
        landmarks[:, :2] = points[:, :2] @ to_frame[:, :2].T + to_frame[:, 2]
        landmarks[:, 2] = points[:, 2] * (region.side / _SIZE)
        return LandmarkResult(landmarks, float(expit(outputs[_PRESENCE].item())))
