"""The expression of a 3D face fitted to target and result."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError
from faceloom.evaluate.metrics.pose import morphable_expression_error
from faceloom.evaluate.scorers.step import NOTHING, Scored, Step, known_mean
from faceloom.perceive.morphable import MorphableRegressor
from faceloom.types import Face, Image


class MorphableScorer:
    """Frames in which a face is missing in target or result, or lies outside the picture, are NaN and left out."""

    def __init__(self, regressor: MorphableRegressor) -> None:
        self._regressor = regressor
        self._errors: list[float] = []

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        target = self._expression(step.target, step.target_face)
        result = self._expression(step.result, step.result_face)
        if target is None or result is None:
            self._errors.append(NOTHING)
        else:
            self._errors.append(morphable_expression_error(target, result, self._regressor.expression_deviation))

    def finish(self) -> Scored:
        """See ``Scorer``."""
        errors = np.array(self._errors)
        return Scored({"expression_3dmm": known_mean(errors)}, {"expression_3dmm": errors})

    def _expression(self, image: Image, face: Face | None) -> NDArray[np.float32] | None:
        if face is None:
            return None
        try:
            return self._regressor.from_landmarks(image, face.landmarks).expression
        except FaceError:
            return None
