"""ArcFace identity vectors, where the user has the weights (their licence forbids passing them on).

Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019; the ONNX models of InsightFace.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from faceloom.errors import WeightsError
from faceloom.evaluate.baselines import five_points
from faceloom.geometry.similarity import fit_similarity
from faceloom.types import Image, Points

_SIZE = 112
_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Right and left eye, nose tip, right and left corner of the mouth in the 112 x 112 crop the models are trained on."""


class ArcFace:
    """Identity vectors of one ONNX model.

    path  file with one input (1, 3, 112, 112) and one output (1, D).

    Raises ``WeightsError`` when it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no common base of its errors
            raise WeightsError(f"{path} cannot be read as an ArcFace model: {error}") from error
        self._input = self._session.get_inputs()[0].name

    def embed(self, image: Image, landmarks: Points) -> NDArray[np.float32]:
        """(D,) float32 of unit length for one face in ``image`` ((H, W, 3) uint8 RGB).

        landmarks  (478, 2 or 3) frame pixels. The face is aligned by a similarity of five points to the training
                   template, RGB, ``(v - 127.5) / 127.5``.
        """
        matrix = fit_similarity(five_points(landmarks), _TEMPLATE)
        crop = cv2.warpAffine(image, matrix, (_SIZE, _SIZE), flags=cv2.INTER_LINEAR)
        batch = ((crop.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None]
        vector = np.asarray(self._session.run(None, {self._input: np.ascontiguousarray(batch)})[0]).reshape(-1)
        return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
