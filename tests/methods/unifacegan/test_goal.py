from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.perceived import Perceived

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import eye_openness, mouth_openness
from faceloom.methods.unifacegan.driver import Beginning, Drive, drive_of_picture
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.gaze import look_of
from faceloom.methods.unifacegan.goal import MOST_TURN, Goal, Rest, driven_camera, make_goal, rest_of
from faceloom.perceive.morphable import MorphableParameters, camera_of, head_angles, split_camera
from faceloom.types import Part

CLOSED, SMILING, OPEN = "person_05", "person_06", "person_01"
Person = tuple[Rest, MorphableParameters, np.ndarray]


@pytest.fixture(scope="module")
def person(fitter: FaceFitter, perceived: Perceived) -> Person:
    source = perceived.source(CLOSED)
    landmarks = source.face.landmarks.astype(np.float64)
    rest = rest_of(fitter, source.image, landmarks)
    return rest, rest.parameters, landmarks


def drive(name: str, fitter: FaceFitter, perceived: Perceived) -> Drive:
    found = drive_of_picture(perceived.source(name), fitter).drive
    return found


def goal(person: Person, fitter: FaceFitter, expression: Drive | None = None, pose: Drive | None = None) -> Goal:
    return make_goal(fitter, *person, expression, pose)


def test_nobody_drives_and_nothing_moves(person: Person, fitter: FaceFitter) -> None:
    made = goal(person, fitter)
    np.testing.assert_allclose(made.landmarks[:, :2], person[2][:, :2], atol=1e-3)
    np.testing.assert_array_equal(made.vertices, made.surface)


def test_the_mouth_opens_as_far_as_the_drivers(person: Person, fitter: FaceFitter, perceived: Perceived) -> None:
    smile = drive(SMILING, fitter, perceived)
    before, wanted = mouth_openness(person[2]), mouth_openness(smile.landmarks)
    made = mouth_openness(goal(person, fitter, smile).landmarks)
    assert wanted > before + 0.03, "or the example shows nothing"
    assert made == pytest.approx(wanted, abs=0.015)


def test_lips_close_without_crossing(fitter: FaceFitter, perceived: Perceived) -> None:
    source = perceived.source(SMILING)
    landmarks = source.face.landmarks.astype(np.float64)
    rest = rest_of(fitter, source.image, landmarks)
    made = make_goal(fitter, rest, rest.parameters, landmarks, drive(CLOSED, fitter, perceived), None).landmarks
    gap = made[list(t.LOWER_LIP_INNER[1:-1]), 1] - made[list(t.UPPER_LIP_INNER[1:-1]), 1]
    assert gap.min() > -1.5
    assert mouth_openness(made) < 0.25 * mouth_openness(landmarks)


def test_lids_shut_with_the_drivers(person: Person, fitter: FaceFitter, perceived: Perceived) -> None:
    asleep = replace(drive(CLOSED, fitter, perceived), lids=(0.0, 1.0))
    made = goal(person, fitter, asleep).landmarks
    assert eye_openness(Part.LEFT_EYE, made) < 0.3 * eye_openness(Part.LEFT_EYE, person[2])
    assert eye_openness(Part.RIGHT_EYE, made) > 0.8 * eye_openness(Part.RIGHT_EYE, person[2])


class TestPose:
    def camera(self, yaw: float, scale: float = 1e-3, place: tuple[float, float, float] = (250, 250, 0)) -> np.ndarray:
        return camera_of(scale, Rotation.from_euler("YXZ", [yaw, 0, 0], degrees=True).as_matrix(), place)

    def drive(self, camera: np.ndarray, rest: np.ndarray | None, like: Drive) -> Drive:
        begin = None if rest is None else Beginning(rest, np.zeros(3), np.zeros((2, 2)))
        return replace(like, parameters=replace(like.parameters, camera=camera), begin=begin)

    def rest(self, person: Person, own: MorphableParameters) -> Rest:
        return replace(person[0], parameters=own)

    @pytest.fixture
    def like(self, fitter: FaceFitter, perceived: Perceived) -> Drive:
        return drive(CLOSED, fitter, perceived)

    def test_a_picture_gives_its_turn_and_the_target_keeps_its_place(self, person: Person, like: Drive) -> None:
        own = replace(person[1], camera=self.camera(0))
        made = driven_camera(own, self.rest(person, own), self.drive(self.camera(20, 5e-3, (10, 20, 0)), None, like))
        assert head_angles(made)[0] == pytest.approx(20, abs=0.1)
        scale, _, place = split_camera(made)
        assert scale == pytest.approx(1e-3)
        np.testing.assert_allclose(place, [250, 250, 0], atol=1e-9)

    def test_a_clip_gives_turn_and_movement_since_its_beginning(self, person: Person, like: Drive) -> None:
        own = replace(person[1], camera=self.camera(5))
        clip = self.drive(self.camera(25, 2e-3 * 1.1, (120, 90, 0)), self.camera(15, 2e-3, (100, 100, 0)), like)
        made = driven_camera(own, self.rest(person, own), clip)
        centre = np.append(person[0].anchors.centre(person[0].neutral), 1)
        assert head_angles(made)[0] == pytest.approx(15, abs=0.1)
        assert split_camera(made)[0] == pytest.approx(1.1e-3)
        np.testing.assert_allclose((made @ centre - own.camera @ centre)[:2], [10, -5], atol=1e-6)

    def test_no_head_is_turned_too_far(self, person: Person, like: Drive) -> None:
        own = replace(person[1], camera=self.camera(0))
        made = driven_camera(own, self.rest(person, own), self.drive(self.camera(70), None, like))
        assert head_angles(made)[0] == pytest.approx(MOST_TURN, abs=0.1)

    def test_the_own_pose_changes_nothing(self, person: Person, like: Drive) -> None:
        own = person[1]
        made = driven_camera(own, self.rest(person, own), self.drive(own.camera, own.camera, like))
        np.testing.assert_allclose(made, own.camera, rtol=1e-9, atol=1e-9)


class TestGaze:
    def test_irises_go_where_a_picture_has_them(self, person: Person, fitter: FaceFitter, perceived: Perceived) -> None:
        wanted = look_of(person[2]) + np.array([[0.12, 0.03], [0.10, 0.02]])
        aside = replace(drive(CLOSED, fitter, perceived), look=wanted)
        made = make_goal(fitter, *person, None, None, aside)
        np.testing.assert_allclose(look_of(made.landmarks), wanted, atol=0.005)
        assert made.irises[:, 0].min() > 1, "towards the subject's left, which is the right of the picture"
        np.testing.assert_allclose(made.landmarks[:468, :2], person[2][:468, :2], atol=1e-3)

    def test_a_clips_gaze_counts_from_its_beginning(
        self, person: Person, fitter: FaceFitter, perceived: Perceived
    ) -> None:
        start = np.array([[0.05, 0.01], [0.07, 0.01]])
        like = drive(CLOSED, fitter, perceived)
        begin = Beginning(like.parameters.camera, np.zeros(3), start)
        still = make_goal(fitter, *person, None, None, replace(like, look=start, begin=begin))
        np.testing.assert_allclose(still.irises, 0, atol=0.2)
        moved = make_goal(fitter, *person, None, None, replace(like, look=start + np.array([0.06, 0]), begin=begin))
        step = look_of(moved.landmarks) - look_of(still.landmarks)
        np.testing.assert_allclose(step, [[0.06, 0], [0.06, 0]], atol=0.005)
