"""The parameters of a clip without their jitter.

The regressor sees each frame by itself, in a crop of whole pixels: what it says of a face at rest trembles.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceloom.perceive.morphable.template import MotionTemplate
from faceloom.perceive.temporal_filter import Weights, apply_weights, as_flags, local_quadratic, run_ids

MOTION_SUPPORT = 3
"""Frames on each side that a smoothed frame depends on, identity apart."""


def smooth_motion(
    motion: MotionTemplate, cuts: ArrayLike | None = None, *, identity: NDArray[np.float32] | None = None
) -> MotionTemplate:
    """``motion`` with its jitter removed: one identity for the whole clip, cameras and expressions smooth in time.

    cuts      (T,) True where a shot begins. Nothing is mixed across cuts, lost faces and long pauses.
    identity  (40,) the shape to give to every frame; None takes the median of the clip. Pass it where the clip comes
              in windows, so that all of them agree; cameras and expressions then have the same bits as the whole
              clip's, given ``MOTION_SUPPORT`` frames of context.

    Each number is replaced by the local parabola through its neighbours (seven frames for the camera, five for the
    expression, which has blinks and lips): constant speed and acceleration pass unchanged, without lag. Cameras are
    smoothed as matrices, so every point of a rigid head is smoothed alike. Raises ``ValueError`` as ``run_ids`` does;
    frames without a face are returned as they are.
    """
    if not motion.present.any():
        return motion
    begins = None if cuts is None else as_flags(cuts, len(motion), "cuts")
    times = [float(time) for time in motion.times]
    runs = run_ids(motion.present, begins, times)
    return replace(
        motion,
        cameras=_smooth(motion.cameras, motion.present, local_quadratic(runs, MOTION_SUPPORT, times)),
        shapes=np.tile(motion.identity() if identity is None else identity, (len(motion), 1)),
        expressions=_smooth(motion.expressions, motion.present, local_quadratic(runs, 2, times)).astype(np.float32),
    )


def _smooth(values: NDArray[np.floating], present: NDArray[np.bool_], weights: Weights) -> NDArray[np.float64]:
    table = values.astype(np.float64)
    tail = (1,) * (table.ndim - 1)
    clean = np.where(present.reshape(-1, *tail), table, 0.0)
    return np.where(present.reshape(-1, *tail), apply_weights(weights, clean), table)
