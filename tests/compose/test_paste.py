from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceloom.compose import paste
from faceloom.geometry.similarity import invert, transform
from faceloom.types import Box, Crop, Frame, Patch

RNG = np.random.default_rng(8)
PICTURE = RNG.integers(0, 256, (40, 60, 3), np.uint8)
PICTURE.flags.writeable = False


def frame() -> Frame:
    return Frame(0, Fraction(0), PICTURE)


def patch(box: Box, matte: np.ndarray | float, colour: tuple[float, float, float] = (1, 0, 0.5)) -> Patch:
    shape = (box.height, box.width)
    image = np.broadcast_to(np.float32(colour), (*shape, 3)).copy()
    return Patch(image, np.broadcast_to(np.float32(matte), shape).copy(), Crop.cut(box))


@given(
    arrays(np.float32, (12, 15), elements=st.sampled_from([0.0, 0.0, 1e-3, 0.3, 1.0])),
    st.tuples(st.integers(-20, 70), st.integers(-20, 50)),
    st.floats(0, 1),
)
def test_where_the_matte_is_zero_nothing_changes(matte: np.ndarray, corner: tuple[int, int], strength: float) -> None:
    box = Box(*corner, corner[0] + 15, corner[1] + 12)
    result = paste(frame(), [patch(box, matte)], strength)
    whole = np.zeros((40 + 200, 60 + 200), np.float32)
    whole[box.top + 100 : box.bottom + 100, box.left + 100 : box.right + 100] = matte
    outside = whole[100:140, 100:160] == 0
    np.testing.assert_array_equal(result.image[outside], PICTURE[outside])
    if result.changed is not None:
        differs = (result.image != PICTURE).any(axis=2)
        differs[result.changed.slices] = False
        assert not differs.any()


@pytest.mark.parametrize("strength", [1.0, 0.25])
def test_the_equation(strength: float) -> None:
    box, matte = Box(5, 6, 25, 20), RNG.random((14, 20), np.float32)
    after = paste(frame(), [patch(box, matte, (0.9, 0.1, 0.4))], strength).image[box.slices]
    before = PICTURE[box.slices].astype(np.float64)
    weight = strength * matte[..., None].astype(np.float64)
    expected = before + weight * (255 * np.array([0.9, 0.1, 0.4]) - before)
    assert np.abs(after - expected).max() <= 0.5 + 1e-3


def test_a_later_patch_lies_on_top() -> None:
    box = Box(0, 0, 10, 10)
    result = paste(frame(), [patch(box, 1, (1, 1, 1)), patch(Box(5, 5, 15, 15), 0.5, (0, 0, 0))])
    assert (result.image[:5, :10] == 255).all() and (result.image[5:10, 5:10] == 128).all()
    assert result.changed == Box(0, 0, 15, 15)


@pytest.mark.parametrize("patches", [[], [patch(Box(100, 100, 110, 110), 1)], [patch(Box(-9, 0, 0, 5), 1)]])
def test_a_frame_that_nothing_reaches_is_returned_as_it_is(patches: list[Patch]) -> None:
    original = frame()
    assert paste(original, patches) is original


def test_strength_zero_returns_the_frame() -> None:
    original = frame()
    assert paste(original, [patch(Box(0, 0, 10, 10), 1)], 0.0) is original


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strength_outside_its_range(strength: float) -> None:
    with pytest.raises(ValueError, match="strength"):
        paste(frame(), [], strength)


def test_a_patch_over_the_edge_is_cut() -> None:
    result = paste(frame(), [patch(Box(50, 30, 70, 50), 1, (0, 1, 0))])
    assert (result.image[30:, 50:] == (0, 255, 0)).all()
    np.testing.assert_array_equal(result.image[:30], PICTURE[:30])


def turned_crop(scale: float, degrees: float) -> Crop:
    """A crop of 48 × 48 pixels around the frame's middle."""
    angle = np.radians(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array([23.5, 23.5]) - linear @ np.array([29.5, 19.5])
    return Crop(np.column_stack([linear, shift]), 48, 48)


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 30), (2.5, 0), (0.7, -10), (4.0, 45)])
def test_a_turned_crop_lands_where_it_was_cut(scale: float, degrees: float) -> None:
    crop = turned_crop(scale, degrees)
    y, x = np.mgrid[:48, :48].astype(np.float64)
    where = transform(invert(crop.matrix), np.column_stack([x.ravel(), y.ravel()])).reshape(48, 48, 2)
    # A smooth picture of the frame's own coordinates shows any shift or turn as a wrong value.
    image = np.stack([where[..., 0] / 60, where[..., 1] / 40, np.full((48, 48), 0.5)], axis=-1).astype(np.float32)
    matte = (np.hypot(x - 23.5, y - 23.5) < 18).astype(np.float32)
    flat = Frame(0, Fraction(0), np.full((40, 60, 3), 7, np.uint8))
    result = paste(flat, [Patch(np.clip(image, 0, 1), matte, crop)])
    rows, columns = np.mgrid[:40, :60]
    inside = transform(crop.matrix, np.column_stack([columns.ravel(), rows.ravel()])).reshape(40, 60, 2)
    distance = np.hypot(*(np.moveaxis(inside, -1, 0) - 23.5))
    core, beyond = distance < 18 - 3 * max(1, scale), distance > 18 + 3 * max(1, scale)
    assert core.sum() > 3
    expected = np.stack([columns * 255 / 60, rows * 255 / 40], axis=-1)
    assert np.abs(result.image[..., :2][core] - expected[core]).max() < 2
    assert (result.image[beyond] == 7).all()


def test_the_original_is_not_modified() -> None:
    before = PICTURE.copy()
    result = paste(frame(), [patch(Box(0, 0, 60, 40), 0.5)])
    np.testing.assert_array_equal(PICTURE, before)
    assert result.decoded is PICTURE
