from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceloom.errors import GeometryError
from faceloom.geometry import topology as t
from faceloom.geometry.similarity import face_crop, fit_affine, fit_similarity, invert, scale_of, transform

SQUARE = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
RNG_POINTS = np.random.default_rng(3).normal(size=(12, 2)) * 50


def similarity(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


similarities = st.builds(
    similarity, st.floats(-3.1, 3.1), st.floats(0.05, 20), st.floats(-1000, 1000), st.floats(-1000, 1000)
)


def test_quarter_turn_by_hand() -> None:
    # (x, y) -> (-3 y + 10, 3 x + 20): a quarter turn, three times larger.
    target = np.array([[10.0, 20.0], [10.0, 26.0], [4.0, 26.0], [4.0, 20.0]])
    np.testing.assert_allclose(fit_similarity(SQUARE, target), [[0, -3, 10], [3, 0, 20]], atol=1e-12)
    assert scale_of(fit_similarity(SQUARE, target)) == pytest.approx(3)


@given(similarities)
def test_a_known_similarity_is_recovered(matrix: np.ndarray) -> None:
    fitted = fit_similarity(RNG_POINTS, transform(matrix, RNG_POINTS))
    np.testing.assert_allclose(fitted, matrix, atol=1e-9 * (1 + np.abs(matrix).max()))


def test_an_affine_map_by_hand() -> None:
    # (x, y) -> (2 x + y + 5, -3 y): wider, sheared, and turned over.
    target = np.array([[5.0, 0.0], [9.0, 0.0], [11.0, -6.0], [7.0, -6.0]])
    np.testing.assert_allclose(fit_affine(SQUARE, target), [[2, 1, 5], [0, -3, 0]], atol=1e-12)


@given(
    st.lists(st.floats(-20, 20), min_size=4, max_size=4),
    st.tuples(st.floats(-1000, 1000), st.floats(-1000, 1000)),
    st.floats(-1e4, 1e4),
)
def test_a_known_affine_map_is_recovered(linear: list[float], shift: tuple[float, float], away: float) -> None:
    matrix = np.column_stack([np.reshape(linear, (2, 2)), shift])
    points = RNG_POINTS + away
    fitted = transform(fit_affine(points, transform(matrix, points)), points)
    np.testing.assert_allclose(fitted, transform(matrix, points), atol=1e-7 * (1 + abs(away)))


def test_an_affine_map_is_the_best_one() -> None:
    target = RNG_POINTS + np.random.default_rng(1).normal(size=RNG_POINTS.shape)
    residual = transform(fit_affine(RNG_POINTS, target), RNG_POINTS) - target
    columns = np.column_stack([RNG_POINTS, np.ones(len(RNG_POINTS))])
    np.testing.assert_allclose(columns.T @ residual, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (SQUARE[:2], SQUARE[:2], "at least 3 points, got 2 and 2"),
        (SQUARE, SQUARE[:3], "got 4 and 3"),
        (SQUARE[:1].repeat(4, axis=0), SQUARE, "all lie on one line"),
        (np.arange(8.0).reshape(4, 2), SQUARE, "all lie on one line"),
        (SQUARE, SQUARE * np.nan, "finite"),
        (np.full((4, 2), np.inf), SQUARE, "finite"),
    ],
)
def test_no_affine_map(source: np.ndarray, target: np.ndarray, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        fit_affine(source, target)


def test_a_mirrored_target_gives_no_reflection() -> None:
    assert np.linalg.det(fit_similarity(RNG_POINTS, RNG_POINTS * (-1, 1))[:, :2]) >= 0


def test_weights_of_zero_leave_points_out() -> None:
    source = np.vstack([SQUARE, [[7.0, 5.0]]])
    target = np.vstack([np.add(SQUARE, (1, 2)), [[-90.0, 400.0]]])
    fitted = fit_similarity(source, target, np.array([1, 1, 1, 1, 0.0]))
    np.testing.assert_allclose(fitted, [[1, 0, 1], [0, 1, 2]], atol=1e-12)


def test_weights_count_like_repeated_points() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    repeated = fit_similarity(source[[0, 0, 0, 1, 2, 3]], target[[0, 0, 0, 1, 2, 3]])
    np.testing.assert_allclose(fit_similarity(source, target, np.array([3, 1, 1, 1.0])), repeated, atol=1e-12)


@pytest.mark.parametrize(
    ("source", "target", "weights", "message"),
    [
        (np.zeros((1, 2)), np.zeros((1, 2)), None, "at least 2 points, got 1 and 1"),
        (np.zeros((3, 2)), np.zeros((4, 2)), None, "got 3 and 4"),
        (np.ones((5, 2)), SQUARE[[0, 1, 2, 3, 0]], None, "coincide"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), None, "not numbers"),
        (SQUARE, np.full((4, 2), np.inf), None, "not numbers"),
        (SQUARE, SQUARE, np.zeros(4), "not all of them zero"),
        (SQUARE, SQUARE, np.array([1, 1, 1, -1.0]), "non-negative"),
        (SQUARE, SQUARE, np.ones(3), "one non-negative weight per point"),
        (SQUARE, SQUARE, np.array([0, 0, 1, 0.0]), "two distinct"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_points_that_define_no_similarity_are_refused(source, target, weights, message) -> None:
    with pytest.raises(GeometryError, match=message):
        fit_similarity(source, target, weights)


@given(similarities)
def test_inverse_undoes(matrix: np.ndarray) -> None:
    back = transform(invert(matrix), transform(matrix, RNG_POINTS))
    np.testing.assert_allclose(back, RNG_POINTS, atol=1e-6)
    np.testing.assert_allclose(invert(invert(matrix)), matrix, atol=1e-6)


@given(similarities, similarities)
def test_inverse_of_a_chain_is_the_chain_of_inverses(first: np.ndarray, second: np.ndarray) -> None:
    def then(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.column_stack([b[:, :2] @ a[:, :2], transform(b, a[:, 2])])

    both = then(first, second)
    np.testing.assert_allclose(transform(both, SQUARE), transform(second, transform(first, SQUARE)), atol=1e-6)
    np.testing.assert_allclose(invert(both), then(invert(second), invert(first)), rtol=1e-6, atol=1e-5)
    assert scale_of(both) == pytest.approx(scale_of(first) * scale_of(second))


@pytest.mark.parametrize("matrix", [np.zeros((2, 3)), np.array([[1.0, 2, 0], [2, 4, 0]]), np.full((2, 3), np.nan)])
def test_singular_matrices_are_refused(matrix: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="cannot be inverted"):
        invert(matrix)


def test_transform_keeps_leading_axes_and_ignores_z() -> None:
    points = np.random.default_rng(0).normal(size=(5, 4, 3))
    moved = transform(np.array([[1.0, 0, 10], [0, 1, 20]]), points)
    np.testing.assert_allclose(moved, points[..., :2] + (10, 20))


def marked_face(left: tuple[float, float], right: tuple[float, float], mouth: tuple[float, float]) -> np.ndarray:
    """A face whose eyes and mouth are single points."""
    points = np.zeros((478, 2))
    points[list(t.LEFT_EYE_RING)], points[list(t.RIGHT_EYE_RING)], points[list(t.MOUTH_CORNERS)] = left, right, mouth
    return points


def test_face_crop_by_hand() -> None:
    # Eyes 40 apart at height 100, mouth 50 below: half side = max(2 * 40, 1.8 * 50) = 90, centre (100, 105).
    face = marked_face(left=(120, 100), right=(80, 100), mouth=(100, 150))
    crop = face_crop(face, 180)
    assert (crop.width, crop.height) == (180, 180)
    np.testing.assert_allclose(crop.matrix, [[1, 0, 89.5 - 100], [0, 1, 89.5 - 105]], atol=1e-9)
    # Half as large: the outline stays, so the scale halves and the centre goes to (90 - 1) / 2.
    np.testing.assert_allclose(face_crop(face, 90).matrix, [[0.5, 0, 44.5 - 50], [0, 0.5, 44.5 - 52.5]], atol=1e-9)


def test_face_crop_takes_the_eyes_when_they_are_further_apart() -> None:
    assert scale_of(face_crop(marked_face((150, 100), (50, 100), (100, 140)), 400).matrix) == pytest.approx(1)


def test_padding_enlarges_around_the_same_centre(landmarks) -> None:
    plain, padded = face_crop(landmarks[1], 256), face_crop(landmarks[1], 256, padding=0.25)
    assert scale_of(plain.matrix) / scale_of(padded.matrix) == pytest.approx(1.5)
    centre = transform(invert(plain.matrix), np.array([[127.5, 127.5]]))
    np.testing.assert_allclose(transform(padded.matrix, centre), [[127.5, 127.5]], atol=1e-9)


def test_a_turned_face_stands_upright_in_its_crop(landmarks) -> None:
    upright = transform(face_crop(landmarks[3], 200).matrix, landmarks[3])
    turn = similarity(2.2, 1.7, 300, -40)
    turned = np.column_stack([transform(turn, landmarks[3]), landmarks[3][:, 2]])
    np.testing.assert_allclose(transform(face_crop(turned, 200).matrix, turned), upright, atol=1e-6)


def test_real_faces_lie_in_the_middle_of_their_crop(landmarks) -> None:
    for points in landmarks.values():
        inside = transform(face_crop(points, 100).matrix, points)
        assert np.abs(inside[1] - (49.5, 60)).max() < 12  # tip of the nose
        assert inside.min() > 0 and inside.max() < 100


def test_a_face_of_one_point_is_refused() -> None:
    with pytest.raises(GeometryError, match="no face crop"):
        face_crop(np.ones((478, 2)), 256)
    with pytest.raises(GeometryError, match="no face crop"):
        face_crop(np.full((478, 2), np.nan), 256)
