"""Does the head still point, look and emote as it did: errors between the faces of two frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import eye_openness
from faceloom.types import Face, Part, Points

_SHUT = 0.12
"""Opening over width below which the iris of an eye is hidden and its landmarks are guessed."""


def pose_error(target: Face, result: Face) -> float:
    """Angle of the rotation that takes one head pose to the other, degrees in [0, 180]; lower is better, 0 if equal.

    ``arccos((tr(R_target^T R_result) - 1) / 2)`` with the rotations of ``Face.pose`` (fitted to the landmarks).
    V-PartSwap and UniFaceGAN measure the same with HopeNet; its angles are not those of landmarks.
    """
    return float(np.degrees((_rotation(target.pose).inv() * _rotation(result.pose)).magnitude()))


def euler_angles(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) yaw, pitch, roll in degrees of a (4, 4) head pose: turn about y, then x, then z, in the turned frame."""
    return _rotation(pose).as_euler("YXZ", degrees=True)


def pose_euler_error(target: Face, result: Face) -> float:
    """Mean absolute difference of yaw, pitch and roll, degrees; lower is better, 0 for equal poses.

    The error that head-pose networks report: Ruiz et al., Fine-Grained Head Pose Estimation Without Keypoints, 2018.
    """
    return angle_error(euler_angles(target.pose), euler_angles(result.pose))


def angle_error(target: NDArray[np.floating], result: NDArray[np.floating]) -> float:
    """Mean absolute difference of angles (n,), degrees; lower is better, 0 for equal ones; 359 and 1 differ by 2.

    Of HopeNet's yaw, pitch and roll it is the pose error of V-PartSwap and UniFaceGAN, who leave open how they join the
    three.
    """
    difference = np.asarray(target, np.float64) - np.asarray(result, np.float64)
    return float(np.abs((difference + 180) % 360 - 180).mean())


def expression_error(target: Face, result: Face) -> float:
    """Mean absolute difference of the 52 blendshapes, each in [0, 1]; lower is better, 0 for equal expressions.

    V-PartSwap measures expression coefficients of Deep3DFaceRecon, UniFaceGAN of its 3DMM; blendshapes are another
    basis, so the numbers compare methods with each other but not with the papers' tables.
    """
    return float(np.abs(_blendshapes(target) - _blendshapes(result)).mean())


def expression_error_l2(target: Face, result: Face) -> float:
    """Euclidean distance of the 52 blendshapes; lower is better. See ``expression_error``."""
    return float(np.linalg.norm(_blendshapes(target) - _blendshapes(result)))


def gaze(part: Part, landmarks: Points) -> NDArray[np.float64]:
    """Where the iris is in its eye: (2,) share of the eye's width, from the middle between the corners.

    The first axis runs from the outer to the inner corner, the second one at right angles to it, so that turning the
    head in the picture plane and its size play no role. About (0, 0) for an eye that looks straight on.
    """
    left = part == Part.LEFT_EYE
    corners, iris = (t.LEFT_EYE_CORNERS, t.LEFT_IRIS) if left else (t.RIGHT_EYE_CORNERS, t.RIGHT_IRIS)
    points = np.asarray(landmarks, np.float64)[:, :2]
    outer, inner = points[corners[0]], points[corners[1]]
    along = inner - outer
    offset = points[iris[0]] - 0.5 * (outer + inner)
    width_squared = max(float(along @ along), 1e-12)
    across = np.array([-along[1], along[0]])
    return np.array([offset @ along, offset @ across]) / width_squared


def gaze_error(target: Points, result: Points) -> float:
    """How far the irises moved in their eyes: mean over both eyes, share of the eye's width; lower is better.

    An eye that is shut in one of the frames (opening below 0.12 of its width) is left out; NaN when both are.

    target, result  (478, 3) landmarks of the same frame before and after the edit.
    """
    errors = [
        float(np.linalg.norm(gaze(part, target) - gaze(part, result)))
        for part in (Part.LEFT_EYE, Part.RIGHT_EYE)
        if min(eye_openness(part, target), eye_openness(part, result)) >= _SHUT
    ]
    return float(np.mean(errors)) if errors else float("nan")


def morphable_expression_error(
    target: NDArray[np.floating], result: NDArray[np.floating], deviation: NDArray[np.floating]
) -> float:
    """Mean absolute difference of a 3D face's expression coefficients, in their deviations; lower is better.

    ``mean_i |e_i(result) - e_i(target)| / sigma_i`` over the ten coefficients of 3DDFA_V2 (Guo et al., 2020), where
    V-PartSwap and UniFaceGAN have Deep3DFaceRecon's: another model, so not to be compared with their figures.

    target, result  (10,) coefficients of the same frame before and after the edit.
    deviation       (10,) standard deviation of each over the regressor's training faces.
    """
    difference = np.abs(np.asarray(result, np.float64) - np.asarray(target, np.float64))
    return float((difference / np.asarray(deviation, np.float64)).mean())


def coefficient_distance(target: NDArray[np.floating], result: NDArray[np.floating]) -> float:
    """Euclidean distance of two lists of coefficients (n,); lower is better, 0 for equal ones.

    Of Deep3DFaceRecon's 64 coefficients of the expression it is the expression error of V-PartSwap, who leave the norm
    open; face swapping reports this one.
    """
    return float(np.linalg.norm(np.asarray(result, np.float64) - np.asarray(target, np.float64)))


def _rotation(pose: NDArray[np.float64]) -> Rotation:
    """The rotation of a (4, 4) pose, without its scale."""
    return Rotation.from_matrix(np.asarray(pose, np.float64)[:3, :3] / np.cbrt(np.linalg.det(pose[:3, :3])))


def _blendshapes(face: Face) -> NDArray[np.float64]:
    return np.asarray(face.blendshapes, np.float64)
