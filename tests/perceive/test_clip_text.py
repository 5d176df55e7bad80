"""Sentence vectors of CLIP's text tower against the transformers library's, of a tiny random network."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="CLIP's text tower needs torch: pip install 'faceloom[retouch]'")
pytest.importorskip("tokenizers", reason="CLIP's text tower needs tokenizers: pip install 'faceloom[retouch]'")

from safetensors.torch import load_file  # noqa: E402

from faceloom.errors import FaceloomError, WeightsError  # noqa: E402
from faceloom.perceive.clip_text import ClipText  # noqa: E402

DATA = Path(__file__).parents[1] / "data" / "perceive" / "clip_tiny"
GOLDEN = np.load(DATA / "golden.npz")
SENTENCES = [str(sentence) for sentence in GOLDEN["sentences"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the weights that may be spoilt."""
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        shutil.copy(DATA / name, tmp_path)
    return tmp_path


def test_vectors_are_those_of_the_reference() -> None:
    """Among them one of capitals, the empty sentence, and one that is too long."""
    encoder = ClipText(DATA)
    found = encoder.encode(SENTENCES)
    assert found.shape == (4, 12) == (4, encoder.dimension) and found.dtype == np.float32
    np.testing.assert_allclose(found, GOLDEN["embeddings"], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert encoder.encode([]).shape == (0, 12)


def test_the_name_is_that_of_the_weights(folder: Path) -> None:
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert ClipText(folder).name == f"clip-{digest[:12]}"


def test_another_activation(folder: Path) -> None:
    """As in the config.json of a whole CLIP model, where the text tower has a section of its own."""
    text = {"num_attention_heads": 2, "hidden_act": "gelu"}
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", "text_config": text}))
    np.testing.assert_allclose(ClipText(folder).encode(SENTENCES), GOLDEN["gelu"], atol=1e-6)


def test_how_the_tokenizer_was_saved_does_not_matter(folder: Path) -> None:
    whole = json.loads((folder / "tokenizer.json").read_text())
    whole["post_processor"] = None
    whole["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    np.testing.assert_allclose(ClipText(folder).encode(SENTENCES), GOLDEN["embeddings"], atol=1e-6)


@pytest.mark.parametrize("wrapped", [False, True])
def test_weights_of_plain_tensors(folder: Path, wrapped: bool) -> None:
    state = load_file(folder / "model.safetensors")
    torch.save({"state_dict": state} if wrapped else state, folder / "weights.pt")
    (folder / "model.safetensors").unlink()
    np.testing.assert_allclose(ClipText(folder).encode(SENTENCES), GOLDEN["embeddings"], atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_programs_are_not_loaded(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "model.pt")
    with pytest.raises(WeightsError, match=r"model\.pt: a TorchScript archive is a program.*save_file"):
        ClipText(folder)
    torch.save({"state_dict": Path()}, folder / "model.pt")
    with pytest.raises(WeightsError, match=r"model\.pt: no checkpoint of plain tensors"):
        ClipText(folder)
    torch.save({"epoch": 3}, folder / "model.pt")
    with pytest.raises(WeightsError, match=r"model\.pt: holds no state dictionary"):
        ClipText(folder)


def test_folders_that_do_not_hold_it_all(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none is no folder; .*tokenizer\.json"):
        ClipText(tmp_path / "none")
    shutil.copy(folder / "model.safetensors", folder / "other.safetensors")
    with pytest.raises(WeightsError, match=r"several files of weights \(model\.safetensors, other\.safetensors\)"):
        ClipText(folder)
    (folder / "other.safetensors").unlink()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"has no tokenizer\.json"):
        ClipText(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"has no weights \(\*\.safetensors, or \*\.bin"):
        ClipText(folder)


def test_files_that_are_broken_or_of_two_models(folder: Path) -> None:
    whole = json.loads((folder / "tokenizer.json").read_text())
    more = {**whole, "model": {**whole["model"], "vocab": {**whole["model"]["vocab"], "zz": 66}}}
    (folder / "tokenizer.json").write_text(json.dumps(more))
    with pytest.raises(WeightsError, match=r"knows 67 tokens, model\.safetensors has vectors of 66"):
        ClipText(folder)
    marks = [{**token, "content": f"<{token['id']}>"} for token in whole["added_tokens"]]
    vocabulary = {k: v for k, v in whole["model"]["vocab"].items() if v < 64} | {"<64>": 64, "<65>": 65}
    model = {**whole["model"], "vocab": vocabulary, "unk_token": None}
    (folder / "tokenizer.json").write_text(
        json.dumps({**whole, "added_tokens": marks, "model": model, "post_processor": None})
    )
    with pytest.raises(WeightsError, match=r"has no token <\|startoftext\|>: not CLIP's tokenizer"):
        ClipText(folder)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(WeightsError, match=r"tokenizer\.json cannot be loaded"):
        ClipText(folder)
    (folder / "config.json").write_text('{"hidden_act": "relu"}')
    with pytest.raises(WeightsError, match=r"config\.json cannot be used: activation 'relu'"):
        ClipText(folder)
    (folder / "config.json").unlink()
    (folder / "model.safetensors").write_bytes((DATA / "model.safetensors").read_bytes()[:3000])
    with pytest.raises(WeightsError, match=r"model\.safetensors: no safetensors file, or damaged"):
        ClipText(folder)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(FaceloomError, match=r"not installed \(tokenizers\).*faceloom\[retouch\]"):
        ClipText(DATA)
