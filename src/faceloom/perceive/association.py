"""Which face is which: plausibility, sameness and assignment of landmark sets. Pure functions, no state.

Boxes here are ``(4,)`` float arrays: left, top, right, bottom in frame pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from faceloom.geometry import topology
from faceloom.types import Points

FloatBox = NDArray[np.floating[Any]]

_FOREHEAD, _CHIN = 10, 152
_EYE_CORNERS = list(topology.RIGHT_EYE_CORNERS + topology.LEFT_EYE_CORNERS)
_MOUTH_CORNERS = list(topology.MOUTH_CORNERS)


def landmark_box(landmarks: Points) -> FloatBox:
    """Bounding box of ``landmarks`` (N, 2 or 3), not clipped."""
    return np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)])


def face_size(landmarks: Points) -> float:
    """Side of the square with the area of the bounding box, pixels."""
    left, top, right, bottom = landmark_box(landmarks)
    return float(np.sqrt(max(0.0, right - left) * max(0.0, bottom - top)))


def eye_midpoint(landmarks: Points) -> NDArray[np.floating[Any]]:
    """``(2,)``: the mean of the four eye corners."""
    middle: NDArray[np.floating[Any]] = landmarks[_EYE_CORNERS, :2].mean(axis=0)
    return middle


def overlap(one: FloatBox, two: FloatBox) -> float:
    """Intersection over union of two boxes, 0 for empty ones."""
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    shared = max(0.0, float(width)) * max(0.0, float(height))
    areas = sum(max(0.0, float(box[2] - box[0])) * max(0.0, float(box[3] - box[1])) for box in (one, two))
    return shared / (areas - shared) if areas > shared else 0.0


def landmark_distance(one: Points, two: Points) -> float:
    """Mean distance of corresponding landmarks, in sizes of the smaller face."""
    distance = np.linalg.norm(one[:, :2] - two[:, :2], axis=1).mean()
    return float(distance / max(1e-6, min(face_size(one), face_size(two))))


def same_place(one: Points, two: Points) -> bool:
    """True when two landmark sets lie on one face of the picture: they are duplicates."""
    return landmark_distance(one, two) < 0.25 or overlap(landmark_box(one), landmark_box(two)) > 0.6


def moved_too_far(before: Points, after: Points) -> bool:
    """True when no face moves or grows like this between two frames: centre by 0.7 sizes, size by 1.8."""
    size_before, size_after = face_size(before), face_size(after)
    if size_before <= 0 or not 1 / 1.8 < size_after / size_before < 1.8:
        return True
    shift = np.linalg.norm(after[:, :2].mean(axis=0) - before[:, :2].mean(axis=0))
    return bool(shift > 0.7 * size_before)


def is_plausible(landmarks: Points, width: int, height: int, smallest: float = 12.0) -> bool:
    """True when ``landmarks`` (478, 3) can be a face in a ``width`` x ``height`` frame.

    Not plausible: coordinates that are not finite, a box smaller than ``smallest`` pixels, more than three times as
    long as wide, or with less than 40 % of its area inside the frame, and a mouth that is not below the eyes on the
    way from the forehead to the chin.
    """
    if not np.isfinite(landmarks).all():
        return False
    left, top, right, bottom = landmark_box(landmarks)
    sides = sorted((right - left, bottom - top))
    if face_size(landmarks) < smallest or sides[1] > 3 * sides[0]:
        return False
    inside = max(0.0, min(right, width) - max(left, 0.0)) * max(0.0, min(bottom, height) - max(top, 0.0))
    return bool(inside >= 0.4 * sides[0] * sides[1]) and _mouth_below_eyes(landmarks)


def _mouth_below_eyes(landmarks: Points) -> bool:
    forehead = landmarks[_FOREHEAD, :2]
    down = landmarks[_CHIN, :2] - forehead
    length = float(down @ down)
    if length == 0.0:
        return False
    eyes = float((eye_midpoint(landmarks) - forehead) @ down) / length
    mouth = float((landmarks[_MOUTH_CORNERS, :2].mean(axis=0) - forehead) @ down) / length
    return 0.0 < eyes < mouth - 0.1 < 1.0


def best_assignment(scores: NDArray[np.floating[Any]], least: float) -> Sequence[tuple[int, int]]:
    """Pairs (row, column) of the one-to-one assignment with the largest sum of what exceeds ``least``.

    scores  (R, C). Pairs at or below ``least`` are left unassigned. Deterministic: ties go to the lower indices
    as ``scipy.optimize.linear_sum_assignment`` (Crouse, 2016) finds them.
    """
    if scores.size == 0:
        return []
    gain = np.clip(scores - least, 0.0, None)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if gain[row, column] > 0]
