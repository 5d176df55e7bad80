from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceloom.errors import GeometryError
from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.masks import Region
from faceloom.types import Box, Part

WHOLE = Box(0, 0, 512, 512)
SINGLE_OUTLINES = [*Part, *(region for region in Region if region not in (Region.LIPS, Region.SKIN))]


def shoelace(points: np.ndarray) -> float:
    x, y = points[:, 0], points[:, 1]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def star(radius: float, x: float, y: float, seed: int = 0) -> np.ndarray:
    """A polygon of 15 vertices around (x, y), not convex."""
    angle = np.linspace(0, 2 * np.pi, 15, endpoint=False)
    reach = radius * np.random.default_rng(seed).uniform(0.5, 1, 15)
    return np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)])


def test_a_square_between_pixels_by_hand() -> None:
    # Pixel centres lie at integers: columns 2, 3, 4 are covered by 0.75, 1 and 1, rows 1, 2, 3 by 0.5, 1 and 0.5.
    mask = masks.polygon_mask(np.array([[1.75, 1], [4.5, 1], [4.5, 3], [1.75, 3]]), Box(0, 0, 6, 5))
    expected = np.outer([0, 0.5, 1, 0.5, 0], [0, 0, 0.75, 1, 1, 0])
    np.testing.assert_allclose(mask, expected, atol=1e-7)
    assert mask.dtype == np.float32


def test_a_triangle_by_hand() -> None:
    # The diagonal of a 2 × 2 block of pixels halves two of them.
    mask = masks.polygon_mask(np.array([[-0.5, -0.5], [1.5, -0.5], [-0.5, 1.5]]), Box(0, 0, 3, 3))
    np.testing.assert_allclose(mask, [[1, 0.5, 0], [0.5, 0, 0], [0, 0, 0]], atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.3, 60), st.floats(62, 66), st.floats(62, 66), st.integers(0, 5), st.booleans())
def test_the_area_is_that_of_the_shoelace_formula(radius, x, y, seed, reverse) -> None:
    points = star(radius, x, y, seed)
    mask = masks.polygon_mask(points[::-1] if reverse else points, Box(0, 0, 128, 128))
    assert mask.sum(dtype=np.float64) == pytest.approx(shoelace(points), rel=1e-5)
    rows, columns = np.mgrid[:128, :128]
    far = np.hypot(columns - x, rows - y) > radius + 1
    assert (mask[far] == 0).all() and mask.max() <= 1


def test_several_polygons_at_once_are_as_one_by_one() -> None:
    box = Box(10, 20, 70, 90)
    polygons = [star(20, 40, 50), star(8, 5, 30, 1), star(30, 60, 95, 2), np.zeros((2, 2)), star(5, 40, -50)]
    for together, points in zip(masks.polygon_masks(polygons, box), polygons, strict=True):
        np.testing.assert_allclose(together, masks.polygon_mask(points, box), atol=1e-6)
        assert together.shape == (70, 60) and together.dtype == np.float32
    assert not any(mask.any() for mask in masks.polygon_masks(polygons[3:], box))
    assert masks.polygon_masks([], box) == []


def test_vertices_on_the_corners_of_pixels_are_no_special_case() -> None:
    box = Box(0, 0, 12, 12)
    points = np.array([[2.5, 1.5], [9.5, 1.5], [9.5, 4.5], [6.5, 4.5], [6.5, 8.5], [2.5, 8.5]])
    expected = np.zeros((12, 12))
    expected[2:5, 3:10] = 1
    expected[2:9, 3:7] = 1
    for turned in range(6):
        np.testing.assert_allclose(masks.polygon_mask(np.roll(points, turned, axis=0), box), expected, atol=1e-6)


def test_moving_by_a_sixteenth_of_a_pixel_changes_the_edge_by_as_much() -> None:
    square = np.array([[10.0, 10], [20, 10], [20, 20], [10, 20]])
    edges = [masks.polygon_mask(np.add(square, (i / 16, 0)), Box(0, 0, 32, 32))[15, 10] for i in range(8)]
    np.testing.assert_allclose(edges, 0.5 - np.arange(8) / 16, atol=1e-6)


def test_equals_a_fine_rasterisation() -> None:
    box, fine = Box(3, -2, 43, 38), 32
    points = star(25, 20.3, 15.8, seed=3)
    large = np.zeros((40 * fine, 40 * fine), np.uint8)
    cv2.fillPoly(large, [np.round((points - (2.5, -2.5)) * fine - 0.5).astype(np.int32)], 255)
    expected = cv2.resize(large.astype(np.float32) / 255, (40, 40), interpolation=cv2.INTER_AREA)
    assert np.abs(masks.polygon_mask(points, box) - expected).max() < 3 / fine


def test_a_box_is_a_window_onto_the_same_mask() -> None:
    points = star(40, 50, 50)
    whole = masks.polygon_mask(points, Box(0, 0, 100, 100))
    box = Box(30, 45, 62, 71)
    np.testing.assert_allclose(masks.polygon_mask(points, box), whole[box.slices], atol=1e-6)


@pytest.mark.parametrize("far", [1e3, 1e6, 1e12])
def test_vertices_far_outside_are_allowed(far: float) -> None:
    # A half-plane below y = 5.25, and a quadrant that begins in the box.
    half = masks.polygon_mask(np.array([[-far, 5.25], [far, 5.25], [far, far], [-far, far]]), Box(0, 0, 9, 9))
    np.testing.assert_allclose(half, np.repeat([0, 0, 0, 0, 0, 0.25, 1, 1, 1], 9).reshape(9, 9), atol=1e-3)
    quadrant = masks.polygon_mask(np.array([[4.5, 4.5], [far, 4.5], [far, far], [4.5, far]]), Box(0, 0, 9, 9))
    assert quadrant[5:, 5:].min() > 0.999 and quadrant.sum() == pytest.approx(16, abs=1e-2)


def test_a_polygon_outside_or_of_no_area_covers_nothing() -> None:
    box = Box(0, 0, 20, 20)
    for points in (star(5, -40, 10), star(5, 50, 10), star(5, 10, -30), star(5, 10, 60), star(5, 9, 9)[:2]):
        assert not masks.polygon_mask(points, box).any()
    assert masks.polygon_mask(np.array([[3, 3], [9, 7], [3, 3.0]]), box).max() < 1e-6
    assert masks.polygon_mask(star(5, 9, 9), Box(4, 4, 4, 9)).shape == (5, 0)


def test_vertices_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(GeometryError, match="not numbers"):
        masks.polygon_mask(np.array([[0, 0], [np.nan, 4], [4, 4]]), Box(0, 0, 8, 8))


def test_a_line_has_its_width() -> None:
    mask = masks.line_mask(np.array([[-5.0, 10], [10, 10], [40, 10]]), 2.5, Box(0, 0, 30, 20))
    np.testing.assert_allclose(mask.sum(axis=0), 2.5, atol=1e-5)
    np.testing.assert_allclose(mask[8:13, 15], [0, 0.75, 1, 0.75, 0], atol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_an_offset_outline_grows_and_shrinks_whichever_way_it_runs(reverse: bool) -> None:
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)[:: -1 if reverse else 1]
    circle = 30 * np.column_stack([np.cos(angle), np.sin(angle)])
    for distance in (4.0, -4.0):
        radii = np.hypot(*masks.offset_outline(circle, distance).T)
        np.testing.assert_allclose(radii, 30 + distance, atol=1e-9)
    points = star(30, 0, 0)[:: -1 if reverse else 1]
    areas = [shoelace(masks.offset_outline(points, distance)) for distance in (-1.0, 0.0, 1.0)]
    assert (np.diff(areas) > 20).all()


def test_blur_keeps_the_sum_and_loses_it_beyond_the_border() -> None:
    mask = np.zeros((41, 41), np.float32)
    mask[20, 20] = mask[0, 0] = 1
    assert masks.blur(mask, 2.0).sum() == pytest.approx(1.36, abs=0.03)  # a quarter of the corner's, and its two axes
    assert masks.blur(mask, 0.0) is mask


def test_dilate_is_round_and_erodes_when_negative() -> None:
    mask = np.zeros((21, 21), np.float32)
    mask[10, 10] = 1
    grown = masks.dilate(mask, 4)
    assert grown[10, 6:15].all() and grown[6:15, 10].all() and not grown[6, 6] and not grown[10, 5]
    np.testing.assert_array_equal(masks.dilate(grown, -4), mask)
    assert masks.dilate(mask, 0.3) is mask


def test_masks_of_no_pixels_stay_so() -> None:
    empty = np.zeros((0, 7), np.float32)
    assert masks.blur(empty, 3.0).shape == masks.dilate(empty, 3).shape == (0, 7)


def test_a_soft_band_peaks_on_the_edge() -> None:
    mask = masks.polygon_mask(np.array([[19.5, -50], [90, -50], [90, 90], [19.5, 90]]), Box(0, 0, 60, 40))
    profile = masks.soft_band(mask, 6, 2.0)[20]
    assert profile.max() > 0.95 and set(np.flatnonzero(profile == profile.max())) <= {19, 20}
    assert (np.diff(profile[:19]) >= 0).all() and (np.diff(profile[21:40]) <= 0).all()
    assert profile[8] < 0.02 and profile[32] < 0.02
    assert not masks.soft_band(np.zeros((9, 9), np.float32), 3, 1).any()


def test_smoothstep_in_both_directions() -> None:
    np.testing.assert_allclose(masks.smoothstep(np.array([-1, 2, 3, 4, 9]), 2, 4), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(masks.smoothstep(np.array([-1, 2, 2.5, 4, 9]), 4, 2), [1, 1, 0.84375, 0, 0])
    assert masks.smoothstep(0.3, 0, 1).dtype == np.float32


@pytest.mark.parametrize("region", [*Part, *Region])
def test_every_region_of_a_real_face_is_there(region, landmarks) -> None:
    for points in landmarks.values():
        mask = masks.region_mask(region, points, WHOLE)
        assert mask.shape == (512, 512) and mask.dtype == np.float32
        assert mask.min() >= 0 and mask.max() == 1 and mask.sum() > 100
        rows, columns = np.nonzero(mask)
        oval = Box.around(points[list(t.FACE_OVAL)])
        assert rows.min() >= oval.top and rows.max() <= oval.bottom and columns.min() >= oval.left


@pytest.mark.parametrize("region", SINGLE_OUTLINES)
def test_outlines_are_simple_polygons_with_the_area_of_their_mask(region, landmarks) -> None:
    for points in landmarks.values():
        outline = masks.outline(region, points)
        mask = masks.region_mask(region, points, WHOLE)
        # An outline that crosses itself cancels part of its signed area and covers more than that.
        assert mask.sum(dtype=np.float64) == pytest.approx(shoelace(outline), rel=2e-3)


@pytest.mark.parametrize("region", [Region.LIPS, Region.SKIN])
def test_regions_with_holes_have_no_single_outline(region, landmarks) -> None:
    with pytest.raises(ValueError, match="region_mask"):
        masks.outline(region, landmarks[1])


def test_lips_and_inner_mouth_share_out_the_mouth(landmarks) -> None:
    for points in landmarks.values():
        lips, inner, upper, lower = (
            masks.region_mask(region, points, WHOLE)
            for region in (Region.LIPS, Region.INNER_MOUTH, Region.UPPER_LIP, Region.LOWER_LIP)
        )
        np.testing.assert_allclose(lips + inner, masks.region_mask(Part.MOUTH, points, WHOLE), atol=1e-5)
        np.testing.assert_allclose(upper + lower, lips, atol=1e-5)


def test_skin_is_the_oval_without_eyes_brows_and_mouth(landmarks) -> None:
    for points in landmarks.values():
        skin = masks.region_mask(Region.SKIN, points, WHOLE)
        holes = (Part.LEFT_EYE, Part.RIGHT_EYE, Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW, Part.MOUTH)
        for hole in holes:
            assert (skin + masks.region_mask(hole, points, WHOLE)).max() <= 1 + 1e-6
        covered = sum(masks.region_mask(hole, points, WHOLE).sum() for hole in holes)
        assert skin.sum() + covered == pytest.approx(masks.region_mask(Region.FACE_OVAL, points, WHOLE).sum(), rel=1e-3)
        assert (skin + 1e-6 >= np.minimum(masks.region_mask(Part.NOSE, points, WHOLE), skin)).all()


@pytest.mark.parametrize(
    ("left", "right"),
    [(Part.LEFT_EYE, Part.RIGHT_EYE), (Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW), (Region.LEFT_IRIS, Region.RIGHT_IRIS)],
)
def test_left_is_the_subjects_left(left, right, landmarks) -> None:
    columns = np.arange(512)
    for points in landmarks.values():
        at = [
            float((mask := masks.region_mask(side, points, WHOLE)).sum(axis=0) @ columns / mask.sum())
            for side in (left, right)
        ]
        assert at[0] > 256 > at[1]


def test_the_iris_is_a_circle_around_its_landmark(landmarks) -> None:
    for points in landmarks.values():
        outline = masks.outline(Region.LEFT_IRIS, points)
        radii = np.hypot(*(outline - points[t.LEFT_IRIS[0], :2]).T)
        assert len(outline) == 24 and np.ptp(radii) < 1e-9 and 8 < radii[0] < 20
