from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from faceloom.methods.unifacegan.head_motion import cameras_of_head, rigid_motion
from faceloom.perceive.morphable import camera_of
from faceloom.perceive.morphable.camera import through_camera


def test_a_known_motion_is_found() -> None:
    points = np.random.default_rng(0).normal(0, 50, (30, 3))
    turn = Rotation.from_euler("YXZ", [20, -10, 5], degrees=True).as_matrix()
    motion = rigid_motion(points, 1.2 * points @ turn.T + [4, -7, 2])
    np.testing.assert_allclose(motion, np.column_stack([1.2 * turn, [4, -7, 2]]), atol=1e-9)


def test_mirrored_points_are_turned_and_not_mirrored() -> None:
    points = np.random.default_rng(0).normal(0, 50, (30, 3))
    assert np.linalg.det(rigid_motion(points, points * [-1, 1, 1])[:, :3]) > 0


def test_the_camera_moves_with_the_landmarks() -> None:
    rng = np.random.default_rng(1)
    head = rng.normal(0, 40_000, (478, 3))
    first = camera_of(1e-3, np.eye(3), (200, 150, 30))
    later = camera_of(1.1e-3, Rotation.from_euler("Y", 15, degrees=True).as_matrix(), (230, 140, -8))
    # Depths of landmarks count from elsewhere than those of the model.
    seen = [through_camera(camera, head).astype(np.float64) - [0, 0, 12] for camera in (first, later)]
    made = cameras_of_head(first, 12.0, [None, seen[0], None, seen[1]])
    assert made[0] is None and made[2] is None and made[1] is not None and made[3] is not None
    np.testing.assert_allclose(made[1], first, atol=1e-6)
    np.testing.assert_allclose(made[3][:2], later[:2], rtol=1e-4, atol=1e-4)
