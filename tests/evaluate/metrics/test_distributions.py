from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg

from faceloom.evaluate.metrics.distributions import frechet_distance, frechet_warning, kernel_distance
from faceloom.evaluate.metrics.errors import MetricError


def features(count: int, length: int, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).standard_normal((length, length))
    return (rng.standard_normal((count, length)) @ mix + shift).astype(np.float32)


def frechet_by_matrix_root(one: np.ndarray, other: np.ndarray) -> float:
    a, b = one.astype(np.float64), other.astype(np.float64)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * np.real(root)))


def kernel_by_loops(one: np.ndarray, other: np.ndarray) -> float:
    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((np.dot(a.astype(np.float64), b.astype(np.float64)) / len(a) + 1) ** 3)

    own = [
        np.mean([kernel(x, y) for i, x in enumerate(group) for j, y in enumerate(group) if i != j])
        for group in (one, other)
    ]
    return float(own[0] + own[1] - 2 * np.mean([kernel(x, y) for x in one for y in other]))


@pytest.mark.parametrize(("first", "second", "length"), [(60, 80, 12), (300, 40, 16)])
def test_frechet_is_that_of_the_matrix_root(first: int, second: int, length: int) -> None:
    one, other = features(first, length), features(second, length, seed=1, shift=0.3)
    assert frechet_distance(one, other) == pytest.approx(frechet_by_matrix_root(one, other), rel=1e-6)


def test_frechet_without_full_rank_is_that_of_the_eigenvalues() -> None:
    one, other = features(9, 30), features(7, 30, seed=1)
    cov = [np.cov(group.astype(np.float64), rowvar=False) for group in (one, other)]
    # By its eigenvectors: the general root of a matrix without full rank differs by a per mille between processors.
    values, vectors = np.linalg.eigh(cov[0])
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    eigenvalues = np.linalg.eigvalsh(root @ cov[1] @ root)
    expected = float(((one.astype(float).mean(0) - other.astype(float).mean(0)) ** 2).sum())
    expected += float(np.trace(cov[0] + cov[1])) - 2 * float(np.sqrt(np.clip(eigenvalues, 0, None)).sum())
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-6)


def test_frechet_computed_by_hand() -> None:
    # One dimension: means 1 and 4, standard deviations sqrt(2) and sqrt(8): 9 + 2 + 8 - 2 * 4.
    assert frechet_distance(np.array([[0.0], [2.0]]), np.array([[2.0], [6.0]])) == pytest.approx(11)


def test_kernel_is_that_of_plain_loops_whatever_the_block() -> None:
    one, other = features(11, 6), features(8, 6, seed=1, shift=0.5)
    expected = kernel_by_loops(one, other)
    assert kernel_distance(one, other) == pytest.approx(expected, rel=1e-9)
    assert kernel_distance(one, other, block=3) == pytest.approx(expected, rel=1e-9)


def test_kernel_computed_by_hand() -> None:
    # k(0, 2) = 1; k(1, 1) = 8; k(0, 1) = 1 and k(2, 1) = 27: 1 + 8 - 2 * 14.
    assert kernel_distance(np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]])) == pytest.approx(-19)


def test_equal_sets_have_no_distance() -> None:
    one = features(40, 10)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert kernel_distance(one, one) <= 0  # unbiased: pairs of equal samples count between the sets only


def test_kernel_of_two_sets_of_one_distribution_is_about_zero() -> None:
    values = [kernel_distance(features(50, 4, seed=s) / 4, features(50, 4, seed=s + 100) / 4) for s in range(40)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_distances_grow_with_a_shift(distance) -> None:
    one = features(64, 8)
    values = [distance(one, features(64, 8, seed=1, shift=shift)) for shift in (0, 0.5, 1, 2, 4)]
    assert all(a < b for a, b in pairwise(values))


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_sets_that_are_too_small_or_do_not_fit_are_refused(distance) -> None:
    with pytest.raises(MetricError, match="1 and 5 samples; at least 2"):
        distance(features(1, 4), features(5, 4))
    with pytest.raises(MetricError, match="one length"):
        distance(features(5, 4), features(5, 3))
    broken = features(5, 4)
    broken[2, 1] = np.nan
    with pytest.raises(MetricError, match="not finite"):
        distance(broken, features(5, 4))


def test_few_samples_bias_upwards_and_the_warning_says_so() -> None:
    bias = [frechet_distance(features(count, 16), features(count, 16, seed=1)) for count in (10, 40, 160, 640)]
    assert all(a > b for a, b in pairwise(bias))
    warning = frechet_warning(400, 400)
    assert warning is not None
    assert "400 samples" in warning
    assert "biased upwards" in warning
    assert frechet_warning(401, 400) is None
