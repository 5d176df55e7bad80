"""A picture of a face to the parameters of the morphable model, with one small network.

Guo et al., Towards Fast, Accurate and Stable 3D Dense Face Alignment, ECCV 2020 (3DDFA_V2).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError, WeightsError
from faceloom.nets.flax_pickle import read_arrays
from faceloom.perceive.morphable.camera import Camera
from faceloom.perceive.morphable.correspondence import CropSquare, square_around_landmarks
from faceloom.perceive.morphable.parameters import EXPRESSION_SIZE, SHAPE_SIZE, MorphableParameters
from faceloom.types import Image, Points
from faceloom.weights import Store

_SIZE = 120
_CAMERA = slice(0, 12)
_SHAPE = slice(12, 12 + SHAPE_SIZE)
_EXPRESSION = slice(12 + SHAPE_SIZE, 12 + SHAPE_SIZE + EXPRESSION_SIZE)


class MorphableRegressor:
    """Parameters of one face at a time, with the weights ``tddfa_v2`` and ``tddfa_mean_std``.

    threads  CPU threads of the network; it is small, one is best unless cores are idle.
    """

    weights = ("tddfa_v2", "tddfa_mean_std")

    def __init__(self, store: Store, *, threads: int = 1) -> None:
        # Imported here: it takes a quarter of a second, and most of perception does without.
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        path = store.path("tddfa_v2")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no common base of its errors
            raise WeightsError(f"{path} cannot be read as a face regressor: {error}") from error
        self._input = self._session.get_inputs()[0].name
        with store.path("tddfa_mean_std").open("rb") as stream:
            statistics = read_arrays(stream)
        self._mean, self._deviation = statistics["mean"], statistics["std"]

    @property
    def expression_deviation(self) -> NDArray[np.float32]:
        """(10,) float32: standard deviation of each coefficient of the expression over the training faces."""
        return self._deviation[_EXPRESSION]

    def from_landmarks(self, image: Image, landmarks: Points) -> MorphableParameters:
        """The face at ``landmarks`` ((478, 2 or 3) frame pixels) of ``image`` ((H, W, 3) uint8 RGB).

        Raises ``FaceError`` when the landmarks lie outside the picture or in one place.
        """
        return self.from_square(image, square_around_landmarks(landmarks))

    def from_square(self, image: Image, square: CropSquare) -> MorphableParameters:
        """The face in ``square`` of ``image`` ((H, W, 3) uint8 RGB). Raises ``FaceError``, see ``from_landmarks``."""
        numbers = self.regress(cut_square(image, square))
        return MorphableParameters(_to_frame(numbers[_CAMERA], square), numbers[_SHAPE], numbers[_EXPRESSION])

    def regress(self, crop: Image) -> NDArray[np.float32]:
        """(62,) float32, the network's own numbers for a crop (120, 120, 3) uint8 RGB: camera 12, shape, expression.

        This camera belongs to the crop, with y up; see ``from_square`` for one of the frame.
        """
        batch = ((crop[..., ::-1].astype(np.float32) - 127.5) / 128.0).transpose(2, 0, 1)[None]
        (output,) = self._session.run(None, {self._input: np.ascontiguousarray(batch)})
        numbers: NDArray[np.float32] = output[0] * self._deviation + self._mean
        return numbers


def cut_square(image: Image, square: CropSquare) -> Image:
    """``square`` cut out of ``image``, black where it leaves the picture, at the network's size (120, 120, 3)."""
    height, width = image.shape[:2]
    left, top = max(0, square.left), max(0, square.top)
    right, bottom = min(width, square.left + square.side), min(height, square.top + square.side)
    if right <= left or bottom <= top:
        raise FaceError(
            f"the face region at ({square.left}, {square.top}) of {square.side} pixels lies outside the picture of "
            f"{width} x {height}; detect the face again"
        )
    whole = np.zeros((square.side, square.side, 3), np.uint8)
    rows = slice(top - square.top, bottom - square.top)
    columns = slice(left - square.left, right - square.left)
    whole[rows, columns] = image[top:bottom, left:right]
    crop: Image = cv2.resize(whole, (_SIZE, _SIZE), interpolation=cv2.INTER_LINEAR)
    return crop


def _to_frame(numbers: NDArray[np.float32], square: CropSquare) -> Camera:
    """The network's camera (12,), whose crop counts rows from below and pixels from 1, as one of the frame."""
    scale = square.side / _SIZE
    camera = numbers.reshape(3, 4).astype(np.float64)
    camera[0] *= scale
    camera[1:] *= -scale
    camera[0, 3] += square.left - scale
    camera[1, 3] += square.top + square.side
    camera[2, 3] += scale
    return camera
