"""The objective and the task: who learns from what, ablations, a dry run of the loop, an overfit, export."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.unifacegan import SIDE, TINY, ball, packed_clips, tiny_recipe
from torch import Tensor, nn

from faceloom.errors import RecipeError, WeightsError
from faceloom.methods.unifacegan.checkpoint import load_model, save_model
from faceloom.nets.unifacegan import UniFaceGAN, UniFaceGANConfig, hinge_for_discriminator, hinge_for_generator
from faceloom.nets.unifacegan.iresnet import IResNet
from faceloom.train.checkpoint import LAST
from faceloom.train.draws import Draws
from faceloom.train.loop import Trainer
from faceloom.train.recipe import AugmentSection, OptimiserSection
from faceloom.train.recipe import read_recipe_of as read_recipe
from faceloom.train.unifacegan.episodes import Episodes
from faceloom.train.unifacegan.export import export_model
from faceloom.train.unifacegan.objective import Game, GameObjective, frozen, generate
from faceloom.train.unifacegan.recipe import ObjectiveSection, SamplingSection, UniFaceGANRecipe
from faceloom.train.unifacegan.samples import ClipSamples
from faceloom.train.unifacegan.task import UniFaceGANTask

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("unifacegan*.toml"))
TERMS = ("appearance", "reconstruction", "temporal", "adversarial", "discriminator")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def episodes(clips: Path) -> Episodes:
    samples = ClipSamples(clips, ball(), tiny_recipe())
    return samples.batch(SIDE, np.array([0, 4, 7, 2]))


def game_of(
    objective: dict[str, Any] | None = None, sampling: dict[str, Any] | None = None, embedder: nn.Module | None = None
) -> GameObjective:
    how, chosen = ObjectiveSection(**objective or {}), SamplingSection(**sampling or {})
    return GameObjective(Game(UniFaceGANConfig.from_options(TINY)).train(), how, chosen, embedder)


def gradients(module: nn.Module) -> list[Tensor]:
    return [parameter.grad for parameter in module.parameters() if parameter.grad is not None]


def test_the_recipes_of_the_repository() -> None:
    assert {path.stem for path in RECIPES} >= {"unifacegan_256", "unifacegan_small"}
    for path in RECIPES:
        recipe = read_recipe(UniFaceGANRecipe, path)
        with torch.device("meta"):
            assert UniFaceGANTask(recipe).config.image_size == max(recipe.sizes)
    paper = read_recipe(UniFaceGANRecipe, RECIPES[0])
    weights = paper.objective
    assert (weights.adversarial, weights.appearance, weights.reconstruction, weights.temporal) == (10, 1, 10, 5)
    assert paper.sampling.intra == 0.5 and paper.objective.flow == "dense"


def test_the_terms_are_the_losses_of_what_is_generated(episodes: Episodes) -> None:
    game = game_of()
    losses = game(*episodes)
    assert tuple(losses) == ("loss", *TERMS) and game.terms == TERMS
    assert all(loss.shape == (4,) for loss in losses.values())
    # Batch normalisation is in training mode, so the same weights and pictures give the same result again.
    result, _ = generate(game.network.model, episodes, game.sampling, 2)
    made, truth = result.unflatten(0, (4, 2)), episodes.appearance
    error = (made - truth).abs().mean((1, 2, 3, 4))
    torch.testing.assert_close(losses["reconstruction"], error * episodes.intra)
    scores = game.network.discriminator(result)
    against = hinge_for_discriminator(game.network.discriminator(episodes.identity.flatten(0, 1)), scores)
    torch.testing.assert_close(losses["discriminator"], against.reshape(4, 2).mean(1))
    torch.testing.assert_close(losses["adversarial"], hinge_for_generator(scores).reshape(4, 2).mean(1))
    weighted = (1, 10, 5, 10, 1)
    torch.testing.assert_close(
        losses["loss"], sum(weight * losses[name] for name, weight in zip(TERMS, weighted, strict=True))
    )
    assert losses["reconstruction"][1] == losses["temporal"][3] == 0, "between clips there is no truth"
    assert losses["reconstruction"][0] > 0 and losses["temporal"][0] > 0


def test_each_side_learns_from_its_own_loss(episodes: Episodes) -> None:
    game = game_of()
    model, discriminator = (player.module for player in game.players())
    assert {*map(id, game.network.parameters())} == {*map(id, model.parameters()), *map(id, discriminator.parameters())}
    before = {name: value.clone() for name, value in model.embedder.state_dict().items()}
    game(*episodes)["loss"].sum().backward()
    joint = [gradient.clone() for gradient in gradients(discriminator)]
    assert all(gradient.abs().sum() > 0 for gradient in gradients(model)[:1] + joint[:1])

    # The discriminator's alone, on the same results.
    game.zero_grad()
    model.embedder.load_state_dict(before)
    with torch.no_grad():
        result, _ = generate(model, episodes, game.sampling, 2)
    scores = [discriminator(x) for x in (episodes.identity.flatten(0, 1), result)]
    hinge_for_discriminator(*scores).reshape(4, 2).mean(1).sum().backward()
    for one, other in zip(joint, gradients(discriminator), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_frozen_modules_pass_gradients_and_keep_their_state() -> None:
    layer = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    x = torch.randn(3, 1, 4, 4, requires_grad=True)
    out = frozen(layer, x)
    out.square().sum().backward()
    assert x.grad is not None and not gradients(layer)
    assert all(torch.equal(state[name], value) for name, value in layer.state_dict().items())
    torch.testing.assert_close(out, layer(x))


def test_the_appearance_loss_trains_the_embedder_only_if_asked(episodes: Episodes) -> None:
    for trains in (False, True):
        game = game_of({"adversarial": 0, "reconstruction": 0, "flow": "off", "trains_embedder": trains})
        losses = game(*episodes)
        assert game.terms == ("appearance",) and len(game.players()) == 1
        # Through the generator E learns in either case; directly only if asked.
        hint = episodes.appearance[:, 0]
        wanted = game._appearance(hint.requires_grad_(), hint.detach() * 0, hint.detach())
        wanted.sum().backward()
        assert bool(gradients(game.network.model.embedder)) == trains
        assert losses["loss"].requires_grad


@pytest.mark.parametrize(
    ("objective", "sampling", "missing"),
    [
        ({"flow": "off"}, {}, ("temporal",)),
        ({"temporal": 0}, {}, ("temporal",)),
        ({"appearance": 0}, {}, ("appearance",)),
        ({"reconstruction": 0}, {}, ("reconstruction",)),
        ({"adversarial": 0}, {}, ("adversarial", "discriminator")),
        ({}, {"truth": "identity", "hint": "appearance", "sees": "appearance"}, ()),
    ],
    ids=str,
)
def test_ablations(episodes: Episodes, objective: Any, sampling: Any, missing: tuple[str, ...]) -> None:
    game = game_of(objective, sampling)
    losses = game(*episodes)
    assert set(game.terms) == set(TERMS).difference(missing) and set(losses) == {"loss", *game.terms}
    losses["loss"].mean().backward()
    assert gradients(game.network.model)
    assert bool(gradients(game.network.discriminator)) == ("discriminator" not in missing)


def test_hints_and_truths(episodes: Episodes) -> None:
    """A network that gives its input back shows what it is given."""

    class Echo(nn.Module):
        def forward(self, rendered: Tensor, appearance: Tensor, hint: Tensor, face: Tensor) -> Tensor:
            return appearance

    of_identity = replace_flag(episodes, torch.tensor([True, False, True, False]))
    seen, hint = generate(Echo(), of_identity, SamplingSection(), 2)
    chosen = of_identity.hint_of_identity[:, None, None, None, None]
    wanted = torch.where(chosen, episodes.identity, episodes.appearance)
    assert torch.equal(seen, wanted.flatten(0, 1))
    face = episodes.face.flatten(0, 1).expand_as(hint)
    assert (hint[face == 1] == -1).all() and torch.allclose(hint[face == 0], wanted.flatten(0, 1)[face == 0])
    printed, _ = generate(Echo(), of_identity, SamplingSection(sees="appearance"), 1)
    assert torch.equal(printed, episodes.appearance[:, 0])
    assert torch.equal(game_of()._truth(episodes, 1), episodes.appearance[:, 0])
    assert torch.equal(game_of(sampling={"truth": "identity"})._truth(episodes, 1), episodes.identity[:, 0])


def replace_flag(episodes: Episodes, flags: Tensor) -> Episodes:
    return episodes._replace(hint_of_identity=flags)


def test_the_identity_term(episodes: Episodes) -> None:
    class Mean(nn.Module):
        def forward(self, faces: Tensor) -> Tensor:
            return nn.functional.normalize(faces.mean((2, 3)))

    assert "identity" not in game_of({"identity": 2.0}).terms
    game = game_of({"identity": 2.0, "flow": "off", "adversarial": 0}, embedder=Mean())
    losses = game(*episodes)
    assert ((losses["identity"] >= 0) & (losses["identity"] <= 2)).all()
    assert "identity" in game.terms
    only = losses["loss"] - losses["appearance"] - 10 * losses["reconstruction"]
    torch.testing.assert_close(only, 2 * losses["identity"])


def test_what_is_measured_is_the_reconstruction_within_clips(episodes: Episodes) -> None:
    game = game_of()
    game.network.eval()
    with torch.no_grad():
        measured = game(*episodes)["loss"]
        result, _ = generate(game.network.model, episodes, game.sampling, 1)
    error = (result - episodes.appearance[:, 0]).abs().mean((1, 2, 3))
    torch.testing.assert_close(measured, error[[0, 2]])


def test_a_dry_run_and_its_resumption(clips: Path, tmp_path: Path) -> None:
    """Ten steps on a CPU; a run that is stopped after six and resumed ends with the same weights."""

    def start(folder: str, **options: Any) -> Trainer:
        recipe = tiny_recipe(run={"sheet_every": 10})
        samples = ClipSamples(clips, ball(), recipe, workers=2)
        return Trainer(UniFaceGANTask(recipe), recipe, samples, tmp_path / folder, device="cpu", **options)

    whole = start("whole")
    outcome = whole.train()
    assert outcome.position.step == 10 and outcome.position.seen == 40
    first = start("parts")
    assert first.train(lambda: first.at.step >= 6).stopped
    second = start("parts", resume=True)
    assert second.train().loss is not None
    for one, other in zip(whole.network.state_dict().values(), second.network.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    with (tmp_path / "whole/log.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["step"] for line in lines] == ["5", "10"]
    assert all(float(line[name]) == float(line[name]) for line in lines for name in (*TERMS, "held_out_loss"))
    assert (tmp_path / "whole/sheet_0000010.png").is_file()

    export_model(tmp_path / "whole" / LAST, tmp_path / "model.safetensors", {"licence": "none"})
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.notes == {"licence": "none"} and loaded.model.config == whole.network.model.config
    x = torch.rand(1, 3, SIDE, SIDE)
    with torch.no_grad():
        difference = loaded.model(x, x, x, x[:, :1]) - whole.ema.model(x, x, x, x[:, :1])
    assert 0 < difference.abs().max() < 0.02, "half precision"


def test_begin_with_an_exported_generator(clips: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe()
    exported = UniFaceGAN(UniFaceGANConfig.from_options({**TINY, "discriminator_widths": [4, 4], "scales": 1}))
    save_model(tmp_path / "model.safetensors", exported)

    def start(chosen: UniFaceGANRecipe) -> Trainer:
        how: Any = {"device": "cpu", "init": tmp_path / "model.safetensors"}
        return Trainer(UniFaceGANTask(chosen), chosen, ClipSamples(clips, ball(), chosen), tmp_path / "out", **how)

    trainer = start(recipe)
    wanted = load_model(tmp_path / "model.safetensors").model.state_dict()
    for network in (trainer.network, trainer.ema):
        assert all(torch.equal(value, wanted[name]) for name, value in network.model.state_dict().items())
    assert trainer.at.seen_before == 0
    with pytest.raises(WeightsError, match=r"residual_blocks is \d, the recipe says 3"):
        start(tiny_recipe(model={**TINY, "residual_blocks": 3}))


def test_bfloat16(clips: Path, tmp_path: Path) -> None:
    losses = []
    for precision in ("fp32", "bf16"):
        recipe = tiny_recipe(run={"precision": precision, "samples": 8})
        samples = ClipSamples(clips, ball(), recipe)
        trainer = Trainer(UniFaceGANTask(recipe), recipe, samples, tmp_path / precision, device="cpu")
        losses.append(trainer.train().loss)
        assert {parameter.dtype for parameter in trainer.network.parameters()} == {torch.float32}
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no model at"):
        load_model(tmp_path / "none")
    (tmp_path / "text").write_text("no")
    with pytest.raises(WeightsError, match="damaged"):
        load_model(tmp_path / "text")


def test_an_overfit_lowers_what_should_fall(clips: Path) -> None:
    """Eight frames of four clips, two episodes within clips and two between; 200 steps."""
    small = {"widths": [6, 8], "appearance_widths": [6, 8], "skips": True, "attention_side": 0, "residual_blocks": 0}
    recipe = tiny_recipe(model={**TINY, **small, "discriminator_widths": [4, 4], "scales": 1}, data={})
    samples = ClipSamples(clips, ball(), recipe)
    batch = samples.draw(SIDE, np.array([0, 4, 7, 10]), AugmentSection(flip=0), Draws(0, 1))
    assert batch.intra.tolist() == [True, False, True, False]
    task = UniFaceGANTask(recipe)
    game = task.objective(task.network().train())
    optimiser = torch.optim.AdamW(
        [{"params": list(player.module.parameters())} for player in game.players()], lr=2e-3, betas=(0.5, 0.999)
    )
    history = []
    for _ in range(200):
        losses = {name: loss.mean() for name, loss in game(*batch).items()}
        losses["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
        history.append({name: loss.item() for name, loss in losses.items()})
    parts = history[:5], history[-20:]
    early, late = ({name: np.mean([step[name] for step in part]) for name in TERMS} for part in parts)
    for name, share in (("reconstruction", 0.4), ("temporal", 0.6), ("appearance", 0.9)):
        assert late[name] < share * early[name], (name, early[name], late[name])
    # Neither side runs away from the other: an idle discriminator scores 2.
    assert 0.2 < late["discriminator"] < 3


def test_recipes_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="attention_side is 5"):
        UniFaceGANTask(tiny_recipe(model={**TINY, "attention_side": 5}))
    with pytest.raises(RecipeError, match="a stage has size 30; this model takes multiples of 4"):
        UniFaceGANTask(tiny_recipe(stages=[{"size": 30, "batch": 1}]))
    with pytest.raises(RecipeError, match="nothing to learn"):
        nothing = {"adversarial": 0, "appearance": 0, "reconstruction": 0, "temporal": 0}
        UniFaceGANTask(tiny_recipe(objective=nothing))
    with pytest.raises(RecipeError, match=r"weights are in \[objective\]"):
        UniFaceGANTask(tiny_recipe(loss={"weighting": "min_snr"}))
    with pytest.raises(RecipeError, match=r"unknown key 'sampling.sigma'"):
        tiny_recipe(sampling={"sigma": 0.5})
    with pytest.raises(WeightsError, match="no face embedding network at"):
        UniFaceGANTask(tiny_recipe(objective={"embedder": str(tmp_path / "none.pth")}))
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="is no checkpoint of an iresnet"):
        UniFaceGANTask(tiny_recipe(objective={"embedder": str(tmp_path / "other.pth")}))


def test_advice(tmp_path: Path) -> None:
    assert UniFaceGANTask(tiny_recipe()).advice == ()
    (left_out,) = UniFaceGANTask(tiny_recipe(objective={"identity": 1.0})).advice
    assert "identity term is left out" in left_out
    (no_truth,) = UniFaceGANTask(tiny_recipe(sampling={"intra": 0.0})).advice
    assert "no ground truth" in no_truth
    torch.save(IResNet((1, 1, 1, 1)).state_dict(), tmp_path / "arcface.pth")
    task = UniFaceGANTask(tiny_recipe(objective={"identity": 1.0, "embedder": str(tmp_path / "arcface.pth")}))
    assert task.advice == () and "identity" in task.objective(task.network()).terms
    (unused,) = UniFaceGANTask(tiny_recipe(objective={"embedder": str(tmp_path / "arcface.pth")})).advice
    assert "not used" in unused


def test_beta1_of_a_recipe() -> None:
    assert OptimiserSection().beta1 == 0.9 and tiny_recipe().optimiser.beta1 == 0.5
    assert replace(UniFaceGANConfig.from_options(TINY), skips=True).skips
