from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from faceloom.evaluate.metrics.errors import MetricError
from faceloom.evaluate.metrics.temporal import flicker, landmark_jitter, longest_run, temporal_energy, temporal_error
from faceloom.geometry.partcover import face_scale


def test_even_motion_has_no_jitter(shot) -> None:
    points = shot.faces[0].landmarks
    step = np.float32([3, -2, 0])
    assert landmark_jitter(points, points + step, points + 2 * step) == pytest.approx(0, abs=1e-6)


def test_jitter_computed_by_hand(shot) -> None:
    points = shot.faces[0].landmarks
    aside = points.copy()
    aside[:239, 0] += 2  # half of the landmarks: second difference -4
    assert landmark_jitter(points, aside, points) == pytest.approx(2 / face_scale(aside), rel=1e-3)


def test_jitter_grows_with_noise(shot) -> None:
    points = shot.faces[0].landmarks
    noise = np.random.default_rng(0).standard_normal((3, *points.shape)).astype(np.float32)
    values = [landmark_jitter(*(points + strength * noise)) for strength in (0, 0.2, 0.5, 1, 2)]
    assert all(a < b for a, b in pairwise(values))


def wave(frames: int, period: float, amplitude: float = 0.1) -> np.ndarray:
    return 0.5 + amplitude * np.cos(2 * np.pi * np.arange(frames) / period)[:, None] * np.ones((1, 4))


def test_a_slow_wave_has_no_fast_energy_and_an_alternation_has_nothing_else() -> None:
    fast, every = temporal_energy(wave(48, 16))
    assert fast < 1e-3 * every
    fast, every = temporal_energy(wave(48, 2))
    assert fast > 0.999 * every


def test_energy_grows_with_the_square_of_the_amplitude() -> None:
    assert temporal_energy(wave(48, 3, 0.2))[0] == pytest.approx(4 * temporal_energy(wave(48, 3, 0.1))[0], rel=1e-9)


def test_flicker_is_zero_for_the_target_itself_and_grows_with_an_alternation() -> None:
    target = wave(40, 20)
    alternation = wave(40, 2, 1.0) - 0.5
    values = [flicker(target, target + strength * alternation) for strength in (0, 0.01, 0.02, 0.05, 0.1)]
    assert values[0] == 0
    assert all(a < b for a, b in pairwise(values))
    assert values[-1] < 1


def test_a_steadier_result_is_negative_and_slow_changes_do_not_count() -> None:
    restless = wave(40, 20) + 0.05 * (wave(40, 2, 1.0) - 0.5)
    assert flicker(restless, wave(40, 20)) < -0.05
    assert abs(flicker(wave(40, 20), wave(40, 20, 0.2))) < 1e-3


def test_rounding_of_a_still_clip_is_no_flicker() -> None:
    still = np.full((40, 16), 100 / 255)
    dithered = still + np.random.default_rng(0).integers(0, 2, still.shape) / 255 * 0.05
    assert 0 < flicker(still, dithered) < 0.02


def test_spectra_need_eight_frames_and_one_shape() -> None:
    with pytest.raises(MetricError, match="8 frames or more, got 7"):
        flicker(wave(7, 2), wave(7, 2))
    with pytest.raises(MetricError, match="one shape"):
        flicker(wave(10, 2), wave(11, 2))


def test_temporal_error_computed_by_hand() -> None:
    previous, current = np.zeros((8, 10, 3), np.uint8), np.zeros((8, 10, 3), np.uint8)
    previous[2, 3], current[4, 4] = 200, 200
    flow = np.broadcast_to(np.float32([1, 2]), (8, 10, 2)).copy()
    seen = np.zeros((8, 10), bool)
    seen[:6, :9] = True
    assert temporal_error(previous, current, flow, seen) == 0
    current[4, 4, 0] = 170
    assert temporal_error(previous, current, flow, seen) == pytest.approx(np.sqrt(30**2 / (54 * 3)), rel=1e-5)
    seen[2, 3] = False
    assert temporal_error(previous, current, flow, seen) == 0
    assert np.isnan(temporal_error(previous, current, flow, np.zeros((8, 10), bool)))


@pytest.mark.parametrize(
    ("known", "expected"),
    [([], (0, 0)), ([0, 0], (0, 0)), ([1, 1, 0, 1], (0, 2)), ([1, 0, 1, 1, 1], (2, 5)), ([1, 0, 1], (0, 1))],
)
def test_longest_run(known: list[int], expected: tuple[int, int]) -> None:
    run = longest_run([bool(value) for value in known])
    assert (run.start, run.stop) == expected
