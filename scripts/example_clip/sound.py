"""A quiet babble that opens and closes with the mouth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

RATE = 44100
_PEAK = 0.12
_FORMANTS = ((300.0, 820.0, 90.0), (1900.0, 1250.0, 110.0), (2700.0, 2600.0, 160.0))
"""Hertz with the mouth shut and wide open, and bandwidth."""


def babble(opening: NDArray[np.float64], fps: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Mono samples in [-1, 1] at ``RATE`` for the mouth ``opening`` (0..1) of each frame: pulses through formants."""
    count = len(opening) * RATE // fps
    time = np.arange(count) / RATE
    level = np.interp(time, (np.arange(len(opening)) + 0.5) / fps, opening)
    drift = gaussian_filter1d(rng.standard_normal(count), RATE / 12)
    pitch = 185 + 14 * np.sin(2 * np.pi * 0.45 * time) + 12 * level + 6 * drift / max(drift.std(), 1e-9)
    phase = np.cumsum(pitch) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    voice = lfilter([1.0], [1.0, -0.97], pulses - pulses.mean()) + 0.003 * rng.standard_normal(count)
    voice = sum(_resonate(voice, closed, wide, width, level) for closed, wide, width in _FORMANTS)
    voice *= gaussian_filter1d(np.sqrt(np.clip(level, 0, 1)), RATE * 0.012)
    return (voice * (_PEAK / max(np.abs(voice).max(), 1e-9))).astype(np.float32)


def _resonate(
    signal: NDArray[np.float64], closed: float, wide: float, bandwidth: float, level: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Two-pole resonator whose centre follows the mouth, in blocks of ten milliseconds that keep its state."""
    result, state = np.empty_like(signal), np.zeros(2)
    radius = np.exp(-np.pi * bandwidth / RATE)
    step = RATE // 100
    for start in range(0, len(signal), step):
        centre = closed + (wide - closed) * level[start]
        poles = [1.0, -2 * radius * np.cos(2 * np.pi * centre / RATE), radius**2]
        block = slice(start, start + step)
        result[block], state = lfilter([1 - radius], poles, signal[block], zi=state)
    return result
