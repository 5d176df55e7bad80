"""Landmarks without jitter and without lag: shrinkage of small details in time.

Each frame's landmarks are split into the motion of the head (a 2-D similarity carried by the points that move with
the skull) and the shape that remains. Both are split in time into a local parabola over seven frames and two layers
of detail (what a five-frame parabola adds, what the raw value adds). A detail is kept as far as its energy, pooled
over a small region of the face and three frames, stands out from the measured noise (an empirical Wiener filter;
Donoho & Johnstone, 1995). Jitter is below the noise and goes; a blink or a closing lip is far above and stays.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceloom.geometry import topology
from faceloom.perceive.temporal_filter import (
    Floats,
    apply_weights,
    as_flags,
    box_weights,
    local_quadratic,
    run_ids,
)
from faceloom.types import Face

SUPPORT = 4
"""Frames on each side that a smoothed frame depends on: three of the wide parabola, one of pooling."""

_WIDE, _NARROW, _POOL = 3, 2, 1
_THRESHOLD = 3.0
"""Energy, in units of the noise's, at which half of a detail is kept."""
_STEEPNESS = 3
_NOISE_RANGE = (2e-4, 2.5e-3)
"""Bounds of the measured noise, in head sizes: codec noise of a still, and the worst landmarks worth smoothing."""

_RIGHT_SIDE = (33, 133, 127, 234)
_LEFT_SIDE = (263, 362, 356, 454)
_TOP = (10, 151, 9, 8, 67, 297, 109, 338)
_BOTTOM = (195, 5, 4)

Complex = NDArray[np.complex128]


def smooth_landmarks(
    landmarks: ArrayLike,
    valid: ArrayLike,
    times: Sequence[float] | None = None,
    cuts: ArrayLike | None = None,
    *,
    noise: float | None = None,
) -> NDArray[np.float32]:
    """Remove the jitter of one face's landmarks in time; zero phase, support ``SUPPORT`` frames on each side.

    landmarks  (T, 478, 3), frame pixels, one face. Frames where ``valid`` (T,) is False are returned as they are.
    times      presentation times in seconds, strictly increasing; None means evenly spaced.
    cuts       (T,) True where a shot begins. Nothing is mixed across cuts, invalid frames or long pauses.
    noise      standard deviation of the jitter in head sizes (about 1.3 inter-ocular distances); None measures it
               around each frame.

    Returns (T, 478, 3) float32. A window of the clip with ``SUPPORT`` frames of context gives the same bits as the
    whole clip. Raises ValueError on bad shapes or times that do not increase.
    """
    raw = np.asarray(landmarks)
    if raw.ndim != 3 or raw.shape[1:] != (478, 3):
        raise ValueError(f"landmarks must be (T, 478, 3), got {raw.shape}")
    good = as_flags(valid, len(raw), "valid")
    output = raw.astype(np.float32)
    if not good.any():
        return output
    runs = run_ids(good, None if cuts is None else as_flags(cuts, len(raw), "cuts"), times)
    # Frames without a face are never used, but their numbers must be finite.
    clean = np.where(good[:, None, None], raw, raw[good.argmax()]).astype(np.float64)
    centre, axis = _head_motion(clean)
    shape = _to_head(clean, centre, axis)
    bank = _Bank(runs, times)
    level = bank.noise(shape) if noise is None else np.full((len(raw), 3), float(noise))
    shape = bank.denoise(shape, _GROUP_SIZES, level)
    centre, axis = _denoise_motion(bank, centre, axis, level)
    smoothed = _from_head(shape, centre, axis)
    output[good] = smoothed[good]
    return output


def smooth_faces(
    faces: Sequence[Face | None],
    times: Sequence[float] | None = None,
    cuts: ArrayLike | None = None,
) -> list[Face | None]:
    """The faces of one track, frame by frame, with smoothed landmarks; None (no face) stays None.

    Blendshapes, pose and the rest are kept as measured. A change of track id counts as a cut. See
    ``smooth_landmarks`` for ``times``, ``cuts`` and the window rule.
    """
    present = [face for face in faces if face is not None]
    if not present:
        return list(faces)
    valid = np.array([face is not None for face in faces])
    landmarks = np.stack([(face or present[0]).landmarks for face in faces])
    begins = np.zeros(len(faces), bool) if cuts is None else as_flags(cuts, len(faces), "cuts")
    for index, (before, face) in enumerate(itertools.pairwise(faces), start=1):
        begins[index] |= before is not None and face is not None and before.track != face.track
    smoothed = smooth_landmarks(landmarks, valid, times, begins)
    return [
        None if face is None else replace(face, landmarks=points) for face, points in zip(faces, smoothed, strict=True)
    ]


class _Bank:
    """The two parabolas and the pooling window, for one set of runs."""

    def __init__(self, runs: NDArray[np.int64], times: Sequence[float] | None) -> None:
        wide, narrow = local_quadratic(runs, _WIDE, times), local_quadratic(runs, _NARROW, times)
        self._wide, self._narrow, self._pool = wide, narrow, box_weights(runs, _POOL)
        own = np.zeros_like(narrow)
        own[:, _NARROW] = 1.0
        widened = np.pad(narrow, ((0, 0), (_WIDE - _NARROW, _WIDE - _NARROW)))
        # What white noise of unit variance leaves in each layer of detail.
        self._fine_gain = _row_energy(own - narrow)
        self._coarse_gain = _row_energy(widened - wide)

    def noise(self, shape: Floats) -> Floats:
        """Standard deviation of the jitter of ``shape`` (T, 3, 478): ``(T, 3)``, one for each axis.

        The median over the landmarks ignores the parts that move; 0.6745 turns it into a deviation.
        """
        fine = np.abs(shape - apply_weights(self._narrow, shape))
        scale = 0.6745 * np.sqrt(np.maximum(self._fine_gain, 1e-6))
        return apply_weights(self._pool, np.median(fine, axis=-1) / scale[:, None]).clip(*_NOISE_RANGE)

    def denoise(self, values: Floats, sizes: Sequence[int], noise: Floats) -> Floats:
        """Shrink the details of ``values`` (T, A, N), whose N columns are groups of these ``sizes``.

        noise  (T, A): standard deviation of the jitter.
        """
        narrow, wide = apply_weights(self._narrow, values), apply_weights(self._wide, values)
        fine, coarse = values - narrow, narrow - wide
        fine *= self._kept(fine, sizes, self._fine_gain[:, None] * noise**2)
        coarse *= self._kept(coarse, sizes, self._coarse_gain[:, None] * noise**2)
        return wide + coarse + fine

    def _kept(self, detail: Floats, sizes: Sequence[int], expected: Floats) -> Floats:
        """The share of each detail to keep, ``(T, A, N)``; ``expected`` (T, A) is the energy of noise alone."""
        energy = detail * detail
        ends = np.cumsum(sizes)
        means = [energy[..., end - size : end].mean(axis=-1) for size, end in zip(sizes, ends, strict=True)]
        pooled = apply_weights(self._pool, np.stack(means, axis=-1)) ** _STEEPNESS
        limit = (_THRESHOLD * expected[..., None]) ** _STEEPNESS
        return np.repeat(pooled / np.maximum(pooled + limit, np.finfo(np.float64).tiny), sizes, axis=-1)


def _denoise_motion(bank: _Bank, centre: Complex, axis: Complex, noise: Floats) -> tuple[Complex, Complex]:
    """Smooth the head's similarity, weighing details by how far they move points, in pixels."""
    # A change of the axis moves the skull's points by about half a head size times the change.
    motion = np.stack([centre.real, centre.imag, 0.5 * axis.real, 0.5 * axis.imag], axis=-1)[:, None, :]
    level = np.abs(axis)[:, None] * noise[:, :2].mean(axis=1, keepdims=True)
    smooth = bank.denoise(motion, (2, 2), level)[:, 0]
    return _complex(smooth[:, 0], smooth[:, 1]), _complex(2.0 * smooth[:, 2], 2.0 * smooth[:, 3])


def _head_motion(landmarks: Floats) -> tuple[Complex, Complex]:
    """Centre and axis of the head, ``(T,)`` complex (x + iy), pixels; the axis points to the subject's left.

    The axis adds the vector across the face and the vector down it (turned a quarter), so that neither a turn nor
    a nod alone changes its length much.
    """
    points = _complex(landmarks[..., 0], landmarks[..., 1])
    across = _mean(points, _LEFT_SIDE) - _mean(points, _RIGHT_SIDE)
    down = _mean(points, _BOTTOM) - _mean(points, _TOP)
    axis: Complex = 0.5 * across - 0.5j * down
    axis[np.abs(axis) < 1e-6] = 1.0  # a face of no size has no direction
    return _mean(points, topology.RIGID_POINTS), axis


def _to_head(landmarks: Floats, centre: Complex, axis: Complex) -> Floats:
    """``(T, 478, 3)`` pixels to ``(T, 3, 478)`` head sizes, columns in the order of the groups."""
    points = _complex(landmarks[:, _ORDER, 0], landmarks[:, _ORDER, 1])
    local = (points - centre[:, None]) / axis[:, None]
    depth = landmarks[:, _ORDER, 2] / np.abs(axis)[:, None]
    return np.stack([local.real, local.imag, depth], axis=1)


def _from_head(shape: Floats, centre: Complex, axis: Complex) -> Floats:
    points = _complex(shape[:, 0], shape[:, 1]) * axis[:, None] + centre[:, None]
    landmarks = np.empty((len(shape), 478, 3))
    landmarks[:, _ORDER, 0] = points.real
    landmarks[:, _ORDER, 1] = points.imag
    landmarks[:, _ORDER, 2] = shape[:, 2] * np.abs(axis)[:, None]
    return landmarks


def _complex(real: Floats, imaginary: Floats) -> Complex:
    numbers = np.empty(real.shape, np.complex128)
    numbers.real, numbers.imag = real, imaginary
    return numbers


def _mean(points: Complex, indices: Sequence[int]) -> Complex:
    total = np.zeros(len(points), np.complex128)
    for index in indices:
        total += points[:, index]
    return total / len(indices)


def _row_energy(weights: Floats) -> Floats:
    total = np.zeros(len(weights))
    for column in range(weights.shape[1]):
        total += weights[:, column] ** 2
    return total


def _groups() -> tuple[tuple[int, ...], ...]:
    """Regions of the face whose points move together; every landmark is in exactly one."""
    t = topology
    wanted = (
        t.RIGHT_IRIS,
        t.LEFT_IRIS,
        t.RIGHT_UPPER_LID + t.RIGHT_UPPER_LID_SKIN,
        t.RIGHT_LOWER_LID + t.RIGHT_LOWER_LID_SKIN,
        t.LEFT_UPPER_LID + t.LEFT_UPPER_LID_SKIN,
        t.LEFT_LOWER_LID + t.LEFT_LOWER_LID_SKIN,
        t.UPPER_LIP_OUTER + t.UPPER_LIP_MIDDLE + t.UPPER_LIP_INNER,
        t.LOWER_LIP_OUTER + t.LOWER_LIP_MIDDLE + t.LOWER_LIP_INNER,
        t.RIGHT_EYEBROW_UPPER + t.RIGHT_EYEBROW_LOWER + t.RIGHT_UNDER_BROW,
        t.LEFT_EYEBROW_UPPER + t.LEFT_EYEBROW_LOWER + t.LEFT_UNDER_BROW,
        t.UPPER_LIP_SKIN,
        t.LOWER_LIP_SKIN,
        t.NOSE_POINTS + t.NOSE_RING,
        tuple(range(478)),
    )
    taken: set[int] = set()
    groups = []
    for indices in wanted:
        group = tuple(index for index in dict.fromkeys(indices) if index not in taken)
        taken.update(group)
        groups.append(group)
    return tuple(groups)


_GROUPS = _groups()
_GROUP_SIZES = tuple(len(group) for group in _GROUPS)
_ORDER = np.array([index for group in _GROUPS for index in group])
