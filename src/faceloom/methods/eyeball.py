"""Steady eyeballs: where the irises of a face lie, without the jitter that a sharp reference would show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.perceive.temporal_filter import apply_weights, neighbours
from faceloom.types import Face

IRIS_RADIUS = 4
"""Frames on each side that a steadied iris depends on."""
_SIGMA = 2.0
_SAME_GAZE, _OTHER_GAZE = 0.012, 0.03
"""Distance of two irises within their eyes, in inter-ocular distances, up to which they show one gaze and are mixed in
full, and from which on the eye has looked elsewhere in between."""


def steady_irises(faces: Sequence[Face | None]) -> list[Face | None]:
    """The faces of consecutive frames with irises averaged in time, relative to the corners of their eye.

    Zero phase, support ``IRIS_RADIUS`` frames. A glance moves the iris by much more than its landmarks err, so gazes
    that differ are not mixed and it stays as quick as it was. The size of an iris does not change at all, so that is
    averaged whatever the gaze. Iris landmarks err by a pixel or more even between two equal frames.
    """
    seen = np.array([face is not None for face in faces])
    if np.count_nonzero(seen) < 2:
        return list(faces)
    some = next(face for face in faces if face is not None)
    landmarks = np.stack([(face or some).landmarks for face in faces])
    points = landmarks[..., :2].astype(np.float64)
    scale = np.array([face_scale(each) for each in landmarks])[:, None, None]
    for iris, corners in ((t.LEFT_IRIS, t.LEFT_EYE_CORNERS), (t.RIGHT_IRIS, t.RIGHT_EYE_CORNERS)):
        origin = points[:, list(corners)].mean(axis=1, keepdims=True)
        landmarks[:, list(iris), :2] = origin + scale * _steady((points[:, list(iris)] - origin) / scale, seen)
    return [face and replace(face, landmarks=each) for face, each in zip(faces, landmarks, strict=True)]


def _steady(iris: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(T, 5, 2) centre and rim of an iris relative to its eye, averaged in time."""
    index, usable = neighbours(np.zeros(len(iris), np.int64), IRIS_RADIUS)
    bell = np.exp(-0.5 * (np.arange(-IRIS_RADIUS, IRIS_RADIUS + 1) / _SIGMA) ** 2)
    weights = np.where(usable & seen[index], bell, 0.0)
    centre = iris[:, 0]
    apart = np.linalg.norm(centre[index] - centre[:, None], axis=-1).astype(np.float32)
    gaze = _mean(weights * masks.smoothstep(apart, _OTHER_GAZE, _SAME_GAZE), centre)
    return gaze[:, None] + _mean(weights, iris - centre[:, None])


def _mean(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted mean over neighbouring frames; frames of no weight at all get 0."""
    total = apply_weights(weights, np.ones(len(values)))
    mean: NDArray[np.float64] = apply_weights(weights, values) / np.maximum(total, 1e-12).reshape(
        -1, *(1,) * (values.ndim - 1)
    )
    return mean
