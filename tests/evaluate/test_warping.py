from itertools import pairwise

import numpy as np
import pytest

from faceloom.evaluate.warping import (
    residual_error,
    visible_in_both,
    warp_back,
    warping_error,
    warping_ratio,
    warping_residual,
)

SIZE = (48, 64)


def texture(shift_x: float = 0.0, shift_y: float = 0.0) -> np.ndarray:
    """A smooth picture that moves by (shift_x, shift_y) pixels."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    wave = 0.5 + 0.25 * np.sin((x - shift_x) / 7) + 0.2 * np.cos((y - shift_y) / 6)
    return (np.stack([wave, 0.8 * wave, 1 - wave], axis=-1) * 255).round().astype(np.uint8)


def constant_flow(x: float, y: float) -> np.ndarray:
    return np.broadcast_to(np.float32([x, y]), (*SIZE, 2)).copy()


EVERYWHERE = np.ones(SIZE, bool)


def test_identical_frames_without_motion_have_no_error():
    error = warping_error(texture(), texture(), constant_flow(0, 0), EVERYWHERE)
    assert (error.squared, error.absolute) == (0.0, 0.0)


def test_a_known_difference_gives_the_value_computed_by_hand():
    black, grey = np.zeros((*SIZE, 3), np.uint8), np.full((*SIZE, 3), 51, np.uint8)
    error = warping_error(black, grey, constant_flow(0, 0), EVERYWHERE)
    assert error.squared == pytest.approx(1000 * 0.2**2, rel=1e-5)
    assert error.absolute == pytest.approx(1000 * 0.2, rel=1e-5)


def test_a_whole_pixel_shift_with_its_flow_is_explained_in_full():
    flow = constant_flow(3, -2)
    valid = visible_in_both(flow, -flow)
    assert warping_error(texture(), texture(3, -2), flow, valid).squared == 0.0


def test_a_subpixel_shift_is_explained_and_the_wrong_direction_is_not():
    flow = constant_flow(1.5, 0.5)
    valid = visible_in_both(flow, -flow)
    right = warping_error(texture(), texture(1.5, 0.5), flow, valid).squared
    wrong = warping_error(texture(), texture(1.5, 0.5), -flow, valid).squared
    assert right < 0.02
    assert wrong > 50 * right


def test_pixels_whose_motion_leaves_the_picture_do_not_count():
    valid = visible_in_both(constant_flow(4, 0), constant_flow(-4, 0))
    assert valid[:, : SIZE[1] - 4].all()
    assert not valid[:, SIZE[1] - 4 :].any()


def test_pixels_that_do_not_return_are_occluded():
    forward, backward = constant_flow(2, 0), constant_flow(-2, 0)
    backward[10:20, 22:32] = 3  # what arrives there comes from somewhere else
    valid = visible_in_both(forward, backward)
    assert not valid[10:20, 20:30].any()
    assert valid[:9, :60].all()


def test_the_consistency_bound_is_that_of_the_source():
    forward = constant_flow(0, 0)
    assert visible_in_both(forward, constant_flow(0.7, 0)).all()  # 0.49 <= 0.5 + 0.01 * 0.49
    assert not visible_in_both(forward, constant_flow(0.72, 0)).any()  # 0.518 > 0.5 + 0.005


def test_the_error_grows_with_the_amplitude_of_a_flicker():
    still = np.full((*SIZE, 3), 128, np.uint8)
    errors = [
        warping_error(still, still + np.uint8(step), constant_flow(0, 0), EVERYWHERE).squared for step in (0, 1, 4, 16)
    ]
    assert errors[0] == 0
    assert all(a < b for a, b in pairwise(errors))
    assert errors[3] == pytest.approx(16 * errors[2], rel=1e-4)


def test_only_valid_pixels_count_and_none_gives_nan():
    changed = texture()
    changed[:10] = 255
    valid = EVERYWHERE.copy()
    valid[:10] = False
    assert warping_error(texture(), changed, constant_flow(0, 0), valid).squared == 0
    assert np.isnan(residual_error(np.zeros((*SIZE, 3), np.float32), ~EVERYWHERE).squared)


def test_warp_back_looks_where_the_flow_points():
    picture = np.zeros((*SIZE, 3), np.uint8)
    picture[20, 30] = 255
    warped = warp_back(picture, constant_flow(5, 2))
    assert warped.dtype == np.float32
    assert np.argwhere(warped[..., 0] > 0.5).tolist() == [[18, 25]]


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="one size"):
        warping_residual(texture(), texture()[:-1], constant_flow(0, 0))


def test_the_ratio_is_of_the_means_and_skips_unknown_pairs():
    assert warping_ratio([2.0, 4.0, 100.0, 1.0], [1.0, 2.0, float("nan"), 1.0]) == pytest.approx(7 / 4)
    assert np.isnan(warping_ratio([], []))
    assert np.isnan(warping_ratio([1.0], [0.0]))
    with pytest.raises(ValueError, match="one error per pair"):
        warping_ratio([1.0], [1.0, 2.0])
