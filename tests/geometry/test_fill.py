from __future__ import annotations

import numpy as np
import pytest

from faceloom.geometry.fill import fill


def slope(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.dstack([x / width, y / height, np.full_like(x, 0.4)])


@pytest.mark.parametrize("shape", [(64, 64), (37, 53), (3, 40)])
def test_what_is_known_stays(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((*shape, 3), np.float32)
    np.testing.assert_allclose(fill(picture, np.ones(shape, np.float32)), picture, atol=1e-5)


def test_a_hole_is_filled_from_what_is_around_it_and_not_from_what_is_in_it() -> None:
    picture, known = slope(64, 80), np.ones((64, 80), np.float32)
    known[24:40, 30:50] = 0
    torn = np.where(known[..., None] > 0, picture, np.float32(9))
    filled = fill(torn, known)
    np.testing.assert_allclose(filled, picture, atol=0.05)
    # It goes over into its surroundings without a step.
    assert np.abs(np.diff(filled, axis=1)).max() < 0.06


def test_two_channels_and_nothing_known() -> None:
    motion = np.full((20, 30, 2), 3.0, np.float32)
    np.testing.assert_allclose(fill(motion, np.zeros((20, 30), np.float32)), motion, rtol=1e-4)
