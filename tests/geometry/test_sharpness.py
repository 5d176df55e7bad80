from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import pytest

from faceloom.geometry.sharpness import sharpness, soften
from faceloom.types import Image

BLURS = (0.0, 0.5, 0.8, 1.2, 1.8)


def picture(portraits: Mapping[str, Image], name: str = "person_01") -> np.ndarray:
    """The middle of a portrait: eyes, nose and mouth."""
    return portraits[name][150:420, 130:380].astype(np.float32) / np.float32(255)


def everywhere(image: np.ndarray) -> np.ndarray:
    return np.ones(image.shape[:2], bool)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image


@pytest.mark.parametrize("name", ["person_01", "person_03", "person_05"])
def test_blurring_lowers_both_numbers(name: str, portraits: Mapping[str, Image]) -> None:
    image = picture(portraits, name)
    told = np.array([sharpness(blurred(image, sigma), everywhere(image)) for sigma in BLURS])
    assert told.shape == (len(BLURS), 2)
    assert (np.diff(told, axis=0) < -0.01).all()


def test_contrast_and_brightness_do_not_count(portraits: Mapping[str, Image]) -> None:
    image = picture(portraits)
    dim = 0.3 + 0.4 * image
    np.testing.assert_allclose(sharpness(dim, everywhere(dim)), sharpness(image, everywhere(image)), atol=0.05)


def test_grey_and_colour_agree(portraits: Mapping[str, Image]) -> None:
    image = picture(portraits)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose(sharpness(grey, everywhere(grey)), sharpness(image, everywhere(image)), atol=1e-6)


def test_only_the_region_counts(portraits: Mapping[str, Image]) -> None:
    image = picture(portraits)
    region = everywhere(image)
    region[:, 120:] = False
    half_soft = image.copy()
    half_soft[:, 130:] = cv2.GaussianBlur(image, (0, 0), 3)[:, 130:]
    near = sharpness(half_soft, region)
    np.testing.assert_allclose(near, sharpness(image, region), atol=0.05)
    assert (sharpness(half_soft, everywhere(image)) < near - 0.05).any()


def test_a_region_too_small_to_tell() -> None:
    image = np.random.default_rng(1).random((20, 20, 3), np.float32)
    region = np.zeros((20, 20), bool)
    region[3, :15] = True
    np.testing.assert_array_equal(sharpness(image, region), [0, 0])
    region[4, :15] = True
    assert sharpness(image, region).all()


def test_an_even_picture_is_finite() -> None:
    flat = np.full((30, 30), 0.5, np.float32)
    assert np.isfinite(sharpness(flat, everywhere(flat))).all()


@pytest.mark.parametrize("sigma", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("name", ["person_01", "person_05"])
def test_softening_by_the_difference_makes_it_about_as_soft(
    name: str, sigma: float, portraits: Mapping[str, Image]
) -> None:
    image = picture(portraits, name)
    wanted, own = sharpness(blurred(image, sigma), everywhere(image)), sharpness(image, everywhere(image))
    after = sharpness(soften(image, wanted - own), everywhere(image))
    # The bands overlap, so what is taken out of one is partly made up for by the next: it stops half-way at worst.
    assert (np.abs(after - wanted) < 0.5 * (own - wanted)).all()
    assert np.abs(soften(image, wanted - own) - blurred(image, sigma)).mean() < 0.012


@pytest.mark.parametrize("gain", [(0.0, 0.0), (2.0, 0.5), (0.01, -0.01)])
def test_it_never_sharpens(gain: tuple[float, float], portraits: Mapping[str, Image]) -> None:
    image = picture(portraits)
    np.testing.assert_array_equal(soften(image, np.array(gain)), image)


@pytest.mark.parametrize("gain", [(1.0, -0.5), (-0.5, 1.0)])
def test_nor_one_band_while_the_other_is_weakened(gain: tuple[float, float], portraits: Mapping[str, Image]) -> None:
    image = picture(portraits)
    np.testing.assert_array_equal(soften(image, np.array(gain)), soften(image, np.minimum(gain, 0)))


def test_some_detail_is_always_left(portraits: Mapping[str, Image]) -> None:
    image = picture(portraits)
    least = soften(image, np.array([-50.0, -50.0]))
    drop = sharpness(image, everywhere(image)) - sharpness(least, everywhere(image))
    assert (drop > 0.2).all() and (drop < -np.log([0.3, 0.5])).all()
    np.testing.assert_allclose(least, soften(image, np.log([0.3, 0.5])), atol=1e-6)


def test_the_light_stays(portraits: Mapping[str, Image]) -> None:
    image = picture(portraits)
    softened = soften(image, np.array([-1.0, -0.5]))
    assert softened.dtype == np.float32
    np.testing.assert_allclose(softened.mean(axis=(0, 1)), image.mean(axis=(0, 1)), atol=1e-3)
