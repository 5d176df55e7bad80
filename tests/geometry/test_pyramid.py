from __future__ import annotations

import numpy as np
import pytest

from faceloom.geometry import pyramid


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize("shape", [(64, 64, 3), (63, 41, 3), (17, 5), (1, 1, 3), (1, 9, 3), (2, 3), (7, 1)])
@pytest.mark.parametrize("levels", [0, 1, 3, 5])
def test_collapse_undoes_the_pyramid(shape: tuple[int, ...], levels: int) -> None:
    image = picture(*shape)
    bands = pyramid.laplacian_pyramid(image, levels)
    assert len(bands) == levels + 1 and bands[0].shape == shape
    np.testing.assert_allclose(pyramid.collapse(bands), image, atol=1e-6)


def test_sizes_halve_upwards() -> None:
    assert [level.shape for level in pyramid.gaussian_pyramid(picture(9, 6), 3)] == [(9, 6), (5, 3), (3, 2), (2, 1)]


def test_a_constant_picture_has_no_detail() -> None:
    bands = pyramid.laplacian_pyramid(np.full((33, 20, 3), 0.4, np.float32), 3)
    assert max(np.abs(band).max() for band in bands[:-1]) < 1e-6
    np.testing.assert_allclose(bands[-1], 0.4, atol=1e-6)


@pytest.mark.parametrize("levels", [0, 2, None])
def test_a_full_matte_shows_the_foreground_and_an_empty_one_the_background(levels: int | None) -> None:
    back, front = picture(45, 38, 3), picture(45, 38, 3, seed=1)
    np.testing.assert_array_equal(pyramid.blend(back, front, np.zeros((45, 38), np.float32), levels), back)
    np.testing.assert_allclose(pyramid.blend(back, front, np.ones((45, 38), np.float32), levels), front, atol=1e-6)


def test_equal_pictures_are_kept_under_any_matte() -> None:
    image = picture(45, 38, 3)
    np.testing.assert_array_equal(pyramid.blend(image, image, picture(45, 38, seed=2), 3), image)


def test_constant_pictures_mix_by_the_lowest_matte() -> None:
    back, front = np.zeros((32, 32, 3), np.float32), np.ones((32, 32, 3), np.float32)
    matte = np.zeros((32, 32), np.float32)
    matte[:, 16:] = 1
    mixed = pyramid.blend(back, front, matte, 2)
    # The difference is one constant, all of it in the low-pass rest, which has a seam of 2 ** 2 pixels and more.
    lowest = pyramid.gaussian_pyramid(matte, 2)[-1]
    expected = pyramid.collapse([np.zeros((32, 32), np.float32), np.zeros((16, 16), np.float32), lowest])
    np.testing.assert_allclose(mixed, np.repeat(expected[..., None], 3, axis=-1), atol=1e-6)
    assert (np.diff(mixed[16, :, 0]) >= -1e-6).all() and mixed[16, 0, 0] == 0 and mixed[16, -1, 0] == 1


def test_no_levels_is_plain_compositing() -> None:
    back, front, matte = picture(8, 9, 3), picture(8, 9, 3, seed=1), picture(8, 9, seed=2)
    np.testing.assert_allclose(
        pyramid.blend(back, front, matte, 0), back + matte[..., None] * (front - back), atol=1e-6
    )


@pytest.mark.parametrize(
    ("height", "width", "levels"), [(1, 1, 0), (8, 500, 0), (16, 16, 1), (31, 32, 1), (64, 40, 2), (4320, 7680, 5)]
)
def test_levels_leave_at_least_eight_pixels(height: int, width: int, levels: int) -> None:
    assert pyramid.levels_for(height, width) == levels
