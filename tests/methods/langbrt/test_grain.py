"""Grain: measured, missed, put back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceloom.methods.langbrt.grain import Grain, band_sigmas, bands, luminance_of, noise
from faceloom.methods.langbrt.tone import log_light_of
from faceloom.types import Box, Crop, Image

SIDE = 512
BOX = Box(0, 0, SIDE, SIDE)
ZOOM = 4.0
CROP = Crop(np.array([[1 / ZOOM, 0, 0.5 / ZOOM - 0.5], [0, 1 / ZOOM, 0.5 / ZOOM - 0.5]]), SIDE // 4, SIDE // 4)
SKIN = np.ones((SIDE // 4, SIDE // 4), np.float32)


def grainy(deviation: float, seed: int = 0) -> Image:
    """Gray with noise of this deviation, in grey levels."""
    white = np.random.default_rng(seed).standard_normal((SIDE, SIDE, 1))
    return np.clip(130 + deviation * white, 0, 255).repeat(3, 2).astype(np.uint8)


def energy(log: NDArray[np.float32], sigmas: tuple[float, ...]) -> list[float]:
    return [float((band[60:-60, 60:-60] ** 2).mean()) for band in bands(luminance_of(log), sigmas)]


def test_bands_end_where_pixels_do() -> None:
    assert band_sigmas(4) == pytest.approx((3.6, 1.8, 0.9, 0))
    assert band_sigmas(1.2) == pytest.approx((1.08, 0.54, 0))
    assert band_sigmas(0.4) == (0.0,), "a picture smaller than the network's has no detail of its own"


def test_bands_add_up() -> None:
    luminance = luminance_of(log_light_of(grainy(6)))
    total = sum(bands(luminance, band_sigmas(ZOOM)))
    low = cv2.GaussianBlur(luminance, (0, 0), 3.6, borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(total, luminance - low, atol=1e-5)


def test_strength_is_measured_where_it_is_skin() -> None:
    image, skin = grainy(4), SKIN.copy()
    image[:, SIDE // 2 :] = grainy(30, 1)[:, SIDE // 2 :]
    skin[:, SIDE // 8 :] = 0
    both, one = (Grain.of(i, CROP, s) for i, s in ((image, skin), (grainy(4), SKIN)))
    np.testing.assert_allclose(both.variances.mean((1, 2)), one.variances.mean((1, 2)), rtol=0.1)
    assert Grain.of(grainy(8), CROP, SKIN).deviation(CROP, BOX).mean() == pytest.approx(
        2 * one.deviation(CROP, BOX).mean(), rel=0.06
    )


def test_no_skin_no_grain() -> None:
    own = Grain.of(grainy(8), CROP, 0 * SKIN)
    assert not own.variances.any() and not own.deviation(CROP, BOX).any()


def test_what_was_smoothed_away_comes_back() -> None:
    before = log_light_of(grainy(6))
    own = Grain.of(grainy(6), CROP, SKIN)
    after = cv2.GaussianBlur(before, (0, 0), 6)
    filled = after + own.missing(before, after, CROP, BOX)[..., None]
    wanted, lost, found = (energy(log, own.sigmas) for log in (before, after, filled))
    assert all(x < 0.1 * y for x, y in zip(lost, wanted, strict=True))
    assert sum(found) == pytest.approx(sum(wanted), rel=0.35)


def test_nothing_is_added_where_nothing_was_lost() -> None:
    before = log_light_of(grainy(6))
    own = Grain.of(grainy(6), CROP, SKIN)
    assert np.abs(own.missing(before, before, CROP, BOX)).max() < 0.35 * own.deviation(CROP, BOX).mean()
    smooth = log_light_of(grainy(0))
    assert not own.missing(smooth, smooth, CROP, BOX).any(), "skin that had no grain gets none"


def test_under_shine_there_is_grain() -> None:
    smooth = log_light_of(grainy(0))
    own = Grain.of(grainy(6), CROP, SKIN)
    added = own.missing(smooth, smooth - np.float32(0.5), CROP, BOX)
    assert added.std() == pytest.approx(own.deviation(CROP, BOX).mean(), rel=0.3)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_noise_has_unit_deviation(number: int) -> None:
    found = noise(CROP, BOX, 0.45 / 2**number, number)
    assert found.shape == (SIDE, SIDE)
    assert found.std() == pytest.approx(1, abs=0.25) and abs(found.mean()) < 0.05


def test_noise_lies_still_on_the_face() -> None:
    """A face 7 pixels further right and 3 down shows the same noise there."""
    matrix = CROP.matrix.copy()
    matrix[:, 2] -= matrix[:, :2] @ [7, 3]
    shifted = noise(Crop(matrix, CROP.width, CROP.height), Box(7, 3, 7 + SIDE, 3 + SIDE), 0.45, 0)
    np.testing.assert_allclose(shifted, noise(CROP, BOX, 0.45, 0), atol=2e-2)
