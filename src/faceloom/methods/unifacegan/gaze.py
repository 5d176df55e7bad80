"""Where irises lie between the corners of their eyes, and eyes that look elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import eye_openness
from faceloom.types import Part, Points

EYES = (Part.LEFT_EYE, Part.RIGHT_EYE)
_SEEN = 0.14
"""Opening of the lids over the width of the eye from which on an iris is seen well enough to say where it is."""
_FARTHEST = np.array([0.30, 0.12])
"""Shares of the width of the eye along and across its line beyond which no iris is moved from the middle."""
_HIDDEN = 0.05
"""How far an iris is moved across that line at most: what the lids hide of it is not known."""


def iris(part: Part) -> tuple[list[int], list[int]]:
    """Landmarks of the iris of an eye, its centre first, and the corners of the eye, the subject's right one first."""
    if part == Part.LEFT_EYE:
        outer, inner = t.LEFT_EYE_CORNERS
        return list(t.LEFT_IRIS), [inner, outer]
    outer, inner = t.RIGHT_EYE_CORNERS
    return list(t.RIGHT_IRIS), [outer, inner]


def look_of(landmarks: Points) -> NDArray[np.float64]:
    """(2, 2): for the left and the right eye, where the iris lies from the middle of the corners, as a share of the
    width of the eye: towards the subject's left, and at right angles to that towards the chin."""
    points = np.asarray(landmarks, np.float64)[:, :2]
    found = []
    for part in EYES:
        pupil, corners = iris(part)
        line = points[corners[1]] - points[corners[0]]
        away = points[pupil[0]] - points[corners].mean(axis=0)
        across = np.array([-line[1], line[0]])
        found.append(np.array([away @ line, away @ across]) / max(float(line @ line), 1e-12))
    return np.stack(found)


def looks_of(landmarks: Sequence[Points | None]) -> NDArray[np.float64]:
    """(T, 2, 2) ``look_of`` each; where an eye is shut or no face seen, what that eye did last, or does first.

    An eye that is never seen open looks straight ahead.
    """
    looks = np.zeros((len(landmarks), 2, 2))
    for eye, part in enumerate(EYES):
        known = [i for i, p in enumerate(landmarks) if p is not None and eye_openness(part, p) >= _SEEN]
        for i in range(len(landmarks)):
            if known:
                source = landmarks[known[max(0, int(np.searchsorted(known, i, side="right")) - 1)]]
                looks[i, eye] = np.zeros(2) if source is None else look_of(source)[eye]
    return looks


def turned_irises(
    landmarks: NDArray[np.float64], look: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``landmarks`` (478, 3) with the irises where ``look`` (2, 2) wants them, and (2, 2) pixels that each moves."""
    moved, steps = landmarks.copy(), np.zeros((2, 2))
    own = look_of(landmarks)
    for eye, part in enumerate(EYES):
        pupil, corners = iris(part)
        line = landmarks[corners[1], :2] - landmarks[corners[0], :2]
        wanted = np.clip(look[eye], -_FARTHEST, _FARTHEST)
        along, across = wanted - own[eye]
        steps[eye] = along * line + np.clip(across, -_HIDDEN, _HIDDEN) * np.array([-line[1], line[0]])
        moved[pupil, :2] += steps[eye]
    return moved, steps
