"""UniFaceGAN as a kind of model that the loop can train."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceloom.errors import RecipeError
from faceloom.methods.unifacegan.checkpoint import load_model
from faceloom.nets.unifacegan import UniFaceGANConfig
from faceloom.train.checkpoint import require_same_options
from faceloom.train.draws import Draws
from faceloom.train.recipe import LossSection
from faceloom.train.sheets import page
from faceloom.train.unifacegan.episodes import Episodes
from faceloom.train.unifacegan.identity import load_embedder
from faceloom.train.unifacegan.objective import Game, GameObjective, generate
from faceloom.train.unifacegan.recipe import UniFaceGANRecipe
from faceloom.types import Image

_DISCRIMINATORS = ("discriminator_widths", "scales")


class UniFaceGANTask:
    """UniFaceGAN of the recipe's configuration; see ``Task``.

    Raises:
        RecipeError: an option of the model is unknown or makes no sense, a stage's size does not suit it, or nothing is
            minimised.
        WeightsError: the recipe names a face embedding network that cannot be read.
    """

    def __init__(self, recipe: UniFaceGANRecipe) -> None:
        try:
            self.config = UniFaceGANConfig.from_options(recipe.model)
        except (TypeError, ValueError) as error:
            raise RecipeError(f"the recipe's model: {error}") from error
        for size in recipe.sizes:
            if size % self.config.multiple:
                raise RecipeError(f"a stage has size {size}; this model takes multiples of {self.config.multiple}")
        if recipe.loss != LossSection():
            raise RecipeError("[loss] weighs noise levels, which this model has not; its weights are in [objective]")
        self._how, self._sampling = recipe.objective, recipe.sampling
        self._embedder = load_embedder(Path(recipe.objective.embedder)) if recipe.objective.embedder else None
        self.options: Mapping[str, Any] = self.config.options()
        self.advice = _advice(recipe)
        if not set(GameObjective(self.network(), self._how, self._sampling, self._embedder).terms):
            raise RecipeError("every weight in [objective] is 0, so there is nothing to learn")

    def network(self) -> Game:
        """Fresh weights, from torch's generator."""
        return Game(self.config)

    def finished(self, path: Path) -> Mapping[str, Tensor]:
        """The weights of an exported embedder and generator; discriminators are not in such a file."""
        loaded = load_model(path).model
        sizes = {name: value for name, value in loaded.config.options().items() if name not in _DISCRIMINATORS}
        require_same_options(path, sizes, self.options)
        return {f"model.{name}": value for name, value in loaded.state_dict().items()}

    def objective(self, network: nn.Module) -> GameObjective:
        """The losses of both sides around a network."""
        assert isinstance(network, Game)
        return GameObjective(network, self._how, self._sampling, self._embedder)

    def draw(self, pictures: Episodes, draws: Draws) -> tuple[Tensor, ...]:
        """The episodes; chance has had its say when they were sampled."""
        return pictures

    def examples(self, pictures: Episodes) -> tuple[Tensor, ...]:
        """The episodes."""
        return pictures

    def extra(self) -> Mapping[str, Tensor]:
        """Nothing."""
        return {}

    @torch.inference_mode()
    def sheet(self, network: nn.Module, pictures: Episodes) -> Image:
        """Rows, at t: X_p (pose and appearance), X_i (identity), R (rendered), M (hint), Y (result)."""
        assert isinstance(network, Game)
        result, hint = generate(network.model, pictures, self._sampling, 1)
        return page([pictures.appearance[:, 0], pictures.identity[:, 0], pictures.rendered[:, 0], hint, result])


def _advice(recipe: UniFaceGANRecipe) -> tuple[str, ...]:
    how, lines = recipe.objective, list[str]()
    if how.identity > 0 and how.embedder is None:
        lines.append(
            "the identity term is left out: objective.embedder names no face embedding network that gradients can "
            "pass; give an ArcFace (iresnet) PyTorch checkpoint"
        )
    if how.identity == 0 and how.embedder is not None:
        lines.append("objective.embedder is not used, because the weight objective.identity is 0")
    if recipe.sampling.intra == 0:
        lines.append(
            "with sampling.intra 0 there is no ground truth: the reconstruction and temporal losses are always 0"
        )
    return tuple(lines)
