from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from faceloom.evaluate.metrics.pose import (
    angle_error,
    coefficient_distance,
    euler_angles,
    expression_error,
    expression_error_l2,
    gaze,
    gaze_error,
    morphable_expression_error,
    pose_error,
    pose_euler_error,
)
from faceloom.geometry import topology as t
from faceloom.types import Face, Part


@pytest.fixture
def face(shot) -> Face:
    return shot.faces[0]


def turned(face: Face, yaw: float, pitch: float, roll: float, scale: float = 1.0) -> Face:
    pose = np.eye(4)
    pose[:3, :3] = scale * Rotation.from_euler("YXZ", [yaw, pitch, roll], degrees=True).as_matrix()
    return replace(face, pose=pose)


def test_angles_come_back_whatever_the_scale(face: Face) -> None:
    assert euler_angles(turned(face, 20, -10, 5, scale=1.7).pose) == pytest.approx([20, -10, 5], abs=1e-9)


def test_pose_errors_computed_by_hand(face: Face) -> None:
    straight = turned(face, 0, 0, 0)
    assert pose_error(straight, straight) == pytest.approx(0, abs=1e-6)
    assert pose_error(straight, turned(face, 30, 0, 0, scale=2)) == pytest.approx(30)
    # Two quarter turns about different axes make a third of a full turn.
    assert pose_error(straight, turned(face, 90, 90, 0)) == pytest.approx(120)
    assert pose_euler_error(straight, turned(face, 30, -6, 3)) == pytest.approx(13)
    assert pose_euler_error(turned(face, 179, 0, 0), turned(face, -179, 0, 0)) == pytest.approx(2 / 3)


def test_pose_errors_grow_with_the_turn(face: Face) -> None:
    straight = turned(face, 0, 0, 0)
    for measure in (pose_error, pose_euler_error):
        assert all(a < b for a, b in pairwise(measure(straight, turned(face, yaw, 2, 0)) for yaw in (1, 2, 4, 8, 16)))


def test_expression_errors_computed_by_hand(face: Face) -> None:
    one, other = np.zeros(52, np.float32), np.zeros(52, np.float32)
    other[3], other[7] = 0.3, 0.4
    still, moved = replace(face, blendshapes=one), replace(face, blendshapes=other)
    assert expression_error(still, moved) == pytest.approx(0.7 / 52)
    assert expression_error_l2(still, moved) == pytest.approx(0.5)
    assert expression_error(moved, moved) == expression_error_l2(moved, moved) == 0


def test_morphable_expression_error_computed_by_hand() -> None:
    target, result, deviation = np.zeros(10), np.zeros(10), np.full(10, 2.0)
    result[:2] = 4.0, -2.0
    # (4 / 2 + 2 / 2) / 10
    assert morphable_expression_error(target, result, deviation) == pytest.approx(0.3)
    assert morphable_expression_error(result, result, deviation) == 0


def test_errors_of_the_papers_networks_computed_by_hand() -> None:
    assert angle_error(np.array([10.0, -5, 0]), np.array([13.0, -5, -3])) == pytest.approx(2)
    assert angle_error(np.array([179.0]), np.array([-179.0])) == pytest.approx(2)
    one, other = np.zeros(64, np.float32), np.zeros(64, np.float32)
    other[[3, 40]] = 3, -4
    assert coefficient_distance(one, other) == pytest.approx(5)
    assert angle_error(one, one) == coefficient_distance(other, other) == 0


def looking(face: Face, x: float, y: float) -> np.ndarray:
    """Both irises moved by shares of the eyes' width, in the picture's axes."""
    points = face.landmarks.copy()
    for iris, (outer, inner) in ((t.LEFT_IRIS, t.LEFT_EYE_CORNERS), (t.RIGHT_IRIS, t.RIGHT_EYE_CORNERS)):
        width = np.linalg.norm(points[outer, :2] - points[inner, :2])
        points[list(iris), :2] += width * np.float32([x, y])
    return points


def test_gaze_error_is_the_share_of_the_eye_by_which_the_iris_moved(face: Face) -> None:
    assert gaze_error(face.landmarks, face.landmarks) == 0
    assert gaze_error(face.landmarks, looking(face, 0.06, 0.08)) == pytest.approx(0.1, rel=1e-4)
    errors = [gaze_error(face.landmarks, looking(face, step, 0)) for step in (0.02, 0.05, 0.1, 0.15, 0.2)]
    assert all(a < b for a, b in pairwise(errors))


def test_gaze_does_not_depend_on_size_place_or_roll(face: Face) -> None:
    angle = np.radians(25)
    turn = 1.8 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = face.landmarks.astype(np.float64)
    moved[:, :2] = moved[:, :2] @ turn.T + (30, -12)
    for part in (Part.LEFT_EYE, Part.RIGHT_EYE):
        np.testing.assert_allclose(gaze(part, moved), gaze(part, face.landmarks), atol=1e-6)


def test_shut_eyes_are_left_out(face: Face) -> None:
    shut = looking(face, 0.1, 0)
    for upper, lower in ((t.LEFT_UPPER_LID, t.LEFT_LOWER_LID), (t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID)):
        shut[list(upper), 1] = shut[list(lower), 1]
        if upper is t.LEFT_UPPER_LID:
            one_eye = gaze_error(face.landmarks, shut)
    assert one_eye == pytest.approx(0.1, rel=1e-4)
    assert np.isnan(gaze_error(face.landmarks, shut))
