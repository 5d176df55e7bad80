from __future__ import annotations

import numpy as np
import pytest

from faceloom.perceive.temporal_filter import (
    apply_weights,
    box_weights,
    local_quadratic,
    neighbours,
    run_ids,
    smooth_parameters,
)

SEED = 7


def test_runs_end_at_gaps_cuts_and_long_pauses() -> None:
    valid = np.array([1, 1, 0, 1, 1, 1, 1, 1], bool)
    cuts = np.array([0, 0, 0, 0, 0, 1, 0, 0], bool)
    times = [0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 1.0]
    runs = run_ids(valid, cuts, times)
    assert runs[0] == runs[1]
    assert runs[3] == runs[4]
    assert runs[5] == runs[6]
    assert len({runs[0], runs[2], runs[3], runs[5], runs[7]}) == 5


def test_times_that_do_not_increase_are_refused() -> None:
    with pytest.raises(ValueError, match="frame 2"):
        run_ids(np.ones(3, bool), None, [0.0, 0.1, 0.1])
    with pytest.raises(ValueError, match="3 entries"):
        run_ids(np.ones(3, bool), None, [0.0, 0.1])


def test_neighbours_stay_in_the_run() -> None:
    index, usable = neighbours(np.array([0, 0, 1, 1]), 1)
    assert index.tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]
    assert usable.tolist() == [[0, 1, 1], [1, 1, 0], [0, 1, 1], [1, 1, 0]]


def test_interior_weights_are_those_of_savitzky_and_golay() -> None:
    weights = local_quadratic(np.zeros(20, int), 2)
    np.testing.assert_allclose(weights[10] * 35, [-3, 12, 17, 12, -3], atol=1e-9)
    weights = local_quadratic(np.zeros(20, int), 3)
    np.testing.assert_allclose(weights[10] * 21, [-2, 3, 6, 7, 6, 3, -2], atol=1e-9)


@pytest.mark.parametrize("uneven", [False, True])
def test_parabolas_pass_unchanged_to_the_ends_of_runs(uneven: bool) -> None:
    random = np.random.default_rng(SEED)
    times = np.cumsum(random.uniform(0.02, 0.06, 30)) if uneven else np.arange(30) / 25
    runs = np.repeat([0, 1, 2, 3], [12, 1, 3, 14])
    values = 3 - 20 * times + 11 * times**2
    weights = local_quadratic(runs, 3, list(times) if uneven else None)
    np.testing.assert_allclose(apply_weights(weights, values), values, atol=1e-9)


def test_box_weights_are_means_inside_the_run() -> None:
    values = np.array([1.0, 2.0, 6.0, 10.0])
    assert apply_weights(box_weights(np.array([0, 0, 0, 1]), 1), values).tolist() == [1.5, 3.0, 4.0, 10.0]


def test_constant_parameters_are_kept_at_edges_and_gaps() -> None:
    values = np.full((12, 3), 1.7)
    valid = np.ones(12, bool)
    valid[[0, 4, 5]] = False
    values[~valid] = np.nan
    smooth = smooth_parameters(values, valid)
    np.testing.assert_allclose(smooth[valid], 1.7, rtol=1e-12)
    assert np.isnan(smooth[~valid]).all()


def test_parameters_lose_noise_and_keep_phase() -> None:
    random = np.random.default_rng(SEED)
    frames = np.arange(400)
    clean = np.sin(2 * np.pi * frames / 100)[:, None]
    smooth = smooth_parameters(clean + random.normal(0, 0.1, clean.shape), np.ones(400, bool))
    assert np.std(smooth - clean) < 0.05
    peak = smooth_parameters(clean, np.ones(400, bool))[100:200, 0].argmax() + 100
    assert peak == 125


def test_parameters_are_never_mixed_across_a_cut() -> None:
    values = np.repeat([[0.0], [1.0]], 10, axis=0)
    cuts = np.arange(20) == 10
    np.testing.assert_allclose(smooth_parameters(values, np.ones(20, bool), cuts=cuts), values, atol=1e-12)
    assert np.abs(smooth_parameters(values, np.ones(20, bool)) - values).max() > 0.2


def test_parameters_of_windows_are_those_of_the_clip_bit_for_bit() -> None:
    random = np.random.default_rng(SEED)
    values, valid = random.normal(size=(60, 5)), random.random(60) > 0.2
    whole = smooth_parameters(values, valid, radius=4)
    for start in range(0, 60, 7):
        low, high = max(0, start - 4), min(60, start + 7 + 4)
        part = smooth_parameters(values[low:high], valid[low:high], radius=4)
        core = slice(start - low, min(start + 7, 60) - low)
        assert np.array_equal(part[core], whole[start : start + 7])


@pytest.mark.parametrize(
    ("values", "valid", "radius", "sigma"),
    [
        (np.zeros(3), np.ones(3), 4, 2.0),
        (np.zeros((3, 1)), np.ones(2), 4, 2.0),
        (np.zeros((3, 1)), np.ones(3), -1, 2.0),
    ],
)
def test_bad_arguments_are_refused(values: np.ndarray, valid: np.ndarray, radius: int, sigma: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        smooth_parameters(values, valid, radius, sigma)


def test_no_frames_at_all() -> None:
    assert smooth_parameters(np.zeros((0, 4)), np.zeros(0, bool)).shape == (0, 4)
