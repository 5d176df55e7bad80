from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceloom.geometry import colour

GAIN = np.array([[0.3, -0.1, 0.05], [0.15, 0.1, 0.0], [-0.1, 0.05, 0.2]])


def skin_points(count: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.2, 0.7, (count, 3)), rng.uniform(-0.6, 0.6, (count, 2)), rng


def lit(colours: np.ndarray, gain: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """What ``apply_gain`` makes of a row of pixels at these positions."""
    x, y = positions.astype(np.float32).T
    return colour.apply_gain(colours[None].astype(np.float32), gain, x[None], y[None])[0].astype(np.float64)


def test_a_known_gain_and_tilt_are_recovered() -> None:
    source, positions, _ = skin_points()
    fitted = colour.fit_gain(source, lit(source, GAIN, positions), positions, tilt_ridge=1e-6)
    np.testing.assert_allclose(fitted, GAIN, atol=1e-4)


def test_the_ridge_keeps_the_tilt_small_and_the_gain_right() -> None:
    source, positions, _ = skin_points()
    positions = positions - positions.mean(axis=0)
    fitted = colour.fit_gain(source, lit(source, GAIN, positions), positions)
    np.testing.assert_allclose(fitted[0], GAIN[0], atol=0.03)
    assert (np.abs(fitted[1:]) < np.abs(GAIN[1:]) + 0.02).all() and np.sign(fitted[1, 0]) == np.sign(GAIN[1, 0])


@pytest.mark.parametrize("seed", range(5))
def test_a_fifth_of_outliers_does_not_matter(seed: int) -> None:
    source, positions, rng = skin_points(seed=seed)
    target = lit(source, GAIN, positions) * rng.normal(1, 0.01, source.shape)
    target[:12] = rng.uniform(0, 1, (12, 3))  # hair, a hand, a shadow's edge
    clean = colour.fit_gain(source[12:], target[12:], positions[12:])
    robust = colour.fit_gain(source, target, positions)
    naive = np.log((target + 0.02) / (source + 0.02)).mean(axis=0)
    np.testing.assert_allclose(robust[0], clean[0], atol=0.03)
    np.testing.assert_allclose(robust, clean, atol=0.05)
    assert np.abs(naive - clean[0]).max() > 2 * np.abs(robust[0] - clean[0]).max()


def test_points_of_no_weight_are_left_out() -> None:
    source, positions, _ = skin_points(20)
    target = lit(source, GAIN, positions)
    weights = np.ones(20)
    weights[:8], target[:8] = 0, 1
    fitted = colour.fit_gain(source, target, positions, weights, tilt_ridge=1e-6)
    np.testing.assert_allclose(fitted, GAIN, atol=1e-4)


def test_equal_colours_need_no_gain_and_black_is_finite() -> None:
    source, positions, _ = skin_points()
    np.testing.assert_allclose(colour.fit_gain(source, source, positions), 0, atol=1e-12)
    assert np.isfinite(colour.fit_gain(source, np.zeros_like(source), positions)).all()


def test_the_opposite_gain_undoes_a_gain() -> None:
    image = np.random.default_rng(0).random((12, 9, 3), dtype=np.float32)
    x, y = np.linspace(-1, 1, 9, dtype=np.float32)[None, :], np.linspace(-1, 1, 12, dtype=np.float32)[:, None]
    there = colour.apply_gain(image, GAIN, x, y)
    assert np.abs(there - image).max() > 0.1 and there.dtype == np.float32
    np.testing.assert_allclose(colour.apply_gain(there, -GAIN, x, y), image, atol=1e-6)
    np.testing.assert_allclose(colour.apply_gain(image, np.zeros((3, 3)), x, y), image, atol=1e-6)


def test_a_constant_gain_by_hand() -> None:
    gain = np.vstack([np.log([2.0, 1.0, 0.5]), np.zeros((2, 3))])
    image = np.full((1, 1, 3), 0.3, np.float32)
    zero = np.zeros((1, 1), np.float32)
    np.testing.assert_allclose(colour.apply_gain(image, gain, zero, zero)[0, 0], [0.62, 0.3, 0.14], atol=1e-6)


@pytest.mark.parametrize("size", [(40, 60), (1, 1), (3, 200)])
def test_a_constant_picture_has_its_colour_everywhere(size: tuple[int, int]) -> None:
    image = np.empty((*size, 3), np.uint8)
    image[:] = (200, 100, 50)
    points = np.array([[0, 0], [59, 39], [-30, 12], [500, 12], [20.4, -90], [30, 1000]])
    for chosen in (points, points[2:3], points[5:]):
        sampled = colour.sample_colours(image, chosen, 2.5)
        assert sampled.dtype == np.float64
        np.testing.assert_allclose(sampled, np.tile(np.array([200, 100, 50]) / 255, (len(chosen), 1)), atol=1e-6)


def test_a_ramp_is_read_between_pixels_and_held_beyond_the_border() -> None:
    image = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[None, :, None], 30, axis=0).repeat(3, axis=2)
    sampled = colour.sample_colours(image, np.array([[20.25, 15, 7.0], [30, 3, 0], [-40, 9, 0], [900, 9, 0]]), 1.0)
    np.testing.assert_allclose(sampled[:2, 0] * 255, [81, 120], atol=0.05)
    np.testing.assert_allclose(sampled[2:, 1] * 255, [0, 236], atol=4)


def test_the_mean_forgets_grain() -> None:
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(128, 25, (80, 80, 3)), 0, 255).astype(np.uint8)
    points = rng.uniform(15, 65, (40, 2))
    assert np.abs(colour.sample_colours(image, points, 6.0) - 0.5).max() < 0.03
    assert np.abs(colour.sample_colours(image, points, 0.3) - 0.5).max() > 0.1


def test_a_limited_gain_keeps_its_tilt_and_is_itself_when_small() -> None:
    gain = np.array([[0.9, -0.1, -2.0], [0.3, 0.2, 0.1], [0.0, 0.1, 0.2]])
    limited = colour.limited(gain, 0.35)
    np.testing.assert_allclose(limited, [[0.35, -0.1, -0.35], [0.3, 0.2, 0.1], [0.0, 0.1, 0.2]])
    assert colour.limited(limited, 0.35) is limited


@given(st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_a_change_of_tone_moves_one_colour_and_keeps_black_white_and_order(before: float, after: float) -> None:
    ramp = np.linspace(0, 1, 101, dtype=np.float32)
    image = np.repeat(np.append(ramp, before).astype(np.float32)[None, :, None], 3, axis=2)
    toned = colour.change_tone(image, np.full(3, before), np.full(3, after))[0, :, 0]
    assert toned[-1] == pytest.approx(after, abs=1e-4)
    assert toned[0] == 0 and toned[100] == pytest.approx(1, abs=1e-4)
    assert np.diff(toned[:101]).min() > -1e-6  # float32


def test_flattened_shading_is_a_power_of_luminance() -> None:
    image = np.array([[[0.4, 0.4, 0.4], [0.8, 0.8, 0.8], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1]]], np.float32)
    shadows = np.array([[1, 1, 1, 0]], np.float32)
    flat = colour.flatten_shading(image, 0.4, 0.5, shadows)[0, :, 0]
    # 0.4 * 2 ** 0.5 and 0.4 * 0.25 ** 0.5; hair, which is no shadow, stays.
    np.testing.assert_allclose(flat, [0.4, 0.4 * 2**0.5, 0.2, 0.1], rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_column_medians_are_those_of_numpy(count: int) -> None:
    values = np.random.default_rng(count).normal(size=(count, 3))
    np.testing.assert_array_equal(colour.column_medians(values), np.median(values, axis=0))


def test_a_mix_takes_each_pixel_by_its_share() -> None:
    rng = np.random.default_rng(0)
    below, above = rng.random((2, 5, 4, 3), np.float32)
    share = rng.random((5, 4), np.float32)
    share[0], share[1] = 0, 1
    mixed = colour.mix(below, above, share)
    np.testing.assert_allclose(mixed, below + share[..., None] * (above - below), atol=1e-6)
    np.testing.assert_array_equal(mixed[0], below[0])


def test_the_colour_of_features_has_them() -> None:
    colours = np.array([[0.7, 0.5, 0.4], [0.1, 0.3, 0.05], [0.0, 0.0, 0.0]])
    found = [colour.colour_of(features.astype(np.float64)) for features in colour.skin_features(colours)]
    np.testing.assert_allclose(found, colours, atol=1e-6)


def test_a_lit_colour_is_what_the_gain_makes_of_a_picture() -> None:
    gain = np.array([[0.4, -0.2, 0.1], [0.3, 0.2, 0.1], [0.0, 0.1, 0.2]])
    one, zero = np.array([0.6, 0.4, 0.3]), np.zeros((1, 1), np.float32)
    applied = colour.apply_gain(one.astype(np.float32)[None, None], gain, zero, zero)[0, 0]
    np.testing.assert_allclose(colour.lit_colour(one, gain), applied, atol=1e-6)


class TestReshade:
    DARK, LIGHT = np.array([0.35, 0.2, 0.13]), np.array([0.75, 0.56, 0.5])

    def shaded(self, colours: np.ndarray, contrast: float = 1.0) -> np.ndarray:
        return colour.reshade(colours[None].astype(np.float32), self.DARK, self.LIGHT, contrast)[0].astype(np.float64)

    def test_skin_becomes_the_other_skin(self) -> None:
        np.testing.assert_allclose(self.shaded(self.DARK[None])[0], self.LIGHT, atol=1e-3)

    def test_shadows_have_the_tint_of_the_other_skin(self) -> None:
        orange = np.array([[0.2, 0.08, 0.03]])
        np.testing.assert_allclose(self.shaded(orange)[0] / self.shaded(orange)[0, 0], self.LIGHT / self.LIGHT[0])

    def test_sheen_does_not_glare(self) -> None:
        ramp = self.DARK + np.linspace(0, 0.6, 20)[:, None]
        bright = self.shaded(ramp)
        assert (np.diff(bright, axis=0) > 0).all() and bright.max() < 0.98
        assert (bright[-1] / bright[-1, 0] > self.LIGHT / self.LIGHT[0])[1:].all(), "sheen is the light's colour"

    def test_less_contrast_is_nearer_to_even_skin(self) -> None:
        colours = np.array([0.4, 0.7, 1.2, 2.0])[:, None] * self.DARK
        strong, weak = (np.abs(self.shaded(colours, contrast) - self.LIGHT) for contrast in (1.0, 0.4))
        assert (weak < 0.8 * strong).all()
