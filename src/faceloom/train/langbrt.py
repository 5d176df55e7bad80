"""Training of LangBRT: detection, retouching and the discriminator together, equation (11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from faceloom.errors import RecipeError
from faceloom.methods.langbrt.checkpoint import load_langbrt
from faceloom.methods.langbrt.prompts import PREDEFINED, TABLE, Prompt, phrases
from faceloom.nets.langbrt import LangBRT, LangBRTConfig, PatchDiscriminator
from faceloom.perceive.text import TextEncoder
from faceloom.train import langbrt_losses as losses
from faceloom.train.blemishes.choose import VOCABULARY
from faceloom.train.blemishes.planes import FIXED, LEAST_SIDE, Pairs
from faceloom.train.checkpoint import require_same_options
from faceloom.train.draws import Draws
from faceloom.train.langbrt_recipe import LangBRTRecipe, RetouchLossSection
from faceloom.train.sheets import page
from faceloom.train.task import Objective, Player
from faceloom.types import Image

Given = tuple[Tensor, ...]


class Adversaries(nn.Module):
    """The retoucher and its discriminator: trained, averaged and kept together, so that a run resumes exactly."""

    def __init__(self, config: LangBRTConfig, predefined: Tensor) -> None:
        super().__init__()
        self.retoucher = LangBRT(config)
        self.retoucher.set_predefined(predefined)
        self.critic = PatchDiscriminator(config)


class RetouchObjective(Objective):
    """Equation (11) and the discriminator's own loss, for each picture; without the latter two in evaluation mode.

    Both are minimised in one step: each network's loss sees the other's weights as constants.
    """

    network: Adversaries
    terms = ("pixels", "detection", "prompts", "perceptual", "dissimilarity", "adversarial", "critic")

    def __init__(self, network: Adversaries, how: RetouchLossSection, trunk: nn.Module | None) -> None:
        super().__init__()
        self.network, self.how, self.trunk = network, how, trunk

    def players(self) -> tuple[Player, ...]:
        """The retoucher and the critic."""
        return Player(self.network.retoucher), Player(self.network.critic)

    def forward(
        self,
        blemished: Tensor,
        target: Tensor,
        own: Tensor,
        asked: Tensor,
        masks: Tensor,
        areas: Tensor,
        labelled: Tensor,
        corner: Tensor,
    ) -> dict[str, Tensor]:
        """(B,) losses: ``loss`` and ``terms``, before their weights.

        The arguments are those of ``Pairs``, with text vectors for ``own`` and (B, 2) crop corners in [0, 1].
        """
        how = self.how
        result = self.network.retoucher(blemished, own, asked)
        image, logits, found = result.image.float(), result.logits.float(), result.target.float()
        changed = losses.difference_map(blemished, target)
        truth, small = losses.reduced(changed, found), losses.reduced(masks, logits)
        terms = {name: torch.zeros(len(image), device=image.device) for name in self.terms}
        terms["pixels"] = losses.pixels(image, target) + how.outside * losses.beyond(image - blemished, changed)
        terms["pixels"] += how.inside * losses.within(image, target, changed)
        terms["detection"] = losses.detection(found, truth)
        terms["detection"] += losses.components(found, truth, losses.reduced(areas, found))
        terms["prompts"] = labelled * losses.prompt_maps(logits, small)
        if how.beta and self.trunk is not None:
            one, other = (self._crop(x, corner) for x in (image, target))
            terms["perceptual"] = losses.perceptual(one, other, self.trunk)
        if self.network.training:
            if how.gamma:
                left = self._frozen_detection(image, own).float()
                terms["dissimilarity"] = losses.dissimilarity(losses.detector_similarity(left, small, asked))
            if how.adversarial:
                opinion = _with_constants(self.network.critic, image).float()
                terms["adversarial"] = losses.adversarial(opinion, saturating=how.saturating)
                real, retouched = self.network.critic(target).float(), self.network.critic(image.detach()).float()
                terms["critic"] = losses.criticism(real, retouched)
        return {"loss": self._sum(terms), **terms}

    def _sum(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Equation (11), with the discriminator's own loss."""
        how = self.how
        return (
            terms["pixels"]
            + how.beta * terms["perceptual"]
            + how.eta * terms["detection"]
            + how.prompts * terms["prompts"]
            - how.gamma * terms["dissimilarity"]
            + how.adversarial * terms["adversarial"]
            + terms["critic"]
        )

    def _frozen_detection(self, image: Tensor, own: Tensor) -> Tensor:
        """Detection in the retouched picture, whose gradient goes to the picture alone."""
        retoucher = self.network.retoucher
        constants = {name: value.detach() for name, value in retoucher.named_parameters()}
        return functional_call(_Detection(retoucher), {f"net.{k}": v for k, v in constants.items()}, (image, own))

    def _crop(self, x: Tensor, corner: Tensor) -> Tensor:
        side = self.how.perceptual_crop
        if not side or side >= x.shape[-1]:
            return x
        top, left = (corner[0] * (x.shape[-1] - side)).round().long().tolist()
        return x[..., top : top + side, left : left + side]


class _Detection(nn.Module):
    """``LangBRT.detect`` as a module."""

    def __init__(self, net: LangBRT) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, own: Tensor) -> Tensor:
        return self.net.detect(image, own)


def _with_constants(module: nn.Module, x: Tensor) -> Tensor:
    return functional_call(module, {name: value.detach() for name, value in module.named_parameters()}, (x,))


class LangBRTTask:
    """LangBRT of the recipe's configuration; see ``Task``.

    Args:
        recipe: what to do.
        encoder: of the prompts' words.
        trunk: of the perceptual term, (B, 3, S, S) in [-1, 1] to feature maps; None leaves the term out.

    Raises:
        RecipeError: an option of the model is unknown or makes no sense, or a stage's size does not suit it.
    """

    def __init__(self, recipe: LangBRTRecipe, encoder: TextEncoder, trunk: nn.Module | None = None) -> None:
        options = {"text_dim": encoder.dimension, "predefined": FIXED, **recipe.model}
        try:
            self.config = LangBRTConfig.from_options(options)
        except (TypeError, ValueError) as error:
            raise RecipeError(f"the recipe's model: {error}") from error
        self._check(recipe, encoder)
        self.advice: tuple[str, ...] = ()
        # What the weights mean depends on the words they were trained with.
        self.options: Mapping[str, Any] = {
            **self.config.options(),
            "text_encoder": encoder.name,
            "prompts": [prompt.text for prompt in TABLE],
        }
        self._how = recipe.retouch
        self._trunk = None if trunk is None else trunk.eval().requires_grad_(False)
        self._predefined = torch.from_numpy(encoder.encode([prompt.text for prompt in PREDEFINED]))
        self._vectors, self._counts = _vectors(VOCABULARY, encoder)

    def network(self) -> Adversaries:
        """Fresh weights, from torch's generator."""
        return Adversaries(self.config, self._predefined)

    def finished(self, path: Path) -> Mapping[str, Tensor]:
        """The weights of an exported retoucher; the critic, whatever its size, is not in such a file."""
        loaded = load_langbrt(path)
        options = {**loaded.model.config.options(), "text_encoder": loaded.text_encoder}
        del options["critic_widths"]
        require_same_options(path, options, self.options)
        return {f"retoucher.{name}": value for name, value in loaded.model.state_dict().items()}

    def objective(self, network: nn.Module) -> RetouchObjective:
        """The losses around a network."""
        assert isinstance(network, Adversaries)
        return RetouchObjective(network, self._how, self._trunk)

    def draw(self, pairs: Pairs, draws: Draws) -> Given:
        """Pairs with words drawn for every prompt."""
        chance = draws.uniform(0, 1, pairs.own.numel()).view_as(pairs.own)
        ways = (chance * self._counts.to(chance.device)[pairs.own]).long()
        return self._given(pairs, ways, draws.uniform(0, 1, 2 * len(pairs.own)).view(-1, 2))

    def examples(self, pairs: Pairs) -> Given:
        """Pairs in the prompts' own words."""
        middle = torch.full((len(pairs.own), 2), 0.5, device=pairs.own.device)
        return self._given(pairs, torch.zeros_like(pairs.own), middle)

    def extra(self) -> Mapping[str, Tensor]:
        """Nothing: the vectors of the pre-defined prompts are part of the network."""
        return {}

    @torch.inference_mode()
    def sheet(self, network: nn.Module, pairs: Pairs) -> Image:
        """Rows: blemished faces; what should be found and what is; retouched; what they should become."""
        assert isinstance(network, Adversaries)
        blemished, target, own, asked, *_ = self.examples(pairs)
        result = network.retoucher(blemished, own, asked)
        size = list(blemished.shape[-2:])
        found = torch.nn.functional.interpolate(result.target.float(), size, mode="nearest")
        truth = losses.difference_map(blemished, target)
        gray = [(2 * x - 1).expand(-1, 3, -1, -1) for x in (truth, found)]
        return page([blemished, *gray, result.image.float(), target])

    def _given(self, pairs: Pairs, ways: Tensor, corner: Tensor) -> Given:
        own = self._vectors.to(pairs.own.device)[pairs.own, ways]
        return pairs.blemished, pairs.target, own, pairs.asked, pairs.masks, pairs.areas, pairs.labelled, corner

    def _check(self, recipe: LangBRTRecipe, encoder: TextEncoder) -> None:
        if self.config.text_dim != encoder.dimension or self.config.predefined != FIXED:
            raise RecipeError(
                f"the recipe's model: text_dim must be {encoder.dimension} for {encoder.name}, and predefined {FIXED}; "
                "leave both out, and they are"
            )
        multiple = self.config.window << len(self.config.widths)
        for size in recipe.sizes:
            if size % multiple or size < LEAST_SIDE:
                raise RecipeError(f"a stage has size {size}; this model takes multiples of {multiple}")


def _vectors(prompts: Sequence[Prompt], encoder: TextEncoder) -> tuple[Tensor, Tensor]:
    """(V, K, T) vectors of the ways to say each prompt, the first ``count`` of each row used, and (V,) counts."""
    ways = [phrases(prompt) for prompt in prompts]
    flat = encoder.encode([way for row in ways for way in row])
    counts = np.array([len(row) for row in ways])
    vectors = np.zeros((len(ways), counts.max(), flat.shape[1]), np.float32)
    for row, part in enumerate(np.split(flat, np.cumsum(counts)[:-1])):
        vectors[row, : len(part)] = part
    return torch.from_numpy(vectors), torch.from_numpy(counts)
