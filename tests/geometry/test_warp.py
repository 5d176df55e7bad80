from __future__ import annotations

import numpy as np
import pytest

from faceloom.geometry import warp
from faceloom.types import Box


def positions(height: int, width: int, dx: float = 0, dy: float = 0) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(width) + dx, np.arange(height) + dy), axis=-1).astype(np.float32)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


def test_an_affine_field_is_the_matrix_at_every_pixel() -> None:
    matrix, box = np.array([[0.9, -0.2, 7.5], [0.3, 1.1, -400.25]]), Box(600, 300, 640, 325)
    field = warp.affine_field(matrix, box)
    x, y = np.meshgrid(np.arange(600, 640), np.arange(300, 325))
    assert field.shape == (25, 40, 2) and field.dtype == np.float32
    np.testing.assert_allclose(field[..., 0], 0.9 * x - 0.2 * y + 7.5, atol=2e-4)
    np.testing.assert_allclose(field[..., 1], 0.3 * x + 1.1 * y - 400.25, atol=2e-4)
    assert warp.affine_field(matrix, Box(5, 5, 5, 9)).shape == (4, 0, 2)


def test_integer_positions_are_exact() -> None:
    image = picture(31, 44)
    np.testing.assert_array_equal(warp.sample(image, positions(31, 44)), image)
    np.testing.assert_array_equal(warp.sample(image, positions(20, 30, 7, 5)), image[5:25, 7:37])


def test_between_pixels_neighbours_are_mixed() -> None:
    image = picture(10, 12)
    mixed = 0.75 * image[:, :-1] + 0.25 * image[:, 1:]
    np.testing.assert_allclose(warp.sample(image, positions(10, 11, dx=0.25)), mixed, atol=1e-6)


def test_beyond_the_border_the_border_is_held() -> None:
    image = picture(6, 7)
    outside = warp.sample(image, positions(6, 7, dx=-50))
    np.testing.assert_allclose(outside, np.repeat(image[:, :1], 7, axis=1), atol=1e-6)


def test_halvings_stop_at_the_least_side() -> None:
    assert [level.shape[:2] for level in warp.minified(picture(300, 130))] == [(300, 130), (150, 65), (75, 33)]
    assert len(warp.minified(picture(63, 900))) == 1


def smooth_picture() -> np.ndarray:
    y, x = np.mgrid[:256, :256].astype(np.float32)
    return np.stack([0.5 + 0.4 * np.sin(x / 30), 0.5 + 0.4 * np.cos(y / 25), (x + y) / 512], axis=-1)


@pytest.mark.parametrize("scale", [0.01, 1.0, 1.25])
def test_enlarging_reads_the_full_picture(scale: float) -> None:
    image = picture(80, 80)
    where = positions(40, 40, 10.3, 8.8)
    np.testing.assert_array_equal(warp.sample_minified(warp.minified(image), where, scale), warp.sample(image, where))


@pytest.mark.parametrize("scale", [2.5, 3.3, 5.0, 9.0, 1e6])
def test_every_level_shows_the_same_place(scale: float) -> None:
    levels = warp.minified(smooth_picture())
    where = positions(160, 160, 48.4, 47.7)
    shown = warp.sample_minified(levels, where, scale)
    assert np.abs(shown - warp.sample(levels[0], where)).max() < 0.03


def test_the_look_up_is_continuous_in_scale() -> None:
    levels = warp.minified(picture(256, 256))
    where = positions(64, 64, 90, 80)
    scales = 1.25 * 2 ** np.linspace(-0.1, 3.2, 331)  # across every level and both ends
    shown = np.stack([warp.sample_minified(levels, where, float(scale)) for scale in scales])
    steps = np.abs(np.diff(shown, axis=0)).max(axis=(1, 2, 3))
    assert steps.max() < 0.02 and np.abs(shown[0] - shown[-1]).max() > 0.3


def test_noise_is_averaged_away_when_reducing() -> None:
    levels = warp.minified(picture(256, 256))
    where = positions(32, 32) * 8
    assert warp.sample_minified(levels, where, 8.0).std() < 0.4 * warp.sample(levels[0], where).std()
