"""How far two sets of features lie apart: the arithmetic of FID, FVD and KID."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from faceloom.evaluate.metrics.errors import MetricError

MINIMUM = 2
"""Samples a side below which neither a covariance nor an unbiased estimate exists."""

Features = NDArray[np.floating]
"""``(n, d)``, one row per picture or clip."""


def frechet_distance(one: Features, other: Features) -> float:
    """Frechet distance of two Gaussians fitted to the features; lower is better, 0 for equal sets.

    ``|m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))`` with means m and covariances S (divided by n - 1).

    The trace of the root is the sum of the singular values of ``X_1 X_2^T / sqrt((n_1 - 1)(n_2 - 1))`` for centred
    features X, so no matrix root is taken: the result is exact for covariances without full rank, too. Few samples
    bias the distance upwards, see ``frechet_warning``.

    Used as FID on the 2048 features of ``nets.inception`` (Heusel et al., GANs Trained by a Two Time-Scale Update
    Rule, NeurIPS 2017) and as FVD on the 400 logits of ``nets.i3d`` (Unterthiner et al., Towards Accurate Generative
    Models of Video, 2018).

    Raises:
        MetricError: fewer than two samples a side, features of different length or not finite.
    """
    first, second = _checked(one, other)
    shift = first.mean(axis=0) - second.mean(axis=0)
    root_one, root_two = _root(first), _root(second)
    spread = float((root_one**2).sum() + (root_two**2).sum())
    overlap = float(np.linalg.svd(root_one @ root_two.T, compute_uv=False).sum())
    return max(0.0, float(shift @ shift) + spread - 2 * overlap)


def kernel_distance(one: Features, other: Features, block: int = 2048) -> float:
    """Squared maximum mean discrepancy, unbiased; lower is better, about 0 (also below) for sets of one distribution.

    ``mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)`` with the polynomial kernel
    ``k(a, b) = (a . b / d + 1)^3``. It is taken over all samples, not over random subsets, so there is no random
    number in it.

    Used as KID on the features of ``nets.inception``: Binkowski et al., Demystifying MMD GANs, ICLR 2018.

    block  rows of the kernel matrix held at a time.

    Raises:
        MetricError: as ``frechet_distance``.
    """
    first, second = _checked(one, other)
    n, m = len(first), len(second)
    own_one = (_kernel_sum(first, first, block) - _diagonal(first)) / (n * (n - 1))
    own_two = (_kernel_sum(second, second, block) - _diagonal(second)) / (m * (m - 1))
    return own_one + own_two - 2 * _kernel_sum(first, second, block) / (n * m)


def frechet_warning(samples: int, dimensions: int) -> str | None:
    """What to keep in mind when reading a Frechet distance of so few samples, None when there are enough.

    With no more samples than dimensions the covariance has not full rank and the distance is far too large; the usual
    advice is 10,000 and more. Distances of equally large sets can still be compared.
    """
    if samples > dimensions:
        return None
    return (
        f"{samples} samples a side for {dimensions} features: biased upwards (more than {dimensions} are the least for "
        "a covariance of full rank); compare only with sets of the same size"
    )


def _checked(one: Features, other: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise MetricError(
            f"two sets of features (n, d) of one length d are needed, got {first.shape} and {second.shape}"
        )
    if min(len(first), len(second)) < MINIMUM:
        raise MetricError(
            f"the sets have {len(first)} and {len(second)} samples; at least {MINIMUM} a side are needed, and many "
            "more for a distance that means something"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise MetricError("the features are not finite")
    return first, second


def _root(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """R with ``R^T R`` the covariance; no more rows than columns."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    if len(centred) <= centred.shape[1]:
        return centred
    triangle: NDArray[np.float64] = scipy.linalg.qr(centred, mode="r")[0][: centred.shape[1]]
    return triangle


def _kernel_sum(one: NDArray[np.float64], other: NDArray[np.float64], block: int) -> float:
    rows = (one[start : start + block] for start in range(0, len(one), block))
    return sum(float(((part @ other.T / one.shape[1] + 1) ** 3).sum()) for part in rows)


def _diagonal(features: NDArray[np.float64]) -> float:
    return float((((features**2).sum(axis=1) / features.shape[1] + 1) ** 3).sum())
