"""What the tracker asks of the networks, so that it can be tested, and fed, without them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceloom.perceive.detector import Detection
from faceloom.perceive.gallery import Embedding
from faceloom.perceive.landmarker import LandmarkResult
from faceloom.types import Image, Points


class Detector(Protocol):
    """Anything that finds faces in ``image`` (H, W, 3) uint8 RGB."""

    def detect(self, image: Image) -> list[Detection]:
        """Faces, best score first."""
        ...


class Landmarker(Protocol):
    """Landmarks and what follows from them, as ``FaceLandmarker`` gives them."""

    def from_detection(self, image: Image, detection: Detection) -> LandmarkResult | None:
        """Landmarks of a detected face, or None."""
        ...

    def from_landmarks(self, image: Image, landmarks: Points) -> LandmarkResult:
        """Landmarks of a face that was at ``landmarks``."""
        ...

    def blendshapes(self, landmarks: Points, width: int, height: int) -> NDArray[np.float32]:
        """(52,) float32."""
        ...

    def head_pose(self, landmarks: Points, width: int, height: int) -> NDArray[np.float64]:
        """(4, 4) float64."""
        ...


class Embedder(Protocol):
    """Anything that says who a face is."""

    def embed(self, image: Image, landmarks: Points) -> Embedding:
        """(128,) float32 of unit length."""
        ...


class Senses(Protocol):
    """The networks that the tracker uses; ``Perception`` is one."""

    @property
    def detector(self) -> Detector:
        """Fast detector of faces of a fair size."""
        ...

    @property
    def yunet(self) -> Detector:
        """Detector of small and many faces."""
        ...

    @property
    def landmarker(self) -> Landmarker:
        """Landmarks, blendshapes, pose."""
        ...

    @property
    def embedder(self) -> Embedder:
        """Identity."""
        ...
