from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from skimage.transform import ThinPlateSplineTransform

from faceloom.errors import GeometryError
from faceloom.geometry import partmaps
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale, part_box
from faceloom.geometry.similarity import transform
from faceloom.geometry.tps import ThinPlateSpline, field_step
from faceloom.types import Box, Part

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
GRID = np.stack(np.meshgrid(np.arange(0, 512, 16.0), np.arange(0, 512, 16.0)), axis=-1).reshape(-1, 2)


def everywhere(spline: ThinPlateSpline, box: Box) -> np.ndarray:
    """The map at every pixel of a box, in double precision."""
    pixels = np.meshgrid(np.arange(box.left, box.right), np.arange(box.top, box.bottom))
    return spline(np.stack(pixels, axis=-1))


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a - b, axis=-1)


@pytest.mark.parametrize("regularization", [0.0, 1e-3, 10.0])
def test_an_affine_map_is_reproduced_exactly(regularization: float) -> None:
    # (x, y) -> (2 x + y + 3, y - x / 2 - 1), by hand at (4, 6): (17, 3).
    source = np.vstack([CORNERS, [[0.3, 0.7], [2.0, 5.0]]])
    target = source @ np.array([[2, -0.5], [1, 1]]) + (3, -1)
    spline = ThinPlateSpline.fit(source, target, regularization)
    np.testing.assert_allclose(spline(np.array([[4.0, 6.0], [0.0, 0.0]])), [[17, 3], [3, -1]], atol=1e-9)


def test_the_bend_by_hand() -> None:
    # Corners of a square moved along x by +d, -d, +d, -d in turn. By symmetry the affine part is the identity and the
    # weights are w, -w, w, -w; at the first corner the kernels add up to U(sqrt 2) - 2 U(1) = 2 log 2.
    d = 0.1
    target = CORNERS + np.array([[d, 0], [-d, 0], [d, 0], [-d, 0]])
    spline = ThinPlateSpline.fit(CORNERS, target)
    np.testing.assert_allclose(
        spline(np.array([[0.5, 0.5], [0.5, 2.0], [-3.0, 0.5]])), [[0.5, 0.5], [0.5, 2], [-3, 0.5]]
    )

    def kernel(x: float, y: float) -> float:
        squared = np.square(CORNERS - (x, y)).sum(axis=1)
        return float(np.array([1, -1, 1, -1]) @ (squared * np.log(np.maximum(squared, 1e-300))))

    weight = d / (2 * np.log(2))
    for x, y in ((0.2, 0.9), (1.7, -0.4)):
        np.testing.assert_allclose(spline(np.array([x, y])), [x + weight * kernel(x, y), y], atol=1e-12)


def test_control_points_are_interpolated(landmarks) -> None:
    ring = list(t.FACE_OVAL + t.MOUTH_RING)
    spline = ThinPlateSpline.fit(landmarks[1][ring], landmarks[2][ring])
    assert distance(spline(landmarks[1][ring]), landmarks[2][ring, :2]).max() < 1e-8


def test_regularization_trades_exactness_for_smoothness(landmarks) -> None:
    ring = list(t.MOUTH_RING)
    source, target = landmarks[1][ring], landmarks[3][ring]
    splines = [ThinPlateSpline.fit(source, target, r) for r in (0.0, 1e-3, 1e-1, 1e6)]
    errors = [distance(s(source), target[:, :2]).max() for s in splines]
    energies = [np.square(s.weights[:-3]).sum() for s in splines]
    assert errors[0] < 1e-8 and (np.diff(errors) > 0).all() and (np.diff(energies) < 0).all()
    affine = np.linalg.lstsq(np.column_stack([source[:, :2], np.ones(len(ring))]), target[:, :2], rcond=None)[0]
    np.testing.assert_allclose(splines[-1](GRID), np.column_stack([GRID, np.ones(len(GRID))]) @ affine, atol=0.05)


@pytest.mark.parametrize("people", [(1, 2), (3, 4)])
@pytest.mark.parametrize("indices", [t.MOUTH_RING, t.FACE_OVAL, t.NOSE_RING, tuple(range(0, 468, 7))])
def test_equals_scikit_image(landmarks, people: tuple[int, int], indices: tuple[int, ...]) -> None:
    source, target = (landmarks[person][list(indices), :2] for person in people)
    theirs = ThinPlateSplineTransform.from_estimate(source, target)
    assert distance(ThinPlateSpline.fit(source, target)(GRID), theirs(GRID)).max() < 1e-3


CONTROLS = {
    "upper lip": (Part.MOUTH, partmaps._UPPER_LIP),
    "lower lip": (Part.MOUTH, partmaps._LOWER_LIP),
    "upper lid": (Part.LEFT_EYE, partmaps._lid_controls(left=True, upper=True)),
    "lower lid": (Part.RIGHT_EYE, partmaps._lid_controls(left=False, upper=False)),
    "eyebrow": (Part.RIGHT_EYEBROW, partmaps._eyebrow_controls(Part.RIGHT_EYEBROW)),
}


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize(
    ("people", "zoom"),
    [((1, 2), 0.4), ((1, 2), 1), ((3, 4), 1), ((2, 3), 1), ((4, 1), 2.3), ((1, 2), 0.9), ((2, 3), 3.4)],
)
def test_the_upsampled_field_is_within_a_tenth_of_a_pixel(landmarks, name, people, zoom) -> None:
    part, controls = CONTROLS[name]
    target, reference = (landmarks[person] * zoom for person in people)
    box = part_box(part, target, round(512 * zoom), round(512 * zoom))
    spline = ThinPlateSpline.fit(target[list(controls)], reference[list(controls)], partmaps._SMOOTHING)
    field = spline.field(box, field_step(face_scale(target)))
    assert field.shape == (box.height, box.width, 2) and field.dtype == np.float32
    assert distance(field, everywhere(spline, box)).max() < 0.1


def test_the_field_at_every_pixel_is_the_map(landmarks) -> None:
    ring = list(t.MOUTH_RING)
    spline = ThinPlateSpline.fit(landmarks[1][ring], landmarks[3][ring])
    box = Box(180, 300, 241, 337)
    assert distance(spline.field(box, 1), everywhere(spline, box)).max() < 5e-3


@pytest.mark.parametrize("step", [1, 2, 3, 5, 8])
def test_an_affine_field_does_not_ripple(landmarks, step: int) -> None:
    ring = list(t.MOUTH_RING)
    turn = np.array([[0.9, -0.3, 20.0], [0.3, 0.9, -7.0]])
    spline = ThinPlateSpline.fit(landmarks[1][ring], transform(turn, landmarks[1][ring]))
    box = Box(150, 330, 211, 391)
    assert distance(spline.field(box, step), everywhere(spline, box)).max() < 1e-3


def test_a_field_does_not_depend_on_where_the_box_ends(landmarks) -> None:
    ring = list(t.MOUTH_RING)
    spline = ThinPlateSpline.fit(landmarks[1][ring], landmarks[3][ring])
    large, small = spline.field(Box(180, 320, 320, 420), 4), spline.field(Box(180, 320, 251, 381), 4)
    assert distance(large[:61, :71], small).max() < 1e-3


@pytest.mark.parametrize("box", [Box(0, 0, 1, 1), Box(5, 5, 6, 30), Box(0, 0, 0, 4), Box(3, 3, 1, 1)])
def test_narrow_and_empty_boxes(box: Box) -> None:
    spline = ThinPlateSpline.fit(CORNERS * 20, CORNERS * 20 + [[1, 0], [0, 1], [0, 0], [0, 0]])
    field = spline.field(box, 3)
    assert field.shape == (box.height, box.width, 2)
    if box.area:
        assert distance(field, everywhere(spline, box)).max() < 0.1


def test_shapes_of_points_are_kept() -> None:
    spline = ThinPlateSpline.fit(CORNERS, CORNERS * 2)
    assert spline(np.zeros((3, 5, 2))).shape == (3, 5, 2)
    np.testing.assert_allclose(spline(np.array([0.5, 0.25, 99.0])), [1.0, 0.5])


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (CORNERS[:2], CORNERS[:2], "at least 3 points, got 2, 2"),
        (CORNERS, CORNERS[:3], "got 4, 3"),
        (np.array([[0, 0], [1, 2], [2, 4], [5, 10.0]]), CORNERS, "lie on one line"),
        (np.array([[3, 0], [3, 2], [3, 4], [3, 10.0]]), CORNERS, "lie on one line"),
        (np.full((4, 2), 7.0), CORNERS, "lie on one line"),
        (CORNERS[[0, 1, 2, 0]], CORNERS, "two of them coincide"),
        (np.array([[0, 0], [5, 1e-12], [0, 2e-12], [3, 4], [7, 1.0]]), np.zeros((5, 2)), "two of them coincide"),
        (np.array([[0, 0], [np.nan, 1], [1, 1], [0, 1.0]]), CORNERS, "not numbers"),
        (CORNERS, np.array([[0, 0], [np.inf, 1], [1, 1], [0, 1.0]]), "not numbers"),
    ],
)
def test_points_that_define_no_spline_are_refused(source, target, message) -> None:
    with pytest.raises(GeometryError, match=message):
        ThinPlateSpline.fit(source, target)


def test_the_step_grows_with_the_face() -> None:
    assert [field_step(size) for size in (0, 60, 111, 120, 399, 400, 1e6)] == [1, 1, 1, 2, 2, 3, 3]


coordinates = st.floats(-1, 1)
point_lists = st.lists(st.tuples(coordinates, coordinates), min_size=5, max_size=9)
turns = st.builds(
    lambda a, s, x, y: np.array([[s * np.cos(a), -s * np.sin(a), x], [s * np.sin(a), s * np.cos(a), y]]),
    st.floats(-3.1, 3.1), st.floats(0.1, 10), st.floats(-50, 50), st.floats(-50, 50),
)  # fmt: skip
LOOK = np.random.default_rng(5).uniform(-1.5, 1.5, (20, 2))


def spread_out(points: list[tuple[float, float]]) -> np.ndarray:
    array = np.array(points)
    gaps = distance(array[:, None], array[None]) + 9 * np.eye(len(array))
    assume(gaps.min() > 0.15)
    assume(np.linalg.svd(array - array.mean(axis=0), compute_uv=False)[1] > 0.3)
    return array


def bent(points: np.ndarray) -> np.ndarray:
    return points + 0.2 * np.sin(3 * points[:, ::-1])


@settings(max_examples=30, deadline=None)
@given(point_lists, turns)
def test_turning_the_targets_turns_the_map(points, turn: np.ndarray) -> None:
    source = spread_out(points)
    plain, turned = (ThinPlateSpline.fit(source, q, 1e-3) for q in (bent(source), transform(turn, bent(source))))
    np.testing.assert_allclose(turned(LOOK), transform(turn, plain(LOOK)), atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(point_lists, turns)
def test_turning_the_sources_turns_where_the_map_is_looked_up(points, turn: np.ndarray) -> None:
    source = spread_out(points)
    plain = ThinPlateSpline.fit(source, bent(source), 1e-3)
    turned = ThinPlateSpline.fit(transform(turn, source), bent(source), 1e-3)
    np.testing.assert_allclose(turned(transform(turn, LOOK)), plain(LOOK), atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(point_lists, st.floats(-500, 500), st.floats(-500, 500))
def test_shifting_both_shifts_the_map(points, x: float, y: float) -> None:
    source, shift = spread_out(points), np.array([x, y])
    plain = ThinPlateSpline.fit(source, bent(source))
    shifted = ThinPlateSpline.fit(source + shift, bent(source) + shift)
    np.testing.assert_allclose(shifted(LOOK + shift), plain(LOOK) + shift, atol=1e-6)
