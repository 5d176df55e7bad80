from __future__ import annotations

import math

import numpy as np
import pytest

from faceloom.errors import GeometryError, WeightsError
from faceloom.perceive.litert import read_bundle
from faceloom.perceive.pose import VERTICAL_FIELD_OF_VIEW, CanonicalFace, read_canonical_face
from faceloom.weights import Store


@pytest.fixture(scope="module")
def canonical(store: Store) -> CanonicalFace:
    return read_canonical_face(
        read_bundle(store.path("face_landmarker"))["geometry_pipeline_metadata_landmarks.binarypb"]
    )


def weak_perspective(canonical: CanonicalFace, pose: np.ndarray, width: int, height: int) -> np.ndarray:
    """Landmarks as the network gives them: seen by the camera, z relative to the face and in the unit of x."""
    points = canonical.vertices @ pose[:3, :3].T + pose[:3, 3]
    depth = -points[:, 2]
    unit = height / (2 * math.tan(VERTICAL_FIELD_OF_VIEW / 2))
    x = width / 2 + points[:, 0] / depth * unit
    y = height / 2 - points[:, 1] / depth * unit
    return np.column_stack([x, y, (depth - depth.mean()) / depth.mean() * unit])


def turned(yaw: float, pitch: float, roll: float, shift: tuple[float, float, float]) -> np.ndarray:
    a, b, c = np.radians([yaw, pitch, roll])
    y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = z @ x @ y
    pose[:3, 3] = shift
    return pose


def test_canonical_face_is_a_face_in_centimetres(canonical: CanonicalFace) -> None:
    assert canonical.vertices.shape == (468, 3)
    assert canonical.triangles.shape == (898, 3)
    assert canonical.triangles.max() == 467
    right_eye, left_eye = canonical.vertices[33], canonical.vertices[263]
    assert right_eye[0] == pytest.approx(-left_eye[0], abs=1e-3)
    assert 7 < left_eye[0] - right_eye[0] < 10
    assert canonical.vertices[10, 1] > canonical.vertices[152, 1]  # the forehead is above the chin
    assert canonical.vertices[1, 2] > canonical.vertices[234, 2]  # the nose is nearer than the ear
    assert 0 < np.count_nonzero(canonical.weights) < 100


@pytest.mark.parametrize(
    ("angles", "shift", "size"),
    [
        ((0, 0, 0), (0, 0, -40), (512, 512)),
        ((30, -10, 5), (5, -3, -60), (1920, 1080)),
        ((-50, 0, 0), (0, 4, -80), (333, 777)),
    ],
)
def test_pose_of_a_projected_face_is_recovered(
    canonical: CanonicalFace,
    angles: tuple[float, float, float],
    shift: tuple[float, float, float],
    size: tuple[int, int],
) -> None:
    true = turned(*angles, shift)
    pose = canonical.pose(weak_perspective(canonical, true, *size), *size)
    scale = np.cbrt(np.linalg.det(pose[:3, :3]))
    assert scale == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(pose[:3, :3] / scale, true[:3, :3], atol=0.02)
    np.testing.assert_allclose(pose[:3, 3], true[:3, 3], rtol=0.03, atol=0.3)
    np.testing.assert_array_equal(pose[3], [0, 0, 0, 1])


def test_rotation_is_never_a_reflection(canonical: CanonicalFace) -> None:
    mirrored = weak_perspective(canonical, turned(0, 0, 0, (0, 0, -40)), 512, 512)
    mirrored[:, 0] = 511 - mirrored[:, 0]
    assert np.linalg.det(canonical.pose(mirrored, 512, 512)[:3, :3]) > 0


@pytest.mark.parametrize("bad", [np.zeros((478, 3)), np.full((478, 3), np.nan)])
def test_landmarks_without_a_pose_are_refused(canonical: CanonicalFace, bad: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="detect the face again"):
        canonical.pose(bad, 512, 512)


@pytest.mark.parametrize("message", [b"", b"\x00", b"\xff\xff", b"\x0a\x05hello"])
def test_damaged_metadata_is_refused(message: bytes) -> None:
    with pytest.raises(WeightsError, match="canonical face"):
        read_canonical_face(message)
