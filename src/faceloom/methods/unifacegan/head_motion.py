"""How a head moves, from its landmarks: steadier, and nearer to what is seen, than from cameras fitted frame by frame.

The regressor's cameras take some of an open mouth for a larger or lower head. The points used here move with the skull.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import topology as t
from faceloom.types import Points

_RIGID = [*t.RIGID_POINTS, *t.LEFT_EYE_CORNERS, *t.RIGHT_EYE_CORNERS, 1, 2, 98, 327]
"""Points on bone or cartilage; of the brows and the oval none that expressions or a turned head drag along."""


def rigid_motion(before: Points, after: Points) -> NDArray[np.float64]:
    """(3, 4) float64, the turn, scale and shift that bring ``before`` (N, 3) nearest to ``after`` (N, 3), pixels.

    Umeyama, Least-squares estimation of transformation parameters between two point patterns, 1991.
    """
    p, q = np.asarray(before, np.float64), np.asarray(after, np.float64)
    from_centre, to_centre = p.mean(axis=0), q.mean(axis=0)
    p, q = p - from_centre, q - to_centre
    u, singular, vt = np.linalg.svd(q.T @ p)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = float((singular * signs).sum() / max(float((p * p).sum()), 1e-12))
    linear = scale * (u * signs) @ vt
    return np.column_stack([linear, to_centre - linear @ from_centre])


def cameras_of_head(
    camera: NDArray[np.float64], depth: float, landmarks: Sequence[NDArray[np.float64] | None]
) -> list[NDArray[np.float64] | None]:
    """Cameras (3, 4) that move as the head at ``landmarks``, None where there are none.

    camera     (3, 4) of the first of them that is not None.
    depth      what to add to z of the landmarks to count it as the camera does, in pixels.
    landmarks  (478, 3) for each moment, pixels of the frame.
    """
    shift = np.array([0, 0, depth])
    first = next((points for points in landmarks if points is not None), None)
    moved: list[NDArray[np.float64] | None] = []
    for points in landmarks:
        if points is None or first is None:
            moved.append(None)
            continue
        motion = rigid_motion(first[_RIGID] + shift, points[_RIGID] + shift)
        then = motion[:, :3] @ camera
        then[:, 3] += motion[:, 3]
        moved.append(then)
    return moved
