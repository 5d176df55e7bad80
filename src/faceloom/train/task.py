"""What a kind of model brings to the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from faceloom.train.draws import Draws
from faceloom.types import Image


@dataclass(frozen=True, eq=False)
class Player:
    """Weights that are optimised apart: their gradient is clipped on its own, and they learn at a rate of their own.

    Adam keeps its moments for each weight, so players of one optimiser move as if each had one to itself.

    rate  times the recipe's learning rate.
    """

    module: nn.Module
    rate: float = 1.0


class Objective(nn.Module):
    """A network and its loss, as one module, so that it can be compiled and spread over devices.

    ``forward`` takes the tensors that ``Task.draw`` made and returns the loss of each picture, (B,) float32; or, with
    ``terms``, a mapping of ``loss`` and each of ``terms`` to such tensors. ``loss`` is minimised, terms are logged.
    """

    network: nn.Module
    terms: tuple[str, ...] = ()

    def players(self) -> tuple[Player, ...]:
        """What is optimised: disjoint parts of the network, all of it unless it is at odds with itself."""
        return (Player(self.network),)


class Task(Protocol):
    """A kind of model that the loop can train."""

    options: Mapping[str, Any]
    """Of the network, for the checkpoint."""
    advice: tuple[str, ...]
    """What a person should know about the recipe's choices."""

    def network(self) -> nn.Module:
        """A new network with fresh weights."""

    def finished(self, path: Path) -> Mapping[str, Tensor]:
        """Weights for use, as this kind of model is exported, under the names of ``network``'s parameters.

        What takes part in training alone, such as a critic, is not among them. Raises WeightsError: no such file, of
        another kind, or of another configuration than the recipe's.
        """

    def objective(self, network: nn.Module) -> Objective:
        """The loss around a network."""

    def draw(self, pictures: Any, draws: Draws) -> tuple[Tensor, ...]:
        """What ``Objective.forward`` takes, for a batch of the samples: of packed faces, (B, 3, S, S) in [-1, 1]."""

    def examples(self, pictures: Any) -> tuple[Tensor, ...]:
        """As ``draw``, but always the same for the same pictures: for measuring on faces that are held out."""

    def extra(self) -> Mapping[str, Tensor]:
        """More tensors for the checkpoint's ``state_dict``."""

    def sheet(self, network: nn.Module, pictures: Any) -> Image:
        """A page that shows what the network can do, (H, W, 3) uint8 RGB."""
