"""Training recipes: what they may say, and what is said about those that may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.training import MODEL, tiny_recipe

from faceloom.errors import RecipeError
from faceloom.train.diffae import DiffAETask
from faceloom.train.recipe import build_training_recipe, read_training_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("diffae_*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_of_the_repository(path: Path) -> None:
    recipe = read_training_recipe(path)
    assert DiffAETask(recipe).config.image_size == max(recipe.sizes)
    assert recipe.data.hold_out


def test_there_are_recipes() -> None:
    assert "diffae_small128" in [path.stem for path in RECIPES]


def test_changes_win_over_the_file(tmp_path: Path) -> None:
    path = RECIPES[0]
    changed = read_training_recipe(path, {"run": {"samples": 7, "seed": 3}})
    assert (changed.run.samples, changed.run.seed) == (7, 3)
    assert changed.model == read_training_recipe(path).model


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"optimizer": {}}, "unknown key 'optimizer'; did you mean 'optimiser'?"),
        ({"loss": {"weigthing": "plain"}}, "unknown key 'loss.weigthing'; did you mean 'weighting'?"),
        ({"loss": {"weighting": "snr"}}, "loss.weighting: Input should be 'plain', 'inverse_snr'"),
        ({"stages": [{"size": 32, "batches": 4}]}, "unknown key 'stages.0.batches'; did you mean 'batch'?"),
        ({"stages": []}, "stages: "),
        ({"run": {"samples": 0}}, "run.samples: "),
        ({"run": {"samples": None}}, "the run never ends; give run.samples or run.minutes"),
        ({"augment": {"flip": 2}}, "augment.flip: "),
    ],
)
def test_recipes_that_make_no_sense(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match="recipe: ") as caught:
        tiny_recipe(**sections)
    assert message in str(caught.value)


def test_missing_sections() -> None:
    with pytest.raises(RecipeError, match="'model' is missing; 'stages' is missing"):
        build_training_recipe({"run": {"samples": 1}})


@pytest.mark.parametrize(
    ("model", "stages", "message"),
    [
        ({"model_chanels": 8}, None, "model_chanels is unknown"),
        ({"model_channels": 16}, None, "divisible"),
        ({"enc_out_channels": 32}, None, "they must be equal"),
        ({}, [{"size": 64, "batch": 1}], "a stage has size 64; this model takes multiples of 2 up to 32"),
        ({"channel_mult": [1, 1, 1, 2]}, [{"size": 20, "batch": 1}], "multiples of 8 up to 32"),
    ],
)
def test_models_that_cannot_be(model: dict[str, Any], stages: list[dict[str, int]] | None, message: str) -> None:
    recipe = tiny_recipe(model={**MODEL, **model}, **({"stages": stages} if stages else {}))
    with pytest.raises(RecipeError, match=message):
        DiffAETask(recipe)


@pytest.mark.parametrize(("channels", "warns"), [(32, True), (64, False)])
def test_models_that_cannot_see_colour(channels: int, warns: bool) -> None:
    task = DiffAETask(tiny_recipe(model={**MODEL, "model_channels": channels}))
    assert bool(task.advice) is warns and all("64 channels cure it" in line for line in task.advice)
    flat = torch.linspace(0, 3, channels).view(1, -1, 1, 1).expand(1, -1, 8, 8)
    with torch.no_grad():
        seen = float(task.network().out[0](flat).abs().max())
    assert (seen < 1e-3) == warns, "the mean of a channel survives normalisation in groups of two or more"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot read the recipe .*none.toml: No such file"):
        read_training_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[model\n")
    with pytest.raises(RecipeError, match=r"bad.toml is not valid TOML"):
        read_training_recipe(tmp_path / "bad.toml")
