"""Steady eyes: irises without the jitter that a sharp reference would show, and blinks without flicker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.geometry.partmaps import EyeTrust, eye_trusts
from faceloom.perceive.temporal_filter import apply_weights, neighbours, smooth_parameters
from faceloom.types import Face, Part, Points

IRIS_RADIUS = 4
"""Frames on each side that a steadied iris depends on."""
_SIGMA = 2.0
_SAME_GAZE, _OTHER_GAZE = 0.012, 0.03
"""Distance of two irises within their eyes, in inter-ocular distances, up to which they show one gaze and are mixed in
full, and from which on the eye has looked elsewhere in between."""
_LID = (2, 6, 4.0)
_BALL = (1, 3, 1.5)
"""Frames: reach of the temporal minimum of a trust, reach of the Gaussian after it, and its deviation. The eyeball's
are short, for the colour of an iris should change while the lid is over it."""
TRUST_RADIUS = max(reach + radius for reach, radius, _ in (_LID, _BALL))
"""Frames on each side that a steadied trust depends on."""


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


def steady_trusts(part: Part, faces: Sequence[Face | None], reference: Points) -> list[EyeTrust]:
    """``eye_trust`` of consecutive frames, so that a blink does not switch between two people's eyes at once.

    Smoothed from below, so that what a blink hides is gone before the lid sets out: a blink of a single frame must not
    keep the trust of the open eyes around it, and dark lashes that fade while the lid is on its way, or a dark iris
    that the lid covers and uncovers within a frame, flicker. Frames without a face are passed over.

    part  an eye; reference  (478, 3) landmarks of the face that it comes from.
    """
    seen = np.array([face is not None for face in faces])
    found = iter(
        eye_trusts(part, np.stack([face.landmarks for face in faces if face is not None]), reference)
        if seen.any()
        else []
    )
    raw = [EyeTrust(1.0, 1.0) if face is None else next(found) for face in faces]
    lids = _from_below(np.array([trust.lid for trust in raw]), seen, *_LID)
    balls = _from_below(np.array([trust.ball for trust in raw]), seen, *_BALL)
    # The short Gaussian leaves some eyeball to a blink of one frame, where there is none to be seen.
    return [EyeTrust(float(lid), float(min(ball, own.ball))) for lid, ball, own in zip(lids, balls, raw, strict=True)]


def _from_below(
    values: NDArray[np.float64], seen: NDArray[np.bool_], reach: int, radius: int, sigma: float
) -> NDArray[np.float64]:
    least = minimum_filter1d(values, 2 * reach + 1, mode="nearest")
    smooth: NDArray[np.float64] = smooth_parameters(least[:, None], seen, radius=radius, sigma=sigma)[:, 0]
    return smooth


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
