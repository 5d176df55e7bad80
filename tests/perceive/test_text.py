"""Sentence vectors against those of the published model."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from faceloom.errors import FaceloomError, WeightsError
from faceloom.perceive.text import MiniLM
from faceloom.weights import Store

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "perceive" / "minilm.npz")
SENTENCES = [str(sentence) for sentence in GOLDEN["sentences"]]


@pytest.fixture(scope="module")
def encoder() -> MiniLM:
    pytest.importorskip("tokenizers")
    store = Store()
    store.ensure(MiniLM.weights)
    return MiniLM(store)


def test_vectors_equal_the_published_model(encoder: MiniLM) -> None:
    found = encoder.encode(SENTENCES)
    assert found.shape == (len(SENTENCES), MiniLM.dimension) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found * GOLDEN["embeddings"]).sum(axis=1).min() >= 0.999


def test_a_sentence_does_not_depend_on_its_neighbours(encoder: MiniLM) -> None:
    alone = np.vstack([encoder.encode([sentence]) for sentence in SENTENCES])
    np.testing.assert_array_equal(encoder.encode(SENTENCES), alone)
    np.testing.assert_array_equal(encoder.encode([SENTENCES[0].upper()]), alone[:1])


def test_alike_means_alike(encoder: MiniLM) -> None:
    acne, pimples, car = encoder.encode(["acne on the right cheek", "pimples on her right cheek", "a red sports car"])
    assert acne @ pimples > 0.7 > 0.3 > acne @ car


def test_no_sentences_and_very_long_ones(encoder: MiniLM) -> None:
    assert encoder.encode([]).shape == (0, 384)
    assert np.isfinite(encoder.encode(["freckles " * 5000])).all()


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(FaceloomError, match=r"not installed \(tokenizers\).*faceloom\[retouch\]"):
        MiniLM(Store(tmp_path))


def test_missing_weights(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    with pytest.raises(WeightsError, match="minilm_int8"):
        MiniLM(Store(tmp_path))
