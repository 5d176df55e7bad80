"""How the pixels around a driven face move: hair, ears, neck and eyeballs, which the surface of the face has not."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks, warp
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import eye_openness, face_scale
from faceloom.geometry.similarity import fit_similarity
from faceloom.geometry.tps import ThinPlateSpline
from faceloom.methods.unifacegan.gaze import iris
from faceloom.methods.unifacegan.goal import Goal
from faceloom.types import Box, FloatImage, Matrix, Matte, Part

_EXPRESSION, _TURNING = (0.0, 0.9), (0.3, 2.0)
"""Distances between the eyes beyond the drawn face up to which what is around moves as the face's edge does, and from
which on nothing moves: first for an expression, then for a head that turns and takes its hair along."""
_STEP = 8
"""Pixels of a cell in which the motion around the face is worked out."""
_BORDER = 0.25
"""Distances between the eyes from the border of the picture within which less and less moves across it."""
_NECK, _NECK_WIDTH = 1.2, 1.5
"""How far under the chin and beside it the foot of the neck lies, which does not move, distances between the eyes."""
_SMOOTHING = 1e-4
_IRIS = 1.15
"""Radius around the middle of an iris that moves as a whole, in radii of the iris."""


def reach(turned: bool) -> float:
    """Distances between the eyes from the face on from which nothing moves; ``turned`` if the pose changes."""
    return (_TURNING if turned else _EXPRESSION)[1]


def identity_field(box: Box) -> NDArray[np.float32]:
    """(h, w, 2) the places of the pixels of ``box`` themselves."""
    return warp.affine_field(np.array([[1.0, 0, 0], [0, 1.0, 0]]), box)


def _inside(box: Box, width: int, height: int, reach: float) -> NDArray[np.float32]:
    """Over ``box`` (h, w, 2), for motion across and down: 0 along the borders of the frame that the motion would cross,
    1 from ``reach`` pixels inside on. Beyond them nothing is known; along them everything may move.
    """
    x = np.minimum(np.arange(box.left, box.right), width - 1 - np.arange(box.left, box.right))
    y = np.minimum(np.arange(box.top, box.bottom), height - 1 - np.arange(box.top, box.bottom))
    across, down = (masks.smoothstep(distance.astype(np.float32), 0, max(1.0, reach)) for distance in (x, y))
    return np.dstack(np.broadcast_arrays(across[None, :], down[:, None]))


def motion_around(goal: Goal, known: Matte, box: Box, shape: tuple[int, int], turned: bool) -> NDArray[np.float32]:
    """(h, w, 2) pixels, the motion over ``box`` of what is around the face: hair, ears and neck.

    The smoothest one (a thin-plate spline) that moves the oval of the face as wanted and neither the corners of the
    frame, of ``shape`` (rows, columns), nor the foot of the neck; fading out with the distance from where the face is
    ``known``. What the head does reaches further than what the face does.
    """
    seen, wanted = (points[list(t.FACE_OVAL), :2] for points in (goal.seen, goal.landmarks))
    still = np.vstack([_neck(goal), [(x, y) for x in (0, shape[1] - 1) for y in (0, shape[0] - 1)]])
    away = cv2.distanceTransform((known < 0.5).astype(np.uint8), cv2.DIST_L2, 3) * np.float32(1 / face_scale(goal.seen))
    motion = _spread(wanted, goal.posed, still, box) * masks.smoothstep(away, *_EXPRESSION[::-1])[..., None]
    if turned:
        motion += _spread(goal.posed, seen, still, box) * masks.smoothstep(away, *_TURNING[::-1])[..., None]
    faded: NDArray[np.float32] = motion * _inside(box, shape[1], shape[0], _BORDER * face_scale(goal.seen))
    return faded


def _spread(
    start: NDArray[np.float64], end: NDArray[np.float64], still: NDArray[np.float64], box: Box
) -> NDArray[np.float32]:
    """(h, w, 2) pixels over ``box``: from ``start`` to ``end`` (N, 2), nothing at ``still`` (M, 2), smooth between."""
    spline = ThinPlateSpline.fit(np.vstack([start, still]), np.vstack([end, still]), _SMOOTHING)
    return spline.field(box, _STEP) - identity_field(box)


def _neck(goal: Goal) -> NDArray[np.float64]:
    """(3, 2) pixels under the chin, across the foot of the neck."""
    crown, chin = goal.seen[10, :2], goal.seen[152, :2]
    down = (chin - crown) / max(float(np.linalg.norm(chin - crown)), 1e-9)
    foot, side = chin + _NECK * face_scale(goal.seen) * down, np.array([-down[1], down[0]]) * face_scale(goal.seen)
    return np.stack([foot + across * side for across in (-_NECK_WIDTH, 0, _NECK_WIDTH)])


def eyeball(part: Part, goal: Goal, step: NDArray[np.float64], box: Box) -> NDArray[np.float32]:
    """(h, w, 2) where each pixel of ``box`` of an eye comes from in the frame when its iris moves by ``step`` (2,)."""
    pupil, corners = iris(part)
    matrix = fit_similarity(goal.landmarks[corners, :2], goal.seen[corners, :2])
    matrix = _taller(matrix, goal.landmarks[corners, :2], _opened(part, goal))
    if not step.any():
        return warp.affine_field(matrix, box)
    plain = identity_field(box)
    centre, rim = goal.landmarks[pupil[0], :2], goal.landmarks[pupil[1:], :2]
    radius = _IRIS * float(np.linalg.norm(rim - centre, axis=1).mean())
    # The white of the eye is stretched on one side and pushed together on the other, gently enough not to fold.
    reach = max(2.2 * radius, radius + 2 * float(np.linalg.norm(step)))
    away = np.linalg.norm(plain - centre.astype(np.float32), axis=-1)
    share = masks.smoothstep(away, reach, radius)[..., None]
    found: NDArray[np.float32] = cv2.transform(plain - share * step.astype(np.float32), matrix)
    return found


def _opened(part: Part, goal: Goal) -> float:
    """How much further an eye is open than the target shows it: 1 for not at all."""
    seen = max(eye_openness(part, goal.seen), 0.02)
    return max(1.0, eye_openness(part, goal.landmarks) / seen)


def _taller(matrix: Matrix, corners: NDArray[np.float64], factor: float) -> Matrix:
    """``matrix`` of what is ``factor`` times as tall, at right angles to the line between ``corners`` (2, 2): of an eye
    that opens wide more cannot be seen than there is."""
    line = (corners[1] - corners[0]) / max(float(np.linalg.norm(corners[1] - corners[0])), 1e-9)
    across = np.array([-line[1], line[0]])
    squeeze = np.eye(2) + (1 / factor - 1) * np.outer(across, across)
    middle = corners.mean(axis=0)
    linear = matrix[:, :2] @ squeeze
    return np.column_stack([linear, matrix[:, 2] + (matrix[:, :2] - linear) @ middle])


def look_up(picture: FloatImage, where: NDArray[np.float32]) -> FloatImage:
    """Bicubic: every frame is looked up once, and bilinearly it would lose its grain."""
    return cv2.remap(picture, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
