"""LangBRT in the training loop: it learns, resumes exactly, and refuses what does not fit."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from support.training import PORTRAITS
from support.words import BagOfWords

from faceloom.errors import RecipeError, WeightsError
from faceloom.methods.langbrt.checkpoint import load_langbrt, save_langbrt
from faceloom.methods.langbrt.prompts import PREDEFINED, TABLE
from faceloom.perceive import Perception
from faceloom.perceive.clip_text import ClipText
from faceloom.train.blemishes.atlas import prepare_atlas
from faceloom.train.blemishes.dataset import PaintedFaces
from faceloom.train.data.faces import PackedFaces
from faceloom.train.data.pack import pack_faces
from faceloom.train.draws import Draws
from faceloom.train.langbrt import Adversaries, LangBRTTask
from faceloom.train.langbrt_measures import measure_retouching
from faceloom.train.langbrt_recipe import LangBRTRecipe
from faceloom.train.langbrt_weights import export_langbrt, restored
from faceloom.train.loop import Trainer
from faceloom.train.plan import Position
from faceloom.train.recipe import build_recipe_of, read_recipe_of
from faceloom.weights import Store

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "tests" / "data" / "perceive" / "clip_tiny"
MODEL = {
    "image_size": 64, "widths": [8, 16], "blocks": [1, 1], "detect_width": 8, "depth": 2, "heads": 2, "window": 4,
    "critic_widths": [8, 16],
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Path:
    """The example portraits at 64 pixels with their anatomies; person_03 and person_05 held out."""
    folder = tmp_path_factory.mktemp("painted")
    pack_faces(PORTRAITS, folder, [64], perception=None, hold_out=["person_03", "person_05"])
    prepare_atlas(PackedFaces(folder), Perception(store, threads=1), parser=False)
    return folder


def recipe(**sections: Any) -> LangBRTRecipe:
    run = {"samples": 16, "precision": "fp32", "log_every": 2, "sheet_every": 0, **sections.pop("run", {})}
    values = {
        "model": MODEL,
        "stages": [{"size": 64, "batch": 4}],
        "retouch": {"perceptual": "none"},
        "optimiser": {"learning_rate": 2e-3, "warmup_steps": 2},
        **sections,
    }
    return build_recipe_of(LangBRTRecipe, {**values, "run": run})


def start(chosen: LangBRTRecipe, faces: Path, folder: Path, **options: Any) -> Trainer:
    task = LangBRTTask(chosen, BagOfWords())
    return Trainer(task, chosen, PaintedFaces(faces), folder, device="cpu", **options)


def log(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_stopped_run_goes_on_exactly(tmp_path: Path, folder: Path) -> None:
    whole = start(recipe(), folder, tmp_path / "whole")
    ended = whole.train()
    assert ended.position.step == 4
    parts = start(recipe(), folder, tmp_path / "parts")
    assert parts.train(lambda: parts.at.step >= 1).stopped
    last = start(recipe(), folder, tmp_path / "parts", resume=True)
    assert last.train().loss == ended.loss
    for one, other in zip(last.ema.state_dict().values(), whole.ema.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_what_a_run_leaves(tmp_path: Path, folder: Path) -> None:
    trainer = start(recipe(run={"sheet_every": 4}), folder, tmp_path)
    trainer.train()
    lines = log(tmp_path)
    assert [line["step"] for line in lines] == ["2", "4"]
    assert all(float(lines[-1][name]) > 0 for name in ("pixels", "detection", "prompts", "adversarial", "critic"))
    assert float(lines[-1]["perceptual"]) == 0
    with Pillow.open(tmp_path / "sheet_0000004.png") as sheet:
        assert sheet.size == (2 * 64, 5 * 64)
    export_langbrt(tmp_path / "last.ckpt", tmp_path / "model.safetensors")
    loaded = load_langbrt(tmp_path / "model.safetensors")
    assert loaded.text_encoder == "bag-of-words" and loaded.notes["licence"].startswith("CC-BY-NC")
    vectors = torch.from_numpy(BagOfWords().encode([prompt.text for prompt in PREDEFINED]))
    torch.testing.assert_close(loaded.model.predefined, vectors, atol=1e-3, rtol=0)
    own = restored(tmp_path / "last.ckpt").retoucher.state_dict()
    for name, value in loaded.model.state_dict().items():
        torch.testing.assert_close(value, own[name], atol=2e-3, rtol=2e-3)


def test_begin_with_weights_for_use(tmp_path: Path, folder: Path) -> None:
    """The critic is no part of them: it begins anew, at whatever size."""
    first = start(recipe(), folder, tmp_path / "one")
    first.train(lambda: first.at.step >= 1)
    model, said = tmp_path / "model.safetensors", list[str]()
    save_langbrt(model, first.ema.retoucher, "bag-of-words", dtype=torch.float32)
    other = recipe(model={**MODEL, "critic_widths": [4, 8]})
    second = start(other, folder, tmp_path / "two", init=model, tell=said.append)
    for network in (second.network, second.ema):
        for one, own in zip(
            network.retoucher.state_dict().values(), first.ema.retoucher.state_dict().values(), strict=True
        ):
            assert torch.equal(one, own)
    fresh = len(list(second.network.critic.parameters()))
    assert said == [f"beginning with {model}, weights for use; {fresh} tensors that it has not are fresh"]
    assert second.at == Position() and second.train().position.step == 4


def test_the_weights_that_come_along_fit_their_recipe(store: Store) -> None:
    words = BagOfWords(384)
    words.name = "minilm_int8"
    task = LangBRTTask(read_recipe_of(LangBRTRecipe, ROOT / "recipes" / "langbrt_small.toml"), words)
    finished = task.finished(store.path("langbrt_small"))
    assert set(finished) == {name for name in task.network().state_dict() if name.startswith("retoucher.")}


def test_weights_for_use_that_do_not_fit(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(WeightsError, match="no weights at"):
        start(recipe(), folder, tmp_path, init=tmp_path / "none.safetensors")
    model, own = tmp_path / "model.safetensors", LangBRTTask(recipe(), BagOfWords()).network().retoucher
    save_langbrt(model, own, "bag-of-words")
    with pytest.raises(WeightsError, match="another configuration: depth is 2, the recipe says 1"):
        start(recipe(model={**MODEL, "depth": 1}), folder, tmp_path, init=model)
    save_langbrt(model, own, "clip-0123456789ab")
    with pytest.raises(WeightsError, match=r"text_encoder is 'clip-0123456789ab', here 'bag-of-words'; --text-encoder"):
        start(recipe(), folder, tmp_path, init=model)


def test_resuming_needs_the_same_text_encoder(tmp_path: Path, folder: Path) -> None:
    start(recipe(), folder, tmp_path).train(lambda: True)
    chosen = recipe()
    task = LangBRTTask(chosen, ClipText(CLIP))
    assert task.config.text_dim == 12, "as the encoder gives, where the recipe does not say"
    with pytest.raises(
        WeightsError, match=r"text_encoder is 'bag-of-words', here 'clip-[0-9a-f]+'; --text-encoder FOLDER"
    ):
        Trainer(task, chosen, PaintedFaces(folder), tmp_path, device="cpu", resume=True)


def test_it_learns_to_find_and_to_remove(tmp_path: Path, folder: Path) -> None:
    """Two faces, painted the same each time, are learnt by heart."""
    task, faces = LangBRTTask(recipe(), BagOfWords()), PaintedFaces(folder)
    torch.manual_seed(0)
    network = task.network().train()
    objective = task.objective(network)
    pairs = faces.batch(64, faces.training[[0, 5]])
    given = task.examples(pairs)
    before, _ = measure_retouching(network.retoucher.eval(), [(pairs, given)])
    network.train()
    optimiser = torch.optim.Adam(network.retoucher.parameters(), lr=4e-3)
    for _ in range(160):
        found = objective(*given)
        (10 * found["pixels"] + 3 * found["prompts"]).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    after, _ = measure_retouching(network.retoucher.eval(), [(pairs, given)])
    assert after.inside > before.inside + 1.5 and after.psnr > before.psnr + 1 and after.outside > 35
    assert max(before.overlap.values()) == 0 and max(after.overlap.values()) > 0.5


def test_each_network_sees_the_other_as_constant(folder: Path) -> None:
    task = LangBRTTask(recipe(), BagOfWords())
    torch.manual_seed(0)
    network = task.network().train()
    objective = task.objective(network)
    faces = PaintedFaces(folder)
    given = task.draw(faces.draw(64, faces.training[:2], recipe().augment, Draws(0, 0)), Draws(0, 0))
    critic, retoucher = (player.module for player in reversed(objective.players()))
    found = objective(*given)

    def gradients(value: torch.Tensor, module: torch.nn.Module) -> bool:
        parts = torch.autograd.grad(value.sum(), list(module.parameters()), retain_graph=True, allow_unused=True)
        return any(part is not None and part.any() for part in parts)

    assert not gradients(found["adversarial"], critic) and gradients(found["adversarial"], retoucher)
    assert gradients(found["critic"], critic) and not gradients(found["critic"], retoucher)
    assert not gradients(found["dissimilarity"] + found["pixels"], critic)
    how = task.objective(network).how
    expected = (
        found["pixels"] + how.beta * found["perceptual"] + how.eta * found["detection"] + how.prompts * found["prompts"]
        - how.gamma * found["dissimilarity"] + how.adversarial * found["adversarial"] + found["critic"]
    )  # fmt: skip
    torch.testing.assert_close(found["loss"], expected)
    network.eval()
    measured = objective(*given)
    assert measured["critic"].max() == 0 and measured["dissimilarity"].max() == 0


def test_weights_of_the_paper() -> None:
    how = recipe().retouch
    assert (how.beta, how.gamma, how.eta) == (10, 1, 1)
    first, finish = (
        read_recipe_of(LangBRTRecipe, ROOT / "recipes" / name)
        for name in ("langbrt_small.toml", "langbrt_small_finish.toml")
    )
    assert first.model == finish.model and first.retouch.adversarial == 0
    assert min(finish.retouch.beta, finish.retouch.gamma, finish.retouch.eta, finish.retouch.adversarial) > 0
    task = LangBRTTask(first, BagOfWords(384))
    assert task.config.depth == 7 and task.options["prompts"] == [prompt.text for prompt in TABLE]
    with torch.device("meta"):
        assert sum(p.numel() for p in Adversaries(task.config, torch.zeros(3, 384)).retoucher.parameters()) < 10e6


def test_words_vary_in_training_and_not_in_measuring(folder: Path) -> None:
    task, faces = LangBRTTask(recipe(), BagOfWords()), PaintedFaces(folder)
    pairs = faces.batch(64, faces.training[:2])
    one, other = (task.draw(pairs, Draws(0, step))[2] for step in (0, 1))
    assert one.shape == (2, 17, 24) and not torch.equal(one, other)
    assert torch.equal(one, task.draw(pairs, Draws(0, 0))[2])
    torch.testing.assert_close(one.norm(dim=-1), torch.ones(2, 17))
    assert torch.equal(task.examples(pairs)[2], task.examples(pairs)[2])


def test_measures(folder: Path) -> None:
    task, faces = LangBRTTask(recipe(), BagOfWords()), PaintedFaces(folder)
    network = task.network().eval()
    pairs = faces.batch(64, faces.training[:6])
    found, pictures = measure_retouching(network.retoucher, [(pairs, task.examples(pairs))])
    assert found.pairs == len(pictures) == 6
    assert found.inside == found.inside_before, "an untrained network changes nothing"
    assert found.outside == 100 and 0 < found.inside < found.psnr
    assert found.overlap and set(found.overlap.values()) == {0.0}
    np.testing.assert_array_equal(pictures[0].retouched, pictures[0].blemished)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"model": {**MODEL, "width": 3}}, "unknown options width"),
        ({"model": {**MODEL, "text_dim": 7}}, "text_dim must be 24 for bag-of-words.*leave both out"),
        ({"model": {**MODEL, "heads": 3}}, "3 heads do not divide"),
        ({"stages": [{"size": 72, "batch": 1}]}, "size 72; this model takes multiples of 16"),
    ],
)
def test_models_that_make_no_sense(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        LangBRTTask(recipe(**sections), BagOfWords())


def test_recipes_that_make_no_sense() -> None:
    with pytest.raises(RecipeError, match="pairs are not moved"):
        recipe(augment={"rotate": 5})
    with pytest.raises(RecipeError, match=r"unknown key 'retouch.betta'; did you mean 'beta'"):
        recipe(retouch={"betta": 1})
    with pytest.raises(RecipeError, match=r"unknown key 'blemish'; did you mean 'blemishes'"):
        recipe(blemish={})


def test_files_that_are_no_weights(tmp_path: Path, folder: Path) -> None:
    trainer = start(recipe(), folder, tmp_path)
    trainer.train(lambda: True)
    export_langbrt(tmp_path / "last.ckpt", tmp_path / "model.safetensors")
    data = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match="damaged"):
        load_langbrt(tmp_path / "cut.safetensors")
    with pytest.raises(WeightsError, match="no weights at"):
        load_langbrt(tmp_path / "none.safetensors")
    (tmp_path / "other.safetensors").write_bytes(data.replace(b"faceloom.langbrt/1", b"faceloom.langbrt/0"))
    with pytest.raises(WeightsError, match="holds no weights of LangBRT"):
        load_langbrt(tmp_path / "other.safetensors")
    (tmp_path / "old.safetensors").write_bytes(data.replace(b"acne on the chin", b"acne on the shin"))
    with pytest.raises(WeightsError, match="another table of prompts"):
        load_langbrt(tmp_path / "old.safetensors")
