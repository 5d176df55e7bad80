"""The text encoder, once for all tests of retouching; see also ``support.perceived``."""

from __future__ import annotations

import pytest
from support.perceived import perceived

from faceloom.perceive.text import MiniLM
from faceloom.weights import Store

__all__ = ["encoder", "perceived"]


@pytest.fixture(scope="session")
def encoder() -> MiniLM:
    pytest.importorskip("tokenizers", reason="retouching needs tokenizers: pip install 'faceloom[retouch]'")
    store = Store()
    store.ensure(MiniLM.weights)
    return MiniLM(store)
