from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.methods.eyeball import IRIS_RADIUS, TRUST_RADIUS, steady_irises, steady_trusts
from faceloom.types import Face, Part

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


class TestTrust:
    @staticmethod
    def blinking(face: Face, frames: int = 25, shut: slice = slice(12, 13)) -> list[Face]:
        """The face, with the upper lids on the lower ones in the frames ``shut``."""
        landmarks = face.landmarks.copy()
        for upper, lower in ((t.LEFT_UPPER_LID, t.LEFT_LOWER_LID), (t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID)):
            landmarks[list(upper)] = landmarks[list(lower)]
        closed = replace(face, landmarks=landmarks)
        return [closed if k in range(*shut.indices(frames)) else face for k in range(frames)]

    @pytest.mark.parametrize("part", [Part.LEFT_EYE, Part.RIGHT_EYE])
    def test_a_blink_of_one_frame_hides_the_eye_before_and_after(self, part: Part, face: Face) -> None:
        trusts = steady_trusts(part, self.blinking(face), face.landmarks)
        for shares in (np.array([trust.lid for trust in trusts]), np.array([trust.ball for trust in trusts])):
            assert shares[11] < 0.6 and shares[[0, -1]] == pytest.approx(1)
            assert np.abs(np.diff(shares)).max() < 0.45, "no switch from one frame to the next"
            np.testing.assert_allclose(shares, shares[::-1])
            assert (np.diff(shares[:13]) <= 1e-9).all()
        assert trusts[12].ball == 0

    def test_a_shut_eye_shows_no_eyeball(self, face: Face) -> None:
        trusts = steady_trusts(Part.LEFT_EYE, self.blinking(face, shut=slice(8, 17)), face.landmarks)
        assert [trust.ball for trust in trusts[8:17]] == [0] * 9

    def test_the_eyeball_is_back_sooner_than_the_lid(self, face: Face) -> None:
        """Of an open eye a change of the iris' colour would be seen."""
        trusts = steady_trusts(Part.LEFT_EYE, self.blinking(face), face.landmarks)
        assert trusts[16].ball > 0.95 > 0.8 > trusts[16].lid

    def test_frames_without_a_face_count_for_nothing(self, face: Face) -> None:
        faces: list[Face | None] = [face, None, *self.blinking(face)[12:]]
        assert steady_trusts(Part.LEFT_EYE, [face, None, face], face.landmarks)[2].ball == pytest.approx(1)
        assert steady_trusts(Part.LEFT_EYE, faces, face.landmarks)[0].ball < 1
        assert steady_trusts(Part.LEFT_EYE, [], face.landmarks) == []

    def test_only_neighbours_count(self, face: Face) -> None:
        """So that it does not show how a clip is cut into windows."""
        faces = self.blinking(face, 40, slice(18, 20))
        whole, piece = (steady_trusts(Part.LEFT_EYE, some, face.landmarks) for some in (faces, faces[8:32]))
        assert whole[8 + TRUST_RADIUS : 32 - TRUST_RADIUS] == piece[TRUST_RADIUS:-TRUST_RADIUS]
