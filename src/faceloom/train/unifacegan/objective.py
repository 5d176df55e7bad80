"""Generator and discriminator at odds with each other, as one module for the loop."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from faceloom.nets.unifacegan import (
    MultiScaleDiscriminator,
    UniFaceGAN,
    UniFaceGANConfig,
    appearance_hint,
    hinge_for_discriminator,
    hinge_for_generator,
)
from faceloom.train.task import Objective, Player
from faceloom.train.unifacegan.episodes import Episodes
from faceloom.train.unifacegan.identity import align_faces
from faceloom.train.unifacegan.losses import (
    appearance_loss,
    identity_loss,
    reconstruction_loss,
    temporal_loss,
    total_loss,
)
from faceloom.train.unifacegan.recipe import ObjectiveSection, SamplingSection


class Game(nn.Module):
    """All that is trained: ``model`` (E and G), which is used afterwards, and ``discriminator`` (D)."""

    def __init__(self, config: UniFaceGANConfig) -> None:
        super().__init__()
        self.model = UniFaceGAN(config)
        self.discriminator = MultiScaleDiscriminator(config)


class GameObjective(Objective):
    """Eq. 18, for both sides in one pass.

    ``loss`` is what E and G minimise plus what D minimises. Each part sees the other's weights, and D the results, as
    constants, so its gradient goes to one side alone: the step is that of two optimisers that move at the same time.

    In evaluation ``loss`` is the reconstruction loss of the episodes within a clip, which does not depend on the
    discriminator of the moment.

    embedder  for the identity term; None leaves it out.
    """

    network: Game

    def __init__(
        self, network: Game, how: ObjectiveSection, sampling: SamplingSection, embedder: nn.Module | None
    ) -> None:
        super().__init__()
        self.network, self.how, self.sampling, self.embedder = network, how, sampling, embedder
        network.discriminator.requires_grad_(how.adversarial > 0)
        weighted = ("appearance", "reconstruction", "temporal", "identity")
        left_out = {"temporal": not how.has_flow, "identity": embedder is None}
        kept = tuple(name for name in weighted if getattr(how, name) > 0 and not left_out.get(name))
        self.terms = (*kept, *(("adversarial", "discriminator") if how.adversarial > 0 else ()))

    def players(self) -> tuple[Player, ...]:
        """E with G, and D."""
        if self.how.adversarial == 0:
            return (Player(self.network.model),)
        return Player(self.network.model), Player(self.network.discriminator, self.how.discriminator_rate)

    def forward(self, *tensors: Tensor) -> dict[str, Tensor]:
        """``loss`` and ``terms``, (B,) each, for the tensors of ``Episodes``."""
        episodes = Episodes(*tensors)
        if not self.network.training:
            return {"loss": self._measured(episodes)}
        times = 2 if self.how.has_flow else 1
        result, hint = generate(self.network.model, episodes, self.sampling, times)
        terms = self._terms(episodes, result, hint, times)
        loss = total_loss(terms, self.how)
        if self.how.adversarial > 0:
            against = self._against(_flat(episodes.identity[:, :times]), result)
            terms["discriminator"] = _per_episode(against, times)
            loss = loss + terms["discriminator"]
        return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}

    def _measured(self, episodes: Episodes) -> Tensor:
        result, _ = generate(self.network.model, episodes, self.sampling, 1)
        within = episodes.intra
        return reconstruction_loss(result, self._truth(episodes, 1), within)[within]

    def _terms(self, episodes: Episodes, result: Tensor, hint: Tensor, times: int) -> dict[str, Tensor]:
        """What E and G are judged by; a loss of single pictures is the mean over t and t - 1, both being generated."""
        terms: dict[str, Tensor] = {}
        intra = episodes.intra.repeat_interleave(times)
        if "appearance" in self.terms:
            wanted = _flat(episodes.appearance[:, :times])
            terms["appearance"] = _per_episode(self._appearance(result, wanted, hint), times)
        if "reconstruction" in self.terms:
            terms["reconstruction"] = _per_episode(
                reconstruction_loss(result, self._truth(episodes, times), intra), times
            )
        if "temporal" in self.terms:
            now, before = result.unflatten(0, (-1, times)).unbind(1)
            terms["temporal"] = temporal_loss(now, before, episodes.flow, episodes.visible, episodes.intra)
        if "identity" in self.terms:
            terms["identity"] = self._identity(result.unflatten(0, (-1, times))[:, 0], episodes)
        if "adversarial" in self.terms:
            scores = frozen(self.network.discriminator, result)
            terms["adversarial"] = _per_episode(hinge_for_generator(scores), times)
        return terms

    def _truth(self, episodes: Episodes, times: int) -> Tensor:
        return _flat(getattr(episodes, self.sampling.truth)[:, :times])

    def _appearance(self, result: Tensor, wanted: Tensor, hint: Tensor) -> Tensor:
        """Eq. 8; both pictures go through E together, so that they are normalised alike."""
        embedder = self.network.model.embedder
        pictures, hints = torch.cat([result, wanted]), torch.cat([hint, hint])
        said = embedder(pictures, hints) if self.how.trains_embedder else frozen(embedder, pictures, hints)
        return appearance_loss(*said.chunk(2))

    def _identity(self, result: Tensor, episodes: Episodes) -> Tensor:
        assert self.embedder is not None
        with torch.no_grad():
            wanted = self.embedder(align_faces(episodes.identity[:, 0], episodes.faces[:, 1]))
        return identity_loss(self.embedder(align_faces(result, episodes.faces[:, 0])), wanted)

    def _against(self, real: Tensor, result: Tensor) -> Tensor:
        """What D minimises; it has no state, so real and made pictures can go through it together."""
        scores = self.network.discriminator(torch.cat([real.to(result.dtype), result.detach()]))
        halves = [logits.chunk(2) for logits in scores]
        return hinge_for_discriminator([half[0] for half in halves], [half[1] for half in halves])


def generate(model: nn.Module, episodes: Episodes, how: SamplingSection, times: int) -> tuple[Tensor, Tensor]:
    """Y and M of the first ``times`` of (t, t - 1): (B times, 3, S, S) each, the times of an episode side by side."""
    from_identity = episodes.hint_of_identity[:, None, None, None, None]
    hinted = torch.where(from_identity, episodes.identity, episodes.appearance)[:, :times]
    face = _flat(episodes.face[:, :times])
    hint = appearance_hint(_flat(hinted), face)
    seen = _flat(hinted if how.sees == "hinted" else episodes.appearance[:, :times])
    return model(_flat(episodes.rendered[:, :times]), seen, hint, face), hint


def frozen(module: nn.Module, *inputs: Tensor) -> Any:
    """``module(*inputs)`` with its weights as constants, and without a trace in its running statistics."""
    state = {name: parameter.detach() for name, parameter in module.named_parameters()}
    state |= {name: buffer.clone() for name, buffer in module.named_buffers()}
    return functional_call(module, state, inputs)


def _flat(x: Tensor) -> Tensor:
    """(B, T, ...) to (B T, ...)."""
    return x.flatten(0, 1)


def _per_episode(losses: Tensor, times: int) -> Tensor:
    """(B T,) to the means (B,)."""
    return losses.unflatten(0, (-1, times)).mean(1)
