"""E_tmp: what the motion of a 3D face does not explain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError
from faceloom.evaluate.metrics.temporal import temporal_error
from faceloom.evaluate.scorers.step import NOTHING, Scored, Step, known_mean
from faceloom.geometry.mesh_flow import mesh_flow
from faceloom.geometry.rasteriser import Raster, rasterise
from faceloom.perceive.morphable import MorphableModel, MorphableRegressor, adjust_to_landmarks
from faceloom.types import Face, Image


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A frame, the face fitted to it and its drawing."""

    step: Step
    vertices: NDArray[np.float32]
    raster: Raster


class MeshFlowScorer:
    """``metrics.temporal.temporal_error`` of every pair of neighbouring frames.

    The 3D face is the target's: the motion that an edit should keep, and the same for all methods. Pose and expression
    are fitted to every frame, and moved to agree with the landmarks; the shape is that of the first face of the clip,
    so that the surface moves and does not swell. Pairs in which a face is missing are NaN.

    regressor  finds the parameters.
    model      makes a mesh of them.
    """

    def __init__(self, regressor: MorphableRegressor, model: MorphableModel) -> None:
        self._regressor, self._model = regressor, model
        self._shape: NDArray[np.float32] | None = None
        self._neutral: NDArray[np.float32] | None = None
        self._last: _Fitted | None = None
        self._errors: list[float] = []
        self._own: list[float] = []

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        now = self._fit(step)
        if step.index:
            result, own = self._pair(self._last, now)
            self._errors.append(result)
            self._own.append(own)
        self._last = now

    def finish(self) -> Scored:
        """See ``Scorer``."""
        series = {"e_tmp": np.array(self._errors), "e_tmp_target": np.array(self._own)}
        return Scored({"e_tmp": known_mean(series["e_tmp"])}, series, about={"3D flow": "3DDFA_V2 of the target"})

    def _pair(self, last: _Fitted | None, now: _Fitted | None) -> tuple[float, float]:
        """The errors of result and target."""
        if last is None or now is None:
            return NOTHING, NOTHING
        height, width = now.step.target.shape[:2]
        motion = mesh_flow(
            last.vertices, now.vertices, self._model.triangles, width, height, rasters=(last.raster, now.raster)
        )
        result, own = (
            temporal_error(previous, current, motion.flow, motion.visible)
            for previous, current in ((last.step.result, now.step.result), (last.step.target, now.step.target))
        )
        return result, own

    def _fit(self, step: Step) -> _Fitted | None:
        if step.target_face is None:
            return None
        vertices = self._vertices(step.target, step.target_face)
        if vertices is None:
            return None
        height, width = step.target.shape[:2]
        return _Fitted(step, vertices, rasterise(vertices, self._model.triangles, width, height, soft=False))

    def _vertices(self, image: Image, face: Face) -> NDArray[np.float32] | None:
        try:
            found = self._regressor.from_landmarks(image, face.landmarks)
        except FaceError:
            return None  # the face lies outside the picture
        if self._shape is None or self._neutral is None:
            self._shape, self._neutral = found.shape, self._model.neutral(found.shape)
        parameters = adjust_to_landmarks(
            self._model, replace(found, shape=self._shape), face.landmarks, self._regressor.expression_deviation
        )
        return self._model.vertices(parameters, self._neutral)
