"""Corrections, steady in time on a face that moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceloom.methods.langbrt.temporal import RADIUS, Correction, moved, steady

SIZE = 64


def landmarks(shift: tuple[float, float] = (0, 0)) -> NDArray[np.float32]:
    """478 points all over the face."""
    points = np.random.default_rng(0).uniform(10, SIZE - 10, (478, 2))
    return (points + shift).astype(np.float32)


def spot(x: float, y: float, strength: float = 1.0) -> NDArray[np.float32]:
    """(S, S, 4) a soft spot."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    bump = strength * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / 3**2)
    return np.where(bump > 1e-3, bump, 0)[..., None].repeat(4, 2).astype(np.float32)


def test_what_does_not_move_stays() -> None:
    corrections = {i: Correction(spot(30, 30), landmarks()) for i in range(9)}
    np.testing.assert_allclose(steady(corrections, 4).values, spot(30, 30), atol=3e-3)


def test_a_face_that_moves_takes_its_spot_along() -> None:
    """The spot stays on the skin, so the mean over frames is as sharp as each."""
    corrections = {i: Correction(spot(26 + i, 30), landmarks((i - 4, 0))) for i in range(9)}
    found = steady(corrections, 4).change[..., 0]
    np.testing.assert_allclose(found, spot(30, 30)[..., 0], atol=0.06)
    still = {i: Correction(one.values, landmarks()) for i, one in corrections.items()}
    assert steady(still, 4).change.max() < 0.9 < found.max(), "without following, it would smear"


def test_flicker_is_damped_without_lag() -> None:
    """Detection that comes and goes becomes a steady half; what rises and falls peaks in its own frame."""
    flicker = {i: Correction(spot(30, 30, i % 2), landmarks()) for i in range(21)}
    peaks = np.array([steady(flicker, i).cover.max() for i in range(6, 15)])
    assert np.ptp(peaks) < 0.1 and abs(peaks.mean() - 0.5) < 0.05
    ramp = {i: Correction(spot(30, 30, 1 - abs(i - 10) / 10), landmarks()) for i in range(21)}
    values = [steady(ramp, i).cover.max() for i in range(21)]
    assert int(np.argmax(values)) == 10
    np.testing.assert_allclose(values, values[::-1], atol=1e-6)


def test_the_fine_pattern_is_the_frames_own() -> None:
    """A line that the landmarks misplace by two pixels from frame to frame stays a line, where it is."""

    def lined(row: int) -> NDArray[np.float32]:
        values = np.zeros((SIZE, SIZE, 4), np.float32)
        values[20:44, 20:44, 3] = 1
        values[row, 20:44, :3] = 0.3
        return values

    corrections = {i: Correction(lined(30 + 2 * (i % 2)), landmarks()) for i in range(9)}
    found = steady(corrections, 4).change[30:33, 32, 0]
    assert found[0] > 0.2 and abs(found[2]) < 0.1, "a plain mean has half of it in each place"


def test_one_frame_alone_is_as_it_is() -> None:
    one = Correction(spot(30, 30), landmarks())
    assert steady({7: one}, 7) is one and steady({7: one, 7 + RADIUS + 1: one}, 7) is one


def test_frames_beyond_the_radius_do_not_count() -> None:
    near = {i: Correction(spot(30, 30), landmarks()) for i in range(10 - RADIUS, 11 + RADIUS)}
    far = near | {i: Correction(spot(10, 10), landmarks()) for i in (10 - RADIUS - 1, 11 + RADIUS)}
    np.testing.assert_array_equal(steady(near, 10).values, steady(far, 10).values)


def test_frames_without_the_face_are_left_out() -> None:
    corrections = {i: Correction(spot(30, 30), landmarks()) for i in (2, 4)}
    np.testing.assert_allclose(steady(corrections, 4).values, spot(30, 30), atol=3e-3)


def test_moving_back_and_forth() -> None:
    one = Correction(spot(30, 30), landmarks())
    there = moved(one.values, landmarks(), landmarks((3, -2)))
    assert np.unravel_index(there[..., 0].argmax(), (SIZE, SIZE)) == (28, 33)
    np.testing.assert_allclose(moved(there, landmarks((3, -2)), landmarks()), one.values, atol=0.03)


def test_gray_has_no_colour() -> None:
    values = spot(30, 30) * np.array([3, 0, 0, 1], np.float32)
    gray = Correction(values, landmarks()).gray()
    np.testing.assert_allclose(gray.change, spot(30, 30)[..., :3], atol=1e-6)
    np.testing.assert_array_equal(gray.cover, values[..., 3])
