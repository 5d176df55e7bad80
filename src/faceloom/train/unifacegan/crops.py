"""Where a clip is cut around its face: squares that follow the head without trembling."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.perceive.morphable import CropSquare
from faceloom.perceive.morphable.camera import Camera
from faceloom.perceive.temporal_filter import apply_weights, local_quadratic, run_ids
from faceloom.types import Image, Points

_SMOOTHED = 7
"""Frames on each side whose places a square follows."""


def face_square(landmarks: Points) -> tuple[float, float, float]:
    """Centre x, centre y and mean side of the box around ``landmarks`` (N, 2 or 3), frame pixels."""
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    x, y = (low + high) / 2
    return float(x), float(y), float((high - low).mean())


def follow(
    boxes: NDArray[np.float64], times: Sequence[Fraction], cuts: NDArray[np.bool_], margin: float
) -> tuple[list[CropSquare | None], NDArray[np.bool_]]:
    """A square for each frame, None where there is no face, and whether a frame directly follows the one before it.

    Args:
        boxes: (T, 3) from ``face_square``, NaN where there is no face.
        times: presentation seconds.
        cuts: (T,) True where a shot begins.
        margin: side of the square in sides of the face.

    Within a run of frames with a face the side stays the same, and the centre moves smoothly.
    """
    present: NDArray[np.bool_] = np.asarray(np.isfinite(boxes).all(axis=1))
    seconds = [float(time) for time in times]
    runs = run_ids(present, cuts, seconds)
    clean = np.where(present[:, None], boxes, 0.0)
    centres = apply_weights(local_quadratic(runs, _SMOOTHED, seconds), clean[:, :2])
    squares: list[CropSquare | None] = [None] * len(boxes)
    for run in np.unique(runs[present]):
        frames = np.flatnonzero((runs == run) & present)
        side = max(1, round(margin * float(np.median(boxes[frames, 2]))))
        for frame in frames:
            left, top = np.rint(centres[frame] - (side - 1) / 2).astype(int)
            squares[frame] = CropSquare(int(left), int(top), side)
    follows = np.zeros(len(boxes), bool)
    follows[1:] = present[1:] & present[:-1] & (runs[1:] == runs[:-1])
    return squares, follows


def cut(image: Image, square: CropSquare, size: int) -> Image:
    """``square`` out of ``image`` ((H, W, 3) uint8), which is mirrored beyond its edges, at ``size`` pixels."""
    rows = _mirrored(np.arange(square.top, square.top + square.side), image.shape[0])
    columns = _mirrored(np.arange(square.left, square.left + square.side), image.shape[1])
    whole = image[np.ix_(rows, columns)]
    how = cv2.INTER_AREA if square.side > size else cv2.INTER_CUBIC
    resized: Image = cv2.resize(whole, (size, size), interpolation=how)
    return resized


def camera_in(camera: Camera, square: CropSquare, size: int) -> Camera:
    """``camera`` of the frame as one of the square at ``size`` pixels."""
    scale = size / square.side
    moved = camera * scale
    # A point at p of the frame lies at (p - corner + 1/2) scale - 1/2.
    moved[:2, 3] += (0.5 - np.array([square.left, square.top])) * scale - 0.5
    return moved


def _mirrored(index: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    if count == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * count - 2)
    return np.minimum(folded, 2 * count - 2 - folded)
