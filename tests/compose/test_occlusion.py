from __future__ import annotations

import numpy as np
import pytest

from faceloom.compose import behind
from faceloom.types import Box, Crop, Patch

FULL = np.ones((20, 30), np.float32)
PATCH = Patch(np.zeros((20, 30, 3), np.float32), FULL, Crop.cut(Box(100, 50, 130, 70)))


def test_what_is_in_front_takes_the_matte_back() -> None:
    occluder = np.zeros((40, 40), np.float32)
    occluder[10:20, 15:25] = 1  # frame columns 105 to 114, rows 55 to 64
    occluder[30, 20] = 0.25  # frame (110, 75): below the patch
    occluder[22, 20] = 0.25  # frame (110, 67)
    result = behind(PATCH, Box(90, 45, 130, 85), occluder)
    expected = FULL.copy()
    expected[5:15, 5:15] = 0
    expected[17, 10] = 0.75
    np.testing.assert_allclose(result.matte, expected, atol=1e-6)
    assert result.image is PATCH.image and result.crop is PATCH.crop


def test_a_crop_of_twice_the_size() -> None:
    crop = Crop(np.array([[2.0, 0, 0.5], [0, 2.0, 0.5]]), 40, 40)
    patch = Patch(np.zeros((40, 40, 3), np.float32), np.ones((40, 40), np.float32), crop)
    occluder = np.zeros((20, 20), np.float32)
    occluder[:, 10:] = 1
    matte = behind(patch, Box(0, 0, 20, 20), occluder).matte
    assert (matte[4:36, :18] == 1).all() and (matte[4:36, 22:38] == 0).all()


@pytest.mark.parametrize(
    ("box", "occluder"),
    [(Box(0, 0, 30, 20), np.zeros((20, 30), np.float32)), (Box(5, 5, 5, 9), np.zeros((4, 0), np.float32))],
)
def test_nothing_in_front(box: Box, occluder: np.ndarray) -> None:
    assert behind(PATCH, box, occluder) is PATCH


def test_an_occluder_elsewhere_changes_nothing() -> None:
    np.testing.assert_array_equal(behind(PATCH, Box(0, 0, 30, 20), FULL).matte, FULL)
