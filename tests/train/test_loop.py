"""The loop: what it writes, and that a run that was stopped goes on as if it never had been."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from support.training import tiny_recipe
from torch import nn

from faceloom.errors import FaceloomError, WeightsError
from faceloom.methods.vpartswap.checkpoint import convert, load_checkpoint, save_safetensors
from faceloom.train.data.faces import PackedFaces
from faceloom.train.diffae import DiffAETask
from faceloom.train.loop import Outcome, Trainer
from faceloom.train.plan import Position
from faceloom.train.recipe import TrainingRecipe, read_training_recipe
from faceloom.weights import Store


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """The order of sums, and so the last bits of them, depends on the number of threads."""
    torch.set_num_threads(1)


def start(recipe: TrainingRecipe, faces: PackedFaces, folder: Path, **options: object) -> Trainer:
    return Trainer(DiffAETask(recipe), recipe, faces, folder, device="cpu", **options)  # type: ignore[arg-type]


def stop_after(trainer: Trainer, step: int) -> Outcome:
    return trainer.train(lambda: trainer.at.step >= step)


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def log(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_stopped_run_goes_on_exactly(tmp_path: Path, packed: PackedFaces) -> None:
    recipe = tiny_recipe()
    whole = start(recipe, packed, tmp_path / "whole")
    ended = whole.train()
    assert ended.position.step == 8 and ended.position.seen == 32 and not ended.stopped

    # Stopped in the first stage and in the second; each time a new process would read the checkpoint.
    assert stop_after(start(recipe, packed, tmp_path / "parts"), 3).stopped
    assert stop_after(start(recipe, packed, tmp_path / "parts", resume=True), 5).position.step == 5
    last = start(recipe, packed, tmp_path / "parts", resume=True)
    assert last.train().loss == ended.loss
    assert same(last.network, whole.network) and same(last.ema, whole.ema)
    assert not same(whole.network, whole.ema)
    columns = ("step", "seen", "size", "loss", "held_out_loss", "gradient", "learning_rate")
    # A stop writes its checkpoint between two lines, so the mean of the next line is over fewer steps.
    for one, other in zip(log(tmp_path / "whole"), log(tmp_path / "parts"), strict=True):
        assert all(one[name] == other[name] for name in columns if name != "loss")


def test_lines_after_the_last_checkpoint_are_written_anew(tmp_path: Path, packed: PackedFaces) -> None:
    """As a run leaves it that was killed without a chance to write a checkpoint."""
    recipe = tiny_recipe()
    stop_after(start(recipe, packed, tmp_path), 4)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("6,24,32,0.5,0.5,1,0.001,10,1\n")
    start(recipe, packed, tmp_path, resume=True).train()
    assert [line["step"] for line in log(tmp_path)] == ["2", "4", "6", "8"]


def test_what_a_run_leaves(tmp_path: Path, packed: PackedFaces) -> None:
    trainer = start(tiny_recipe(run={"sheet_every": 4}), packed, tmp_path)
    trainer.train()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "last.ckpt", "log.csv", "sheet_0000004.png", "sheet_0000008.png",
    ]  # fmt: skip
    lines = log(tmp_path)
    assert [line["size"] for line in lines] == ["16", "16", "32", "32"]
    assert [line["seen"] for line in lines] == ["8", "16", "24", "32"]
    assert float(lines[0]["learning_rate"]) > float(lines[-1]["learning_rate"]) > 0
    with Pillow.open(tmp_path / "sheet_0000008.png") as sheet:
        assert sheet.size == (2 * 32, 4 * 32), "two faces are held out; four rows"
        top = np.asarray(sheet)[:32]
    assert np.abs(top.astype(int) - np.hstack(np.load(packed.folder / "faces_32.npy")[packed.held_out])).max() <= 1
    loaded = load_checkpoint(tmp_path / "last.ckpt")
    assert same(loaded.model, trainer.ema)
    convert(tmp_path / "last.ckpt", tmp_path / "model.safetensors")
    assert load_checkpoint(tmp_path / "model.safetensors").config == loaded.config
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 8 and saved["state_dict"]["x_T"].shape == (4, 3, 32, 32)
    assert {name.split(".")[0] for name in saved["state_dict"]} == {"model", "ema_model", "x_T"}


def test_it_learns(tmp_path: Path, packed: PackedFaces) -> None:
    recipe = tiny_recipe(
        stages=[{"size": 16, "batch": 8}], run={"samples": 800, "log_every": 10}, ema={"decay": 0.9}
    )  # fmt: skip
    start(recipe, packed, tmp_path).train()
    losses = [float(line["held_out_loss"]) for line in log(tmp_path)]
    assert losses[-1] < 0.6 * losses[0]


def test_bfloat16(tmp_path: Path, packed: PackedFaces) -> None:
    trainer = start(tiny_recipe(run={"precision": "bf16"}), packed, tmp_path)
    exact = start(tiny_recipe(), packed, tmp_path / "exact").train()
    assert trainer.train().loss == pytest.approx(exact.loss, rel=0.02)
    assert {parameter.dtype for parameter in trainer.network.parameters()} == {torch.float32}


def test_begin_with_a_checkpoint(tmp_path: Path, packed: PackedFaces) -> None:
    recipe = tiny_recipe()
    first = start(recipe, packed, tmp_path / "one")
    first.train()
    second = start(recipe, packed, tmp_path / "two", init=tmp_path / "one" / "last.ckpt")
    assert same(second.network, first.network) and same(second.ema, first.ema)
    assert (second.at.step, second.at.seen, second.at.seen_before) == (0, 0, 32)
    second.train()
    third = start(recipe, packed, tmp_path / "three", init=tmp_path / "two" / "last.ckpt")
    assert third.at.seen_before == 64


def test_begin_with_weights_for_use(tmp_path: Path, packed: PackedFaces) -> None:
    recipe, said = tiny_recipe(), list[str]()
    first = start(recipe, packed, tmp_path / "one")
    first.train()
    model = tmp_path / "model.safetensors"
    convert(tmp_path / "one" / "last.ckpt", model, torch.float32)
    second = start(recipe, packed, tmp_path / "two", init=model, tell=said.append)
    assert same(second.network, first.ema) and same(second.ema, first.ema)
    assert second.at == Position() and not second.optimiser.state
    assert said == [f"beginning with {model}, weights for use"]
    assert second.train().position.step == 8 and not same(second.network, first.ema)
    resumed = start(recipe, packed, tmp_path / "two", init=model, resume=True)
    assert resumed.at.step == 8, "a checkpoint of the run itself comes first"


def test_the_weights_that_come_along_fit_their_recipe() -> None:
    recipe = read_training_recipe(Path(__file__).parents[2] / "recipes" / "diffae_small128.toml")
    task = DiffAETask(recipe)
    assert set(task.finished(Store().path("diffae_small128"))) == set(task.network().state_dict())


def test_weights_for_use_that_do_not_fit(tmp_path: Path, packed: PackedFaces) -> None:
    recipe, model = tiny_recipe(), tmp_path / "model.safetensors"
    with pytest.raises(WeightsError, match="no checkpoint at"):
        start(recipe, packed, tmp_path / "out", init=model)
    own = DiffAETask(recipe).network()
    save_safetensors(model, own)
    narrower = tiny_recipe(model={**recipe.model, "model_channels": 4})
    with pytest.raises(
        WeightsError, match=r"model\.safetensors is of another .*model_channels is 8, the recipe says 4"
    ):
        start(narrower, packed, tmp_path / "out", init=model)
    save_safetensors(model, own, diffusion={"beta_end": 0.01})
    with pytest.raises(WeightsError, match="another noise schedule"):
        start(recipe, packed, tmp_path / "out", init=model)


def test_nothing_left_to_do(tmp_path: Path, packed: PackedFaces) -> None:
    recipe = tiny_recipe()
    start(recipe, packed, tmp_path).train()
    before = (tmp_path / "last.ckpt").read_bytes()
    outcome = start(recipe, packed, tmp_path, resume=True).train()
    assert outcome.position.step == 8 and outcome.loss is None
    assert (tmp_path / "last.ckpt").read_bytes() == before


def test_time_ends_a_run(tmp_path: Path, packed: PackedFaces) -> None:
    outcome = start(tiny_recipe(run={"samples": 10**6, "minutes": 0.02}), packed, tmp_path).train()
    assert not outcome.stopped and outcome.position.seconds > 1.2 and outcome.position.seen < 10**6


def test_checkpoints_that_do_not_fit(tmp_path: Path, packed: PackedFaces) -> None:
    recipe = tiny_recipe()
    stop_after(start(recipe, packed, tmp_path), 1)
    last = tmp_path / "last.ckpt"
    narrower = tiny_recipe(model={**recipe.model, "model_channels": 4})
    with pytest.raises(WeightsError, match="model_channels is 8, the recipe says 4"):
        start(narrower, packed, tmp_path, resume=True)

    # One that does not say what it is: the tensors themselves are compared.
    saved = torch.load(last, weights_only=True)
    del saved["hyper_parameters"]
    torch.save(saved, tmp_path / "silent.ckpt")
    with pytest.raises(WeightsError, match=r"another configuration than the recipe's: .* where the recipe's is"):
        start(narrower, packed, tmp_path / "out", init=tmp_path / "silent.ckpt")

    (tmp_path / "cut.ckpt").write_bytes(last.read_bytes()[:20_000])
    with pytest.raises(WeightsError, match="damaged, cut short"):
        start(recipe, packed, tmp_path / "out", init=tmp_path / "cut.ckpt")
    with pytest.raises(WeightsError, match="no checkpoint at"):
        start(recipe, packed, tmp_path / "out", init=tmp_path / "none.ckpt")
    torch.save({"state_dict": {"weight": torch.zeros(1)}}, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match="no training checkpoint"):
        start(recipe, packed, tmp_path / "out", init=tmp_path / "other.ckpt")


def test_a_loss_that_is_no_number(tmp_path: Path, packed: PackedFaces) -> None:
    trainer = start(tiny_recipe(), packed, tmp_path)
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(float("nan"))
    with pytest.raises(FaceloomError, match=r"the loss is nan at step 2; .* lower optimiser.learning_rate"):
        trainer.train()
    assert not (tmp_path / "last.ckpt").exists()


def test_same_options_in_json(tmp_path: Path, packed: PackedFaces) -> None:
    """The options in a checkpoint are plain values, whatever way the recipe wrote them."""
    stop_after(start(tiny_recipe(), packed, tmp_path), 1)
    options = torch.load(tmp_path / "last.ckpt", weights_only=True)["hyper_parameters"]["model_conf"]
    assert json.loads(json.dumps(options)) == options
