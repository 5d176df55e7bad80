"""The model, and the example clip, for every test of unifacegan."""

from __future__ import annotations

import pytest
from support.meshes import morphable
from support.perceived import Perceived, perceived

from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.identity import Identity, read_identity
from faceloom.weights import Store

__all__ = ["perceived"]


@pytest.fixture(scope="session")
def fitter(store: Store) -> FaceFitter:
    return FaceFitter(*morphable(store))


@pytest.fixture(scope="session")
def identity(fitter: FaceFitter, perceived: Perceived) -> Identity:
    """Somebody with hair over both cheeks."""
    return read_identity(perceived.source("person_17"), fitter)
