"""Random numbers of one training step, a function of the seed and the step alone.

So a run that was stopped goes on exactly, without the state of any generator being kept.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class Draws:
    """Generators for one step on one device.

    seed, step, rank  of the run, of the step in it, and of the process among those of a run on several devices.
    device            where ``noise`` is made; everything small is drawn on the CPU, the same on every kind of device.
    """

    def __init__(self, seed: int, step: int, rank: int = 0, device: torch.device | str = "cpu") -> None:
        self.key = seed, step, rank
        state = [int(word) for word in np.random.SeedSequence((seed, step, rank)).generate_state(3, np.uint64) >> 1]
        self.device = torch.device(device)
        self._small = torch.Generator().manual_seed(state[0])
        self._large = torch.Generator(self.device).manual_seed(state[1])
        self._dropout = state[2]

    def numbers(self) -> np.random.Generator:
        """A generator for what is chosen off the device; a new one, with the same numbers, at each call."""
        return np.random.default_rng((*self.key, 1))

    def seed_dropout(self) -> None:
        """Seed torch's own generators, which layers draw from."""
        torch.manual_seed(self._dropout)

    def integers(self, high: int, count: int) -> Tensor:
        """(count,) int64 in [0, high), on the device."""
        return torch.randint(high, (count,), generator=self._small).to(self.device)

    def uniform(self, low: float, high: float, count: int) -> Tensor:
        """(count,) float32 in [low, high), on the device."""
        return torch.empty(count).uniform_(low, high, generator=self._small).to(self.device)

    def noise(self, like: Tensor) -> Tensor:
        """Standard normal numbers in the shape and memory format of ``like``, which is on the device."""
        return torch.empty_like(like).normal_(generator=self._large)
