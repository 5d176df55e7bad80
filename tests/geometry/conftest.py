"""Landmarks and head poses of four people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

DATA = Path(__file__).parents[1] / "data" / "geometry" / "landmarks.npz"

People = dict[int, NDArray[np.float64]]


def _read(kind: str) -> People:
    with np.load(DATA) as archive:
        return {person: archive[f"{kind}_{person}"].astype(np.float64) for person in (1, 2, 3, 4)}


@pytest.fixture(scope="session")
def landmarks() -> People:
    """(478, 3) landmarks of persons 1 to 4, pixels of 512 × 512 portraits; frontal, two of them smiling."""
    return _read("landmarks")


@pytest.fixture(scope="session")
def poses() -> People:
    """(4, 4) head poses of persons 1 to 4."""
    return _read("pose")
