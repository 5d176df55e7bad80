from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.meshes import GOLDEN, face_of, morphable, reference_square

from faceloom.errors import FaceError, WeightsError
from faceloom.perceive.morphable import (
    CropSquare,
    MorphableParameters,
    adjust_to_landmarks,
    camera_of,
    head_angles,
    keypoints_of_landmarks,
    recombine,
    reprojection_error,
    split_camera,
    square_around_box,
    square_around_landmarks,
)
from faceloom.perceive.morphable.regressor import cut_square
from faceloom.types import Image
from faceloom.weights import Store

PEOPLE = [f"person_{number:02}" for number in range(1, 9)]
REFERENCE = np.load(GOLDEN)
LANDMARKS = np.load(GOLDEN.parent / "real_nets.npz")
DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("person", PEOPLE)
def test_parameters_and_points_equal_the_reference(person: str, portraits: Mapping[str, Image], store: Store) -> None:
    model, regressor = morphable(store)
    square = reference_square(person)
    numbers = regressor.regress(cut_square(portraits[person], square))
    np.testing.assert_allclose(numbers, REFERENCE[f"{person}.params"], rtol=1e-3, atol=1e-4)
    found = model.keypoints(regressor.from_square(portraits[person], square))
    expected = REFERENCE[f"{person}.keypoints68"]
    assert np.abs(found[:, :2].T - expected[:2]).max() < 0.1
    # The reference counts depth from its smallest value, towards the viewer.
    depth = found[:, 2] + expected[2]
    assert np.ptp(depth) < 0.1


@pytest.mark.parametrize("person", PEOPLE)
def test_the_region_is_that_of_the_reference(person: str) -> None:
    found, expected = square_around_landmarks(LANDMARKS[f"{person}.landmarks"]), reference_square(person)
    # The reference cuts fractions off, which moves a face that leaves the picture the other way.
    assert abs(found.left - expected.left) <= 1 and abs(found.top - expected.top) <= 1
    assert found.side == expected.side


def test_the_square_around_a_box() -> None:
    assert square_around_box((100, 200, 200, 300)) == CropSquare(71, 185, 158)
    with pytest.raises(FaceError, match="no area"):
        square_around_box((10, 20, 10, 40))
    with pytest.raises(FaceError, match="no area"):
        square_around_box((10, np.nan, 30, 40))


def test_a_square_that_leaves_the_picture_is_black_there(portraits: Mapping[str, Image], store: Store) -> None:
    image = portraits["person_01"]
    crop = cut_square(image, CropSquare(-120, 392, 240))
    assert crop.shape == (120, 120, 3) and not crop[:, :59].any() and not crop[61:].any()
    np.testing.assert_array_equal(crop[:60, 60:], cv2.resize(image[392:512, :120], (60, 60)))
    with pytest.raises(FaceError, match="outside the picture of 512 x 512"):
        morphable(store)[1].from_square(image, CropSquare(512, 0, 100))


def test_a_face_moved_in_its_frame_moves_its_camera(portraits: Mapping[str, Image], store: Store) -> None:
    _, regressor = morphable(store)
    image, square = portraits["person_04"], reference_square("person_04")
    here = regressor.from_square(image, square)
    padded = np.zeros((640, 700, 3), np.uint8)
    padded[90:602, 130:642] = image
    there = regressor.from_square(padded, CropSquare(square.left + 130, square.top + 90, square.side))
    np.testing.assert_allclose(there.camera[:2, 3] - here.camera[:2, 3], (130, 90), atol=1e-6)
    np.testing.assert_allclose(there.camera[:, :3], here.camera[:, :3])
    np.testing.assert_array_equal(there.expression, here.expression)


@pytest.mark.parametrize("person", PEOPLE)
def test_the_model_fits_the_landmarks_and_better_when_adjusted(
    person: str, portraits: Mapping[str, Image], store: Store
) -> None:
    model, regressor = morphable(store)
    landmarks = LANDMARKS[f"{person}.landmarks"]
    parameters = regressor.from_landmarks(portraits[person], landmarks)
    before = reprojection_error(model.keypoints(parameters), landmarks)
    assert before.pixels.shape == (51,) and before.mean == pytest.approx(before.pixels.mean())
    assert before.relative < 0.05
    adjusted = adjust_to_landmarks(model, parameters, landmarks, regressor.expression_deviation)
    after = reprojection_error(model.keypoints(adjusted), landmarks)
    assert after.relative < 0.034 and after.relative < 0.9 * before.relative
    change = (adjusted.expression - parameters.expression) / regressor.expression_deviation
    assert np.abs(change).max() < 2
    np.testing.assert_allclose(head_angles(adjusted.camera)[:2], head_angles(parameters.camera)[:2], atol=0.5)


def test_adjusting_finds_an_expression_that_the_landmarks_show(store: Store, portraits: Mapping[str, Image]) -> None:
    """Landmarks made from the model with another expression and camera: both come back."""
    model, regressor = morphable(store)
    start = face_of(store, portraits["person_08"], "person_08")
    truth = dataclasses.replace(start, expression=start.expression + 1.5 * regressor.expression_deviation)
    moved = dataclasses.replace(truth, camera=truth.camera + np.pad([[4.0], [-3.0]], ((0, 1), (3, 0))))
    landmarks = _landmarks_of(model.keypoints(moved))
    found = adjust_to_landmarks(model, start, landmarks, regressor.expression_deviation)
    error, was = (reprojection_error(model.keypoints(face), landmarks).mean for face in (found, start))
    assert error < 0.25 * was


def _landmarks_of(keypoints: np.ndarray) -> np.ndarray:
    """Landmarks whose points 17 to 67 are ``keypoints[17:]``; found from ``keypoints_of_landmarks`` itself."""
    basis = np.stack([keypoints_of_landmarks(row)[:, 0] for row in np.eye(478)[:, :, None].repeat(2, axis=2)], axis=1)
    plane, *_ = np.linalg.lstsq(basis, keypoints[17:, :2], rcond=None)
    return np.column_stack([plane, np.zeros(478)]).astype(np.float32)


def test_reprojection_error_of_points_that_are_off_by_a_known_amount() -> None:
    landmarks = LANDMARKS["person_01.landmarks"]
    keypoints = np.vstack([np.zeros((17, 2)), np.add(keypoints_of_landmarks(landmarks), (3, 4))])
    error = reprojection_error(keypoints, landmarks)
    np.testing.assert_allclose(error.pixels, 5)
    assert error.relative == pytest.approx(5 / np.linalg.norm(landmarks[33] - landmarks[263]), rel=1e-6)


def test_surface_is_the_sum_of_mean_and_bases(store: Store) -> None:
    model, _ = morphable(store)
    rng = np.random.default_rng(0)
    shape, expression = rng.normal(0, 1e5, 40).astype(np.float32), rng.normal(0, 1, 10).astype(np.float32)
    camera = camera_of(2e-3, Rotation.from_euler("YXZ", [10, 5, -3], degrees=True).as_matrix(), (200, 220, 10))
    parameters = MorphableParameters(camera, shape, expression)
    vertex = 12345
    rows = slice(3 * vertex, 3 * vertex + 3)
    expected = model.mean[vertex] + model.shape_basis[rows] @ shape + model.expression_basis[rows] @ expression
    np.testing.assert_allclose(model.surface(parameters)[vertex], expected, rtol=1e-5)
    np.testing.assert_allclose(model.surface(parameters, model.neutral(shape)), model.surface(parameters))
    in_frame = model.vertices(parameters)
    np.testing.assert_allclose(in_frame[vertex], camera[:, :3] @ expected + camera[:, 3], atol=1e-3)
    np.testing.assert_allclose(model.keypoints(parameters), in_frame[model.keypoint_indices], atol=1e-3)
    assert model.mean.shape == (38365, 3) and model.triangles.shape == (76073, 3)


def test_recombination_takes_each_part_from_its_face(portraits: Mapping[str, Image], store: Store) -> None:
    a, b, c = (face_of(store, portraits[name], name) for name in ("person_01", "person_02", "person_06"))
    mixed = recombine(a, b, c)
    assert mixed.shape is a.shape and mixed.expression is b.expression and mixed.camera is c.camera
    model, _ = morphable(store)
    # The mix is exactly the sum of the parts (eq. 4), and with itself a face stays as it is.
    neutral = model.neutral(a.shape)
    np.testing.assert_allclose(model.surface(mixed) - neutral, model.surface(b) - model.neutral(b.shape), atol=0.1)
    np.testing.assert_array_equal(model.vertices(recombine(a, a, a)), model.vertices(a))


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, -10, 5), (-70, 15, -25)])
def test_a_camera_comes_apart_and_together_again(angles: tuple[float, float, float]) -> None:
    rotation = Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
    camera = camera_of(0.0017, rotation, (250.0, 300.0, -12.0))
    np.testing.assert_allclose(head_angles(camera), angles, atol=1e-9)
    scale, found, translation = split_camera(camera)
    np.testing.assert_allclose(found, rotation, atol=1e-12)
    assert scale == pytest.approx(0.0017)
    np.testing.assert_allclose(camera_of(scale, found, translation), camera, atol=1e-12)
    # The nose, in front of the origin, moves to the right of the picture as yaw grows, and down with pitch.
    nose = camera[:, :3] @ (0, 0, 1e5)
    assert np.sign(round(nose[0], 6)) == np.sign(angles[0]) and (
        angles[1] == 0 or np.sign(nose[1]) == np.sign(angles[1])
    )


@pytest.mark.parametrize("person", PEOPLE)
def test_the_head_turns_as_the_other_estimate_says(person: str, portraits: Mapping[str, Image], store: Store) -> None:
    camera = face_of(store, portraits[person], person).camera
    pose = LANDMARKS[f"{person}.pose"][:3, :3]
    expected = Rotation.from_matrix(pose / np.cbrt(np.linalg.det(pose))).as_euler("YXZ", degrees=True)
    yaw, _, roll = head_angles(camera)
    # Pitch is counted from another zero: what is upright differs between the two models of a head.
    assert abs(yaw - expected[0]) < 5 and abs(roll - expected[2]) < 2.5
    linear = camera[:, :3] / np.cbrt(np.linalg.det(camera[:, :3]))
    assert np.abs(linear @ linear.T - np.eye(3)).max() < 0.1  # nearly a rotation


def test_parameters_go_to_a_file_and_come_back(tmp_path: Path, portraits: Mapping[str, Image], store: Store) -> None:
    face = face_of(store, portraits["person_03"], "person_03")
    face.save(tmp_path / "face.json")
    back = MorphableParameters.load(tmp_path / "face.json")
    np.testing.assert_array_equal(back.camera, face.camera)
    np.testing.assert_array_equal(back.shape, face.shape)
    np.testing.assert_array_equal(back.expression, face.expression)
    assert [path.name for path in tmp_path.iterdir()] == ["face.json"]


def test_parameters_of_a_wrong_size_or_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="shape must be"):
        MorphableParameters(np.zeros((3, 4)), np.zeros(39, np.float32), np.zeros(10, np.float32))
    with pytest.raises(ValueError, match="camera must be"):
        MorphableParameters(np.full((3, 4), np.inf), np.zeros(40, np.float32), np.zeros(10, np.float32))


def test_a_store_of_permissive_weights_refuses_the_model(store: Store) -> None:
    from faceloom.perceive.morphable import read_morphable_model

    with pytest.raises(WeightsError, match="not permitted"):
        read_morphable_model(Store(store.home, only_permissive=True))


def test_the_example_of_the_page_runs(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    morphable(store)
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / "morphable.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "examples").symlink_to(DOCS.parent / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(example, "docs/morphable.md", "exec"), names)
    result = names["result"]
    assert isinstance(result, np.ndarray) and result.shape == (512, 512, 3) and np.isfinite(result).all()
    assert 0.01 < np.abs(result - names["target_picture"]).mean() < 0.2
    assert (tmp_path / "motion.npz").stat().st_size < 5000
