"""Weak-perspective cameras: from the space of the morphable model to pixels of the frame.

Convention: a camera is a (3, 4) float64 matrix. It takes a point of the model (micrometres; x to the subject's left,
which is the right of the picture, y up, z out of the face) to (x, y, z) in the frame: x and y in pixels, y down, z in
the unit of x and negative towards the viewer, as that of landmarks. Only differences of z mean anything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Camera = NDArray[np.float64]
"""(3, 4), from model to frame."""

_FLIP = np.diag([1.0, -1.0, -1.0])
"""The model's y and z point the other way than the frame's."""


def camera_of(scale: float, rotation: ArrayLike, translation: ArrayLike) -> Camera:
    """The camera of a head turned by ``rotation`` ((3, 3), in the model's axes); the inverse of ``split_camera``.

    scale        pixels a micrometre.
    translation  (3,) where the model's origin, which lies inside the head, comes to lie in the frame.
    """
    return np.column_stack([scale * _FLIP @ np.asarray(rotation, np.float64), np.asarray(translation, np.float64)])


def split_camera(camera: Camera) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Scale, rotation (3, 3) and translation (3,) of the weak-perspective camera nearest to ``camera``.

    The regressor's matrix is only nearly a scaled rotation; the rotation is the nearest one in the sense of least
    squares (Gower and Dijksterhuis, Procrustes Problems, 2004), the scale goes with it.
    """
    linear = _FLIP @ camera[:, :3]
    u, singular, vt = np.linalg.svd(linear)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return float((singular * signs).mean()), (u * signs) @ vt, camera[:, 3].copy()


def head_angles(camera: Camera) -> tuple[float, float, float]:
    """Yaw, pitch and roll of the head in degrees, all 0 for a face that looks straight into the camera.

    Turn about y, then x, then z, in the turned frame, as for ``Face.pose``: yaw is positive when the face looks to
    the right of the picture, pitch when it looks down, roll when its top leans to the left of the picture.
    """
    yaw, pitch, roll = Rotation.from_matrix(split_camera(camera)[1]).as_euler("YXZ", degrees=True)
    return float(yaw), float(pitch), float(roll)


def through_camera(camera: Camera, points: NDArray[np.floating]) -> NDArray[np.float32]:
    """``points`` (N, 3) of the model in the frame, (N, 3) float32."""
    projected: NDArray[np.float32] = (points @ camera[:, :3].T + camera[:, 3]).astype(np.float32)
    return projected
