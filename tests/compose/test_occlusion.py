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


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 30), (2.5, -15), (0.7, 90)])
def test_a_turned_crop(scale: float, degrees: float) -> None:
    """A disc in the frame covers the same disc in the crop."""
    angle = np.radians(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    crop = Crop(np.column_stack([linear, np.array([40.0, 40.0]) - linear @ (60.0, 50.0)]), 81, 81)
    patch = Patch(np.zeros((81, 81, 3), np.float32), np.full((81, 81), 0.8, np.float32), crop)
    box, radius = Box(20, 10, 100, 90), 12.0
    y, x = np.mgrid[box.top : box.bottom, box.left : box.right]
    occluder = (np.hypot(x - 66.0, y - 47.0) < radius).astype(np.float32)
    matte = behind(patch, box, occluder).matte
    centre = linear @ (6.0, -3.0) + 40
    y, x = np.mgrid[:81, :81]
    distance = np.hypot(x - centre[0], y - centre[1]) / scale
    assert (matte[distance < radius - 2] == 0).all()
    np.testing.assert_allclose(matte[distance > radius + 2], 0.8, atol=1e-6)


def test_what_is_half_in_front_takes_half() -> None:
    occluder = np.full((20, 30), 0.5, np.float32)
    half = Patch(PATCH.image, 0.6 * FULL, PATCH.crop)
    np.testing.assert_allclose(behind(half, Box(100, 50, 130, 70), occluder).matte, 0.3, atol=1e-6)
    np.testing.assert_allclose(half.matte, 0.6, atol=1e-6, err_msg="the patch itself is not modified")


@pytest.mark.parametrize(
    ("box", "occluder"),
    [(Box(0, 0, 30, 20), np.zeros((20, 30), np.float32)), (Box(5, 5, 5, 9), np.zeros((4, 0), np.float32))],
)
def test_nothing_in_front(box: Box, occluder: np.ndarray) -> None:
    assert behind(PATCH, box, occluder) is PATCH


def test_an_occluder_elsewhere_changes_nothing() -> None:
    np.testing.assert_array_equal(behind(PATCH, Box(0, 0, 30, 20), FULL).matte, FULL)
