"""Zero-phase filters in time with finite support, on streams with gaps and cuts.

Every function computes frame ``t`` from frames ``t - radius`` to ``t + radius`` alone, with the same arithmetic
wherever a window of the clip begins: a window with enough context gives the same bits as the whole clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Weights = NDArray[np.float64]
"""``(T, 2 * radius + 1)``: what each neighbour of frame t counts, from ``t - radius`` to ``t + radius``."""

LONGEST_STEP = 0.25
"""Seconds between two frames above which they are not neighbours in time."""


def run_ids(
    valid: NDArray[np.bool_], cuts: NDArray[np.bool_] | None, times: Sequence[float] | None
) -> NDArray[np.int64]:
    """Number the runs that may be mixed, ``(T,)``; invalid frames are runs of their own.

    A run ends before a frame where ``cuts`` is True, before and after an invalid one, and where ``times`` (seconds,
    strictly increasing, else ValueError) leave more than ``LONGEST_STEP``.
    """
    begins = ~valid
    begins[1:] |= ~valid[:-1]
    if cuts is not None:
        begins |= cuts
    if times is not None:
        steps = np.diff(_seconds(times, len(valid)))
        if (steps <= 0).any():
            frame = int(np.argmax(steps <= 0)) + 1
            raise ValueError(f"times must increase from frame to frame; they do not at frame {frame}")
        begins[1:] |= steps > LONGEST_STEP
    return np.cumsum(begins)


def neighbours(runs: NDArray[np.int64], radius: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each frame its neighbours' indices (clipped to the array) and which of them are in the same run."""
    index = np.arange(len(runs))[:, None] + np.arange(-radius, radius + 1)
    inside = (index >= 0) & (index < len(runs))
    index = index.clip(0, max(0, len(runs) - 1))
    return index, inside & (runs[index] == runs[:, None])


def local_quadratic(runs: NDArray[np.int64], radius: int, times: Sequence[float] | None = None) -> Weights:
    """Weights that evaluate, at each frame, the parabola fitted by least squares to the frames around it.

    Parabolas pass unchanged, so constant speed and constant acceleration have no lag (Savitzky & Golay, 1964);
    at the ends of a run, and with uneven ``times``, the fit uses what there is. Frames with fewer than four
    neighbours in the fit, themselves included, keep their own value.
    """
    index, usable = neighbours(runs, radius)
    if times is None:
        offset = np.broadcast_to(np.arange(-radius, radius + 1, dtype=float), usable.shape)
    else:
        seconds = _seconds(times, len(runs))
        offset = (seconds[index] - seconds[:, None]) * 25.0
    powers = np.where(usable, offset ** np.arange(5)[:, None, None], 0.0)  # (5, T, 2r+1)
    moments = [_row_sums(power) for power in powers]
    normal = np.stack([np.stack([moments[i + j] for j in range(3)], axis=-1) for i in range(3)], axis=-2)
    few = usable.sum(axis=1) < 4
    normal[few] = np.eye(3)
    solution = np.linalg.solve(normal, np.broadcast_to(np.eye(3)[:, :1], (len(runs), 3, 1)))[..., 0]
    weights = solution[:, :1] * powers[0] + solution[:, 1:2] * powers[1] + solution[:, 2:] * powers[2]
    weights[few] = np.arange(-radius, radius + 1) == 0
    return weights


def apply_weights(weights: Weights, values: Floats) -> Floats:
    """Weighted sums over neighbouring frames: ``values`` (T, ...) to the same shape."""
    radius = weights.shape[1] // 2
    index = np.arange(len(values))[:, None] + np.arange(-radius, radius + 1)
    index = index.clip(0, max(0, len(values) - 1))
    total = np.zeros_like(values)
    tail = (1,) * (values.ndim - 1)
    for column in range(weights.shape[1]):
        total += weights[:, column].reshape(-1, *tail) * values[index[:, column]]
    return total


def box_weights(runs: NDArray[np.int64], radius: int) -> Weights:
    """The plain mean over the neighbours in the same run."""
    usable = neighbours(runs, radius)[1].astype(np.float64)
    return usable / _row_sums(usable)[:, None]


def smooth_parameters(
    values: ArrayLike,
    valid: ArrayLike,
    radius: int = 4,
    sigma: float = 2.0,
    cuts: ArrayLike | None = None,
) -> Floats:
    """Gaussian mean in time of slow parameters, such as colour gains; zero phase, support ``radius`` frames.

    values  (T, K), any unit. Rows where ``valid`` (T,) is False are not read, and returned as they are.
    sigma   standard deviation of the Gaussian, frames.
    cuts    (T,) True where a shot begins: nothing is mixed across. Across gaps of invalid frames it is.

    The weights are renormalised over the valid frames of the shot, so constants are kept everywhere. A window of
    the clip with ``radius`` frames of context gives the same bits as the clip. Raises ValueError on bad shapes,
    ``radius`` < 0 or ``sigma`` <= 0.
    """
    table = np.asarray(values, dtype=np.float64)
    good = np.asarray(valid, dtype=bool)
    if table.ndim != 2 or good.shape != table.shape[:1]:
        raise ValueError(f"values must be (T, K) and valid (T,), got {table.shape} and {good.shape}")
    if radius < 0 or sigma <= 0:
        raise ValueError(f"radius must be >= 0 and sigma > 0, got {radius} and {sigma}")
    begins = np.zeros(len(table), bool) if cuts is None else as_flags(cuts, len(table), "cuts")
    index, usable = neighbours(np.cumsum(begins), radius)
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = np.where(usable & good[index], bell, 0.0)
    weights[~good] = np.arange(-radius, radius + 1) == 0
    weights /= _row_sums(weights)[:, None]
    smoothed = apply_weights(weights, np.where(good[:, None], table, 0.0))
    return np.where(good[:, None], smoothed, table)


def as_flags(flags: ArrayLike, length: int, name: str) -> NDArray[np.bool_]:
    """A fresh ``(length,)`` array of bool, or ValueError naming the argument."""
    array = np.array(flags, dtype=bool)
    if array.shape != (length,):
        raise ValueError(f"{name} must be ({length},), got {array.shape}")
    return array


def _seconds(times: Sequence[float], length: int) -> Floats:
    seconds = np.array([float(time) for time in times])
    if seconds.shape != (length,):
        raise ValueError(f"times must have {length} entries, got {len(seconds)}")
    return seconds


def _row_sums(table: Floats) -> Floats:
    """Sums along axis 1, always added in the same order (numpy's own order depends on the layout)."""
    total = np.zeros(len(table))
    for column in range(table.shape[1]):
        total += table[:, column]
    return total
