"""The tint of a rendered crop, measured around the part and taken off in it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from faceloom.methods.memo import FrameMemo
from faceloom.methods.vpartswap.match import steady_tint, tint

SIDE = 64


def disc(radius: float) -> NDArray[np.float32]:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return (np.hypot(x, y) < radius).astype(np.float32)


def face() -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(0.2, 0.8, (SIDE, SIDE, 3)).astype(np.float32)


def test_a_constant_tint_is_taken_off_inside_the_part_too() -> None:
    target, cast = face(), np.float32([0.08, -0.05, 0.02])
    rendered = target + cast
    found = tint(rendered, target, disc(9))
    assert found.shape == target.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, np.broadcast_to(-cast, found.shape), atol=2e-3)


def test_what_changed_inside_the_part_does_not_count() -> None:
    target = face()
    part = disc(9)
    rendered = np.where(part[..., None] > 0, 1 - target, target).astype(np.float32)
    np.testing.assert_allclose(tint(rendered, target, part), 0, atol=1e-6)


def test_a_tint_that_varies_slowly_is_followed() -> None:
    target = face()
    ramp = np.linspace(-0.1, 0.1, SIDE, dtype=np.float32)[None, :, None]
    left = target + ramp + tint(target + ramp, target, disc(9)) - target
    inside = disc(9) > 0
    assert np.abs(left[inside]).max() < 0.03
    assert np.abs(left).mean() < 0.25 * np.abs(ramp).mean()


def test_fine_detail_is_no_tint() -> None:
    target = face()
    noise = np.random.default_rng(1).normal(0, 0.1, target.shape).astype(np.float32)
    assert tint(target + noise, target, disc(9)).std() < 0.1 * noise.std()


def test_nothing_rendered_wrong_is_nothing_to_add() -> None:
    target = face()
    assert not tint(target, target, disc(9)).any()


def tints(values: dict[int, float], person: int = 1) -> FrameMemo[NDArray[np.float32]]:
    memo: FrameMemo[NDArray[np.float32]] = FrameMemo()
    for index, value in values.items():
        memo.put(person, index, np.full((2, 2, 3), value, np.float32))
    return memo


def test_tints_are_steadied_in_time() -> None:
    memo, steady = tints({}), []
    for index in range(12):
        memo.put(1, index, np.full((2, 2, 3), 0.1 + 0.05 * (-1) ** index, np.float32))
        found = steady_tint(memo, 1, index)
        assert found.shape == (2, 2, 3) and found.dtype == np.float32
        steady.append(found[0, 0, 0])
    assert np.std(steady[4:]) < 0.4 * 0.05
    assert np.mean(steady[4:]) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("known", [[9], [5, 9], [6, 7, 8, 9]])
def test_frames_without_a_face_count_for_nothing(known: list[int]) -> None:
    np.testing.assert_allclose(steady_tint(tints(dict.fromkeys(known, 0.3)), 1, 9), 0.3, atol=1e-6)


def test_nearer_frames_count_for_more() -> None:
    near, far = (float(steady_tint(tints({9: 0.0, i: 1.0}), 1, 9)[0, 0, 0]) for i in (8, 6))
    assert 0 < far < near < 0.5


def test_tints_of_other_people_and_of_long_ago_do_not_count() -> None:
    memo = tints({0: 5.0, 100: 0.2})
    memo.put(2, 99, np.full((2, 2, 3), 7, np.float32))
    np.testing.assert_allclose(steady_tint(memo, 1, 100), 0.2, atol=1e-6)
    assert not memo.known(1, 0)  # nothing can ask for it any more
