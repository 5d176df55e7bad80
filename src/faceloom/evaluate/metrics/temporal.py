"""Does it tremble or flicker: measures of a signal over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceloom.evaluate.metrics.errors import MetricError
from faceloom.evaluate.warping import Flow, Mask, warping_residual
from faceloom.geometry.partcover import face_scale
from faceloom.types import Image, Points

LEAST_FRAMES = 8
"""Frames below which a spectrum says nothing."""
CUTOFF = 0.25
"""Cycles per frame: changes within two frames and faster are flicker."""
_FLOOR = (0.5 / 255) ** 2
"""Variance of half a grey level: less than what rounding to 8 bits makes of a still picture."""


def landmark_jitter(before: Points, now: Points, after: Points) -> float:
    """Mean second difference of the landmarks, share of the inter-ocular distance; lower is better.

    ``mean_i |p_i(t-1) - 2 p_i(t) + p_i(t+1)| / d(t)`` over the landmarks, x and y in pixels, d as in
    ``partcover.face_scale``. 0 for points that move evenly. It holds real acceleration, too, so look at it beside the
    target's own.

    before, now, after  (478, 3) landmarks of three frames in a row.
    """
    a, b, c = (np.asarray(points, np.float64)[:, :2] for points in (before, now, after))
    return float(np.linalg.norm(a - 2 * b + c, axis=1).mean()) / face_scale(now)


def temporal_energy(signal: NDArray[np.floating], cutoff: float = CUTOFF) -> tuple[float, float]:
    """Energy of a signal's changes over time: of those faster than ``cutoff``, and of all.

    ``sum_{f > cutoff} |S(f)|^2`` and ``sum_{f > 0} |S(f)|^2`` over the columns, S the spectrum under a Hann window with
    the mean taken out.

    Args:
        signal: (T, ...) values in [0, 1], such as the luminance of cells of a picture, over T frames.
        cutoff: in cycles per frame; 0.25 is a quarter of the frame rate.

    Raises:
        MetricError: fewer than 8 frames.
    """
    if len(signal) < LEAST_FRAMES:
        raise MetricError(f"a spectrum needs {LEAST_FRAMES} frames or more, got {len(signal)}")
    values = np.asarray(signal, np.float64).reshape(len(signal), -1)
    window = np.hanning(len(values) + 2)[1:-1, None]
    steady = (window * values).sum(axis=0) / window.sum()
    energy = np.abs(np.fft.rfft(window * (values - steady), axis=0)) ** 2
    return float(energy[np.fft.rfftfreq(len(values)) > cutoff].sum()), float(energy[1:].sum())


def flicker(target: NDArray[np.floating], result: NDArray[np.floating]) -> float:
    """Fast changes that came with the edit, as a share of all changes, in [-1, 1]; lower is better, 0 if none came.

    ``(fast(result) - fast(target)) / (max(all(result), all(target)) + floor)``, energies as in ``temporal_energy``;
    negative when the result is steadier than its target. The floor, the energy of half a grey level, keeps a still clip
    at 0.

    target, result  (T, ...) luminance in [0, 1] of the same cells of the edited part.

    Raises:
        MetricError: fewer than 8 frames, or signals of different shape.
    """
    if target.shape != result.shape:
        raise MetricError(f"flicker compares signals of one shape, got {target.shape} and {result.shape}")
    fast_target, all_target = temporal_energy(target)
    fast_result, all_result = temporal_energy(result)
    window = np.hanning(len(target) + 2)[1:-1]
    floor = _FLOOR * float((window**2).sum()) * len(target) / 2 * (target.size / len(target))
    return (fast_result - fast_target) / (max(all_result, all_target) + floor)


def temporal_error(previous: Image, current: Image, flow: Flow, visible: Mask) -> float:
    """E_tmp of UniFaceGAN for two frames under a given 3-D flow: root mean square, grey levels; lower is better.

    ``|Y(t-1) - warp(Y(t), F)|_2`` over the pixels of the face that are visible in both frames: ``warp`` brings frame t
    to where the face was at t-1. The paper leaves the norm's scale open; here it is the root of the mean over pixels
    and channels, 0 to 255. NaN when no pixel is visible in both.

    Args:
        previous: (H, W, 3) uint8, Y(t-1).
        current: (H, W, 3) uint8, Y(t).
        flow: (H, W, 2), for a pixel of ``previous`` the displacement to the same point of the face in ``current``;
            from two fitted face models by barycentric interpolation (equations 9 to 16).
        visible: (H, W) bool, S(t) S(t-1): on the face and hidden in neither frame.

    Source: Cao et al., UniFaceGAN: A Unified Framework for Temporally Consistent Facial Video Editing, equation 17.
    """
    residual = warping_residual(previous, current, flow)[visible]
    if not residual.size:
        return float("nan")
    return 255 * float(np.sqrt(np.mean(residual * residual, dtype=np.float64)))


def longest_run(known: Sequence[bool]) -> slice:
    """The longest stretch of True, the first one of equals; empty when there is none."""
    best, start = slice(0, 0), 0
    for index, value in enumerate([*known, False]):
        if not value:
            if index - start > best.stop - best.start:
                best = slice(start, index)
            start = index + 1
    return best
