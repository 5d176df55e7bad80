"""Deterministic sampling of a diffusion model that predicts noise: from a picture to its noise map and back.

Song et al., Denoising Diffusion Implicit Models, ICLR 2021 (DDIM), run as Diffusion Autoencoders run it: the estimate
of the picture is clamped to [-1, 1] in every step and the noise derived from it anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

NoisePredictor = Callable[[Tensor, int], Tensor]
"""Noise in ``x_t`` (B, 3, S, S) at an integer time step."""
StepCallback = Callable[[int, Tensor], None]
"""Called after every step with the grid index that was stepped from and the picture so far."""


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """How much of the picture is left at each training time step.

    ``alpha_bar`` (T,) float64: squared share of the picture in ``x_t``; the rest is noise.
    """

    alpha_bar: Tensor

    @classmethod
    def linear(cls, steps: int = 1000, start: float = 1e-4, end: float = 2e-2) -> NoiseSchedule:
        """Variances that grow linearly (Ho et al., DDPM, NeurIPS 2020)."""
        return cls(torch.cumprod(1 - torch.linspace(start, end, steps, dtype=torch.float64), dim=0))

    def __len__(self) -> int:
        return len(self.alpha_bar)

    def add_noise(self, x: Tensor, steps: Tensor, noise: Tensor) -> Tensor:
        """``x_t`` of pictures (B, 3, S, S) at time steps (B,): ``sqrt(abar) x + sqrt(1 - abar) noise``."""
        left = self.alpha_bar.to(x.device)[steps].view(-1, 1, 1, 1)
        return left.sqrt().to(x.dtype) * x + (1 - left).sqrt().to(x.dtype) * noise

    def grid(self, count: int) -> list[int]:
        """``count`` evenly spaced time steps, as the official spacing rule makes them: 0, s, 2 s, … below T.

        Raises:
            ValueError: no spacing gives exactly ``count`` steps; the message names the nearest counts that work.
        """
        total = len(self)
        if 1 <= count <= total:
            spacing = -(-total // count)
            if len(range(0, total, spacing)) == count:
                return list(range(0, total, spacing))
        works = sorted({len(range(0, total, spacing)) for spacing in range(1, total + 1)})
        below, above = [n for n in works if n < count][-2:], [n for n in works if n > count][:2]
        raise ValueError(
            f"{count} steps cannot be spaced evenly over {total} time steps; "
            f"near ones that can: {', '.join(map(str, below + above))}"
        )


def ddim_invert(
    predict: NoisePredictor,
    x: Tensor,
    schedule: NoiseSchedule,
    count: int,
    top: int | None = None,
    callback: StepCallback | None = None,
) -> Tensor:
    """The noise map z_sto from which ``ddim_render`` gives back about ``x`` (DDIM run backwards, eq. 8 of DiffAE).

    Each step goes from grid point i to i + 1 with the noise predicted at i; the last leads to pure noise (abar = 0).
    With ``top`` it ends at that grid point, where part of the picture is still in sight.
    """
    grid = schedule.grid(count)
    for i, step in enumerate(grid[:top]):
        abar, above = _abar(schedule, grid, i), _abar(schedule, grid, i + 1)
        picture, noise = clamped(x, predict(x, step), abar)
        x = above**0.5 * picture + (1 - above) ** 0.5 * noise
        if callback:
            callback(i, x)
    return x


def exact_invert(
    predict: NoisePredictor,
    x: Tensor,
    schedule: NoiseSchedule,
    count: int,
    top: int | None = None,
    callback: StepCallback | None = None,
    iterations: int = 1,
) -> Tensor:
    """The noise map from which ``ddim_render`` with the same ``count`` gives back ``x``, as nearly as clamping allows.

    A rendering step is undone by a fixed-point iteration for the noise that was predicted where the step came from
    (Pan et al., Effective Real Image Editing with Accelerated Iterative Diffusion Inversion, ICCV 2023), begun with
    the noise of the step before. One iteration per step costs what ``ddim_invert`` does.
    """
    grid = schedule.grid(count)
    noise = predict(x, grid[0])
    for i, step in enumerate(grid[: None if top is None else top + 1]):
        abar, below = _abar(schedule, grid, i), _abar(schedule, grid, i - 1)
        for _ in range(iterations):
            noise = predict(_undone(x, noise, abar, below), step)
        x = _undone(x, noise, abar, below)
        if callback:
            callback(i, x)
    return x


def _undone(x: Tensor, noise: Tensor, abar: float, below: float) -> Tensor:
    """What a rendering step came from (at ``abar``), if it led to ``x`` (at ``below``) by this noise."""
    picture = ((x - (1 - below) ** 0.5 * noise) / below**0.5).clamp(-1, 1)
    if below < 1:
        noise = (x - below**0.5 * picture) / (1 - below) ** 0.5
    return abar**0.5 * picture + (1 - abar) ** 0.5 * noise


def ddim_render(
    predict: NoisePredictor,
    noise_map: Tensor,
    schedule: NoiseSchedule,
    count: int,
    top: int | None = None,
    callback: StepCallback | None = None,
) -> Tensor:
    """A picture (B, 3, S, S) in [-1, 1] from the noise map at grid point ``top``, the last unless given (eta = 0)."""
    grid, x = schedule.grid(count), noise_map
    for i in reversed(range(count if top is None else top + 1)):
        abar, below = _abar(schedule, grid, i), _abar(schedule, grid, i - 1)
        picture, noise = clamped(x, predict(x, grid[i]), abar)
        x = below**0.5 * picture + (1 - below) ** 0.5 * noise
        if callback:
            callback(i, x)
    return x


def clamped(x: Tensor, noise: Tensor, abar: float) -> tuple[Tensor, Tensor]:
    """The picture in ``x_t``, clamped to [-1, 1], and the noise that is then in it."""
    picture = ((x - (1 - abar) ** 0.5 * noise) / abar**0.5).clamp(-1, 1)
    return picture, (x - abar**0.5 * picture) / (1 - abar) ** 0.5


def _abar(schedule: NoiseSchedule, grid: list[int], index: int) -> float:
    """Share left at a grid index; 1 below the first (a clean picture), 0 above the last (pure noise)."""
    if index < 0:
        return 1.0
    return float(schedule.alpha_bar[grid[index]]) if index < len(grid) else 0.0
