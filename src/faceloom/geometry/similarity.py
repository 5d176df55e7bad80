"""Similarity transforms: fit, apply, invert, and the aligned face crop of FFHQ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import GeometryError
from faceloom.geometry.topology import LEFT_EYE_RING, MOUTH_CORNERS, RIGHT_EYE_RING
from faceloom.types import Crop, Matrix, Points


def fit_similarity(source: Points, target: Points, weights: NDArray[np.float64] | None = None) -> Matrix:
    """Least-squares similarity (rotation, uniform scale, shift; no reflection) from ``source`` to ``target``.

    Args:
        source: (N, 2+) points, N >= 2; only x and y are used.
        target: (N, 2+) points.
        weights: (N,) non-negative, or None for equal weights.

    Returns:
        (2, 3) float64 matrix from the frame of ``source`` to that of ``target``.

    Raises:
        GeometryError: fewer than two distinct points, or values that are not finite.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991.
    """
    p, q = np.asarray(source, np.float64)[:, :2], np.asarray(target, np.float64)[:, :2]
    if p.shape != q.shape or len(p) < 2:
        raise GeometryError(f"a similarity needs two equal lists of at least 2 points, got {len(p)} and {len(q)}")
    w = np.ones(len(p)) if weights is None else np.asarray(weights, np.float64)
    if w.shape != (len(p),) or not w.sum() > 0 or w.min() < 0:
        raise GeometryError("a similarity needs one non-negative weight per point, and not all of them zero")
    w = w / w.sum()
    p_mean, q_mean = w @ p, w @ q
    pc, qc = p - p_mean, q - q_mean
    # As complex numbers the best rotation-and-scale is a single ratio.
    a, b = pc[:, 0] + 1j * pc[:, 1], qc[:, 0] + 1j * qc[:, 1]
    spread = float(w @ np.abs(a) ** 2)
    if not np.isfinite(spread) or not np.isfinite(b).all() or spread < 1e-12:
        raise GeometryError(
            "a similarity needs at least two distinct, finite points; these coincide or are not numbers"
        )
    ratio = complex(w @ (a.conj() * b)) / spread
    linear = np.array([[ratio.real, -ratio.imag], [ratio.imag, ratio.real]])
    return np.column_stack([linear, q_mean - linear @ p_mean])


def fit_affine(source: Points, target: Points) -> Matrix:
    """Least-squares affine map from ``source`` to ``target``, both (N, 2+) points, N >= 3; only x and y are used.

    Returns:
        (2, 3) float64 matrix from the frame of ``source`` to that of ``target``.

    Raises:
        GeometryError: fewer than three points, all on one line, or values that are not finite.
    """
    p, q = np.asarray(source, np.float64)[:, :2], np.asarray(target, np.float64)[:, :2]
    if p.shape != q.shape or len(p) < 3:
        raise GeometryError(f"an affine map needs two equal lists of at least 3 points, got {len(p)} and {len(q)}")
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise GeometryError("an affine map needs finite points; some of these are not numbers")
    middle = p.mean(axis=0)
    solution, _, rank, _ = np.linalg.lstsq(np.column_stack([p - middle, np.ones(len(p))]), q, rcond=1e-9)
    if rank < 3:
        raise GeometryError("an affine map needs points that do not all lie on one line")
    linear = solution[:2].T
    return np.column_stack([linear, solution[2] - linear @ middle])


def transform(matrix: Matrix, points: Points) -> NDArray[np.float64]:
    """Apply a (2, 3) affine matrix to (..., 2) points."""
    return np.asarray(points, np.float64)[..., :2] @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: Matrix) -> Matrix:
    """The (2, 3) inverse of an affine matrix. Raises GeometryError when it is singular."""
    linear = matrix[:, :2]
    determinant = linear[0, 0] * linear[1, 1] - linear[0, 1] * linear[1, 0]
    # Written so that a determinant that is not a number is refused too.
    if not abs(determinant) >= 1e-12:
        raise GeometryError(
            "this affine matrix cannot be inverted: it maps the plane onto a line or a point, or holds no numbers"
        )
    inverse = np.linalg.inv(linear)
    return np.column_stack([inverse, -inverse @ matrix[:, 2]])


def scale_of(matrix: Matrix) -> float:
    """How much a similarity enlarges lengths."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def face_crop(landmarks: Points, size: int, padding: float = 0.0) -> Crop:
    """The square crop that FFHQ would cut around this face.

    The centre lies a tenth of the way from the eyes' middle to the mouth's, the side is
    ``2 * max(2 * eye-to-eye, 1.8 * eye-to-mouth)`` along a mean of the two directions, enlarged by
    ``1 + 2 * padding``.

    Args:
        landmarks: (478, 2+) frame pixels.
        size: side of the crop in pixels.
        padding: margin on each side, as a fraction of the unpadded side.

    Returns:
        A crop whose matrix is a similarity from frame to crop.

    Source: Karras et al., "A Style-Based Generator Architecture for GANs", 2019, data preparation; with the
    centres of the eye rings and the mouth corners in place of dlib's.
    """
    points = np.asarray(landmarks, np.float64)[:, :2]
    left, right = points[list(LEFT_EYE_RING)].mean(axis=0), points[list(RIGHT_EYE_RING)].mean(axis=0)
    mouth = points[list(MOUTH_CORNERS)].mean(axis=0)
    eyes = (left + right) / 2
    across, down = left - right, mouth - eyes
    axis = across + np.array([down[1], -down[0]])
    length = float(np.hypot(*axis))
    if not np.isfinite(length) or length < 1e-9:
        raise GeometryError("these landmarks define no face crop: eyes and mouth coincide or are not numbers")
    half = max(2.0 * float(np.hypot(*across)), 1.8 * float(np.hypot(*down))) * (1 + 2 * padding)
    x_axis = axis / length * half
    y_axis = np.array([-x_axis[1], x_axis[0]])
    centre = eyes + 0.1 * down
    corners = np.array([centre - x_axis - y_axis, centre + x_axis - y_axis, centre - x_axis + y_axis])
    # Pixel centres are at integers, so the crop's outline runs from -0.5 to size - 0.5.
    outline = np.array([[-0.5, -0.5], [size - 0.5, -0.5], [-0.5, size - 0.5]])
    return Crop(fit_similarity(corners, outline), size, size)
