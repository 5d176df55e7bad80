"""What a kind of model brings to the loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from faceloom.train.draws import Draws
from faceloom.types import Image


class Objective(nn.Module):
    """A network and its loss, as one module, so that it can be compiled and spread over devices.

    ``forward`` takes the tensors that ``Task.draw`` made and returns the loss of each picture, (B,) float32.
    """

    network: nn.Module


class Task(Protocol):
    """A kind of model that the loop can train."""

    options: Mapping[str, Any]
    """Of the network, for the checkpoint."""
    advice: tuple[str, ...]
    """What a person should know about the recipe's choices."""

    def network(self) -> nn.Module:
        """A new network with fresh weights."""

    def objective(self, network: nn.Module) -> Objective:
        """The loss around a network."""

    def draw(self, pictures: Tensor, draws: Draws) -> tuple[Tensor, ...]:
        """What ``Objective.forward`` takes, for pictures (B, 3, S, S) in [-1, 1]."""

    def examples(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """As ``draw``, but always the same for the same pictures: for measuring on faces that are held out."""

    def extra(self) -> Mapping[str, Tensor]:
        """More tensors for the checkpoint's ``state_dict``."""

    def sheet(self, network: nn.Module, pictures: Tensor) -> Image:
        """A page that shows what the network can do, (H, W, 3) uint8 RGB."""
