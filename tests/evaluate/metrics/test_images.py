from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from faceloom.evaluate.metrics.errors import MetricError
from faceloom.evaluate.metrics.images import mse, psnr, rmse, ssim


@pytest.fixture
def picture(portraits) -> np.ndarray:
    return cv2.resize(portraits["person_02"], (96, 80), interpolation=cv2.INTER_AREA)


def test_equal_pictures_have_the_ideal_values(picture: np.ndarray) -> None:
    assert mse(picture, picture) == rmse(picture, picture) == 0
    assert psnr(picture, picture) == math.inf
    assert ssim(picture, picture) == pytest.approx(1, abs=1e-12)


def test_values_computed_by_hand() -> None:
    black = np.zeros((20, 20, 3), np.uint8)
    one_channel = black.copy()
    one_channel[..., 1] = 51
    assert mse(black, one_channel) == pytest.approx(0.04 / 3, rel=1e-6)
    assert rmse(black, one_channel) == pytest.approx(51 / math.sqrt(3), rel=1e-6)
    assert psnr(black, one_channel) == pytest.approx(-10 * math.log10(0.04 / 3), rel=1e-6)
    # Flat pictures: variances vanish, (C1 / (51^2 + C1)) in one channel and 1 in the others.
    c1 = (0.01 * 255) ** 2
    assert ssim(black, one_channel) == pytest.approx((2 + c1 / (51**2 + c1)) / 3, rel=1e-9)


def test_ssim_is_that_of_an_independent_implementation(picture: np.ndarray) -> None:
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 20, picture.shape), 0, 255).astype(np.uint8)
    expected = structural_similarity(
        picture, noisy, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=-1, data_range=255
    )
    assert ssim(picture, noisy) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("kind", ["shift", "blur", "noise"])
def test_measures_follow_the_strength_of_a_perturbation(picture: np.ndarray, kind: str) -> None:
    noise = np.random.default_rng(1).normal(0, 1, picture.shape)
    changed = {
        "shift": lambda s: np.roll(picture, s, axis=1),
        "blur": lambda s: cv2.GaussianBlur(picture, (0, 0), 0.7 * s),
        "noise": lambda s: np.clip(picture + 6 * s * noise, 0, 255).astype(np.uint8),
    }[kind]
    results = [changed(strength) for strength in (1, 2, 3, 4, 5)]
    assert all(a < b for a, b in pairwise([rmse(picture, result) for result in results]))
    assert all(a > b for a, b in pairwise([psnr(picture, result) for result in results]))
    assert all(a > b for a, b in pairwise([ssim(picture, result) for result in results]))


def test_sizes_must_agree_and_suffice(picture: np.ndarray) -> None:
    for measure in (mse, psnr, rmse, ssim):
        with pytest.raises(MetricError, match="one size"):
            measure(picture, picture[:-1])
    with pytest.raises(MetricError, match="at least 11"):
        ssim(picture[:10], picture[:10])
