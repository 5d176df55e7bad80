from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.methods.eyeball import IRIS_RADIUS, steady_irises
from faceloom.types import Face

IRISES = [*t.LEFT_IRIS, *t.RIGHT_IRIS]


@pytest.fixture
def face(perceived: Perceived) -> Face:
    return perceived.example.faces[0]


def looking(face: Face, right: float, seed: int | None = None) -> Face:
    """The face with irises moved by ``right`` and noise, in inter-ocular distances."""
    landmarks = face.landmarks.copy()
    moved = np.array([right, 0.0])
    if seed is not None:
        moved = moved + np.random.default_rng(seed).normal(0, 0.003, 2)
    landmarks[IRISES, :2] += moved * face_scale(landmarks)
    return replace(face, landmarks=landmarks)


def gaze(faces: list[Face | None]) -> np.ndarray:
    return np.array([face.landmarks[t.LEFT_IRIS[0], 0] / face_scale(face.landmarks) for face in faces if face])


def test_jitter_goes(face: Face) -> None:
    shaky = [looking(face, 0, seed) for seed in range(40)]
    before, after = gaze(list(shaky)), gaze(steady_irises(shaky))
    assert np.diff(after).std() < 0.3 * np.diff(before).std()
    assert after.mean() == pytest.approx(before.mean(), abs=1e-3)


def test_a_glance_stays_as_quick_as_it_was(face: Face) -> None:
    glance = [looking(face, 0.05 if 6 <= k < 9 else 0) for k in range(15)]
    np.testing.assert_allclose(gaze(steady_irises(glance)), gaze(list(glance)), atol=1e-6)


def test_a_gaze_that_wanders_has_no_lag(face: Face) -> None:
    slow = [looking(face, 0.002 * k) for k in range(20)]
    inner = slice(IRIS_RADIUS, -IRIS_RADIUS)
    np.testing.assert_allclose(gaze(steady_irises(slow))[inner], gaze(list(slow))[inner], atol=1e-5)


def test_the_rest_of_the_face_stays(face: Face) -> None:
    shaky = [looking(face, 0, seed) for seed in range(9)]
    others = np.delete(np.arange(478), IRISES)
    for before, after in zip(shaky, steady_irises(shaky), strict=True):
        assert after is not None
        np.testing.assert_array_equal(after.landmarks[others], before.landmarks[others])
        np.testing.assert_array_equal(after.landmarks[:, 2], before.landmarks[:, 2])


def test_frames_without_a_face_count_for_nothing(face: Face) -> None:
    shaky: list[Face | None] = [looking(face, 0, seed) for seed in range(9)]
    shaky[4] = None
    steady = steady_irises(shaky)
    assert [each is None for each in steady] == [k == 4 for k in range(9)]
    assert np.abs(gaze(steady) - gaze(shaky)).max() < 0.012
    assert steady_irises([None, shaky[0], None]) == [None, shaky[0], None]
    assert steady_irises([]) == []


def test_only_neighbours_count(face: Face) -> None:
    """So that it does not show how a clip is cut into windows."""
    shaky = [looking(face, 0, seed) for seed in range(30)]
    whole, piece = steady_irises(shaky), steady_irises(shaky[8:22])
    for one, other in zip(whole[8 + IRIS_RADIUS : 22 - IRIS_RADIUS], piece[IRIS_RADIUS:-IRIS_RADIUS], strict=True):
        assert one is not None and other is not None
        np.testing.assert_array_equal(one.landmarks, other.landmarks)
