"""What the loop reads its batches from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from faceloom.train.draws import Draws
from faceloom.train.recipe import AugmentSection


class Samples(Protocol):
    """Samples by row number, in two splits. What a batch is, is between the samples and the task."""

    @property
    def training(self) -> NDArray[np.integer]:
        """Rows to train on."""

    @property
    def held_out(self) -> NDArray[np.integer]:
        """Rows to measure with, never trained on."""

    def check(self, sizes: Sequence[int]) -> None:
        """Raise MediaError unless every size is here and there is something to train on."""

    def to_device(self, size: int, device: torch.device, budget: int) -> None:
        """Keep the samples of one size in the memory of ``device`` if they fit into ``budget`` bytes."""

    def batch(self, size: int, rows: NDArray[np.integer], device: torch.device | str = "cpu") -> Any:
        """A batch to measure or to show, the same for the same rows."""

    def draw(self, size: int, rows: NDArray[np.integer], how: AugmentSection, draws: Draws) -> Any:
        """A batch to train on, changed at random, on the device of ``draws``; the same for the same arguments."""

    def expect(self, size: int, rows: NDArray[np.integer], draws: Draws) -> None:
        """Told what ``draw`` will most likely be asked next, so that work can begin; ``draws`` may be used up."""
