"""What the person does, frame by frame: head, mouth, lids, gaze and brows as curves of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from example_clip.head_turn import Pose
from example_clip.mouth import MouthShape

FPS = 25
FRAMES = 130
BLINKS = (17, 52, 85, 115)
"""Frames in which the lids meet."""
_BLINK_SHAPE = (0.30, 0.80, 1.0, 1.0, 0.72, 0.40, 0.15)
_SHUT_AT = 2

# Seconds and degrees.
_YAW = (
    (0, 0),
    (0.5, 2),
    (1.2, -10),
    (1.75, -18.5),
    (2.1, -17),
    (2.7, -4),
    (3.2, 8),
    (3.65, 15),
    (4.0, 14),
    (4.7, 3),
    (5.2, 0),
)
_PITCH = ((0, 0), (0.6, 2), (1.2, -1.5), (1.9, 1), (2.45, -2), (2.75, 5), (3.05, 0), (3.6, -1), (4.2, 3), (5.2, 0))
_ROLL = ((0, 0), (0.9, 1), (1.8, -3), (2.7, 0), (3.7, 3.5), (4.5, 1), (5.2, 0))
_BROW = (
    (0, 0),
    (0.55, 0),
    (0.7, 0.3),
    (0.95, 1),
    (1.4, 0.2),
    (2.4, 0),
    (2.75, 0.9),
    (3.1, 0),
    (3.7, 0.6),
    (4.2, 0),
    (5.2, 0),
)
# Seconds, jaw, relative width, upper lip.
_SPEECH = (
    (0.00, 0.00, 0.00, 0.0), (0.28, 0.00, 0.00, 0.0), (0.42, 0.45, 0.02, 0.3), (0.54, 0.18, 0.04, 0.2),
    (0.66, 0.65, -0.04, 0.4), (0.78, 0.00, -0.02, 0.0), (0.82, 0.00, 0.00, 0.0), (0.96, 0.80, 0.03, 0.5),
    (1.08, 0.35, 0.05, 0.4), (1.20, 0.08, 0.03, 0.1), (1.32, 0.50, -0.14, 0.2), (1.42, 0.28, -0.16, 0.1),
    (1.52, 0.00, -0.04, 0.0), (1.58, 0.00, 0.00, 0.0), (1.70, 0.85, 0.02, 0.4), (1.84, 0.35, 0.05, 0.3),
    (1.98, 0.00, 0.00, 0.0), (2.30, 0.00, 0.00, 0.0), (2.44, 0.42, 0.04, 0.3), (2.56, 0.16, 0.02, 0.2),
    (2.72, 1.00, 0.00, 0.6), (2.86, 0.35, 0.04, 0.4), (2.98, 0.00, 0.00, 0.0), (3.04, 0.00, -0.02, 0.0),
    (3.16, 0.55, -0.13, 0.2), (3.28, 0.22, -0.12, 0.1), (3.40, 0.65, 0.02, 0.4), (3.54, 0.00, 0.00, 0.0),
    (3.58, 0.00, 0.00, 0.0), (3.72, 0.78, 0.03, 0.4), (3.86, 0.30, 0.04, 0.3), (3.96, 0.48, 0.00, 0.3),
    (4.10, 0.00, 0.00, 0.0), (4.38, 0.00, 0.00, 0.0), (4.52, 0.55, -0.06, 0.3), (4.64, 0.22, -0.08, 0.2),
    (4.78, 0.70, 0.02, 0.4), (4.94, 0.10, 0.02, 0.1), (5.02, 0.00, 0.00, 0.0), (5.20, 0.00, 0.00, 0.0),
)  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """One frame of the performance.

    closure  0 eyes open, 1 shut.
    gaze     how far the eyes turn against the head, degrees to the subject's left and down.
    brow     0 at rest, 1 raised.
    """

    pose: Pose
    mouth: MouthShape
    closure: float
    gaze: tuple[float, float]
    brow: float


def performance(rng: np.random.Generator) -> list[Moment]:
    """The whole clip, ``FRAMES`` moments at ``FPS``; ``rng`` adds the unrest of a living head."""
    time = np.arange(FRAMES) / FPS
    yaw, pitch, roll, brow = (_curve(keys, time, 2.0) for keys in (_YAW, _PITCH, _ROLL, _BROW))
    unrest = gaussian_filter1d(rng.standard_normal((3, FRAMES)), 5, axis=1, mode="nearest") * 3.0
    yaw, pitch, roll = yaw + 0.5 * unrest[0], pitch + 0.4 * unrest[1], roll + 0.3 * unrest[2]
    speech = np.array(_SPEECH)
    jaw, spread, lift = (np.clip(PchipInterpolator(speech[:, 0], speech[:, k])(time), -1, 1) for k in (1, 2, 3))
    closure = _blinks()
    glance = np.repeat(rng.normal(0, 0.8, (2, FRAMES // 10 + 1)), 10, axis=1)[:, :FRAMES]
    return [
        Moment(
            Pose(float(yaw[i]), float(pitch[i] + 1.2 * jaw[i]), float(roll[i])),
            MouthShape(float(jaw[i]), float(spread[i]), float(lift[i])),
            float(closure[i]),
            (float(-0.75 * yaw[i] + glance[0, i]), float(-0.5 * pitch[i] + 0.5 * glance[1, i])),
            float(brow[i]),
        )
        for i in range(FRAMES)
    ]


def _blinks() -> NDArray[np.float64]:
    closure = np.zeros(FRAMES)
    for shut in BLINKS:
        closure[shut - _SHUT_AT : shut - _SHUT_AT + len(_BLINK_SHAPE)] = _BLINK_SHAPE
    return closure


def _curve(keys: tuple[tuple[float, float], ...], time: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    table = np.array(keys, dtype=np.float64)
    return gaussian_filter1d(PchipInterpolator(table[:, 0], table[:, 1])(time), sigma, mode="nearest")
