"""Pose, expression, gaze, opening and jitter: what the landmarks of both clips tell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from faceloom.evaluate.metrics import pose
from faceloom.evaluate.metrics.temporal import landmark_jitter
from faceloom.evaluate.motion import agreement, eyes_openness
from faceloom.evaluate.scorers.step import NOTHING, Scored, Step, known_mean
from faceloom.geometry.partcover import mouth_openness
from faceloom.types import Face

_ERRORS: dict[str, Callable[[Face, Face], float]] = {
    "pose_error": pose.pose_error,
    "pose_euler_error": pose.pose_euler_error,
    "expression_error": pose.expression_error,
    "expression_error_l2": pose.expression_error_l2,
    "gaze_error": lambda target, result: pose.gaze_error(target.landmarks, result.landmarks),
}
_OPENINGS = {"mouth_opening_correlation": mouth_openness, "eye_opening_correlation": eyes_openness}


class FaceScorer:
    """Frames in which a face is missing in target or result are NaN in the series and left out of the means."""

    def __init__(self) -> None:
        self._faces: list[tuple[Face | None, Face | None]] = []

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        self._faces.append((step.target_face, step.result_face))

    def finish(self) -> Scored:
        """See ``Scorer``."""
        both = [(target, result) for target, result in self._faces if target is not None and result is not None]
        series = {
            name: np.array([_between(measure, pair) for pair in self._faces]) for name, measure in _ERRORS.items()
        }
        values = {name: known_mean(errors) for name, errors in series.items()}
        for name, opening in _OPENINGS.items():
            target, result = ([opening(pair[side].landmarks) for pair in both] for side in (0, 1))
            values[name] = agreement(target, result).correlation
        own, jitter = self._jitter(0), self._jitter(1)
        series["landmark_jitter"] = jitter
        values["landmark_jitter"] = known_mean(jitter)
        values["jitter_ratio"] = _ratio(jitter, own)
        return Scored(values, series, about={"frames with both faces": f"{len(both)} of {len(self._faces)}"})

    def _jitter(self, side: int) -> NDArray[np.float64]:
        """One number per frame; NaN at both ends and beside frames without a face."""
        found, series = [pair[side] for pair in self._faces], np.full(len(self._faces), NOTHING)
        for index in range(1, len(found) - 1):
            before, now, after = found[index - 1 : index + 2]
            if before is not None and now is not None and after is not None:
                series[index] = landmark_jitter(before.landmarks, now.landmarks, after.landmarks)
        return series


def _between(measure: Callable[[Face, Face], float], pair: tuple[Face | None, Face | None]) -> float:
    target, result = pair
    return NOTHING if target is None or result is None else measure(target, result)


def _ratio(jitter: NDArray[np.float64], own: NDArray[np.float64]) -> float:
    known = ~np.isnan(jitter) & ~np.isnan(own)
    return float(jitter[known].mean() / own[known].mean()) if known.any() and own[known].mean() > 0 else NOTHING
