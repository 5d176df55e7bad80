"""Measures of the round trip, on a model whose noise is known."""

from __future__ import annotations

import pytest
import torch
from support.training import MODEL
from torch import Tensor

from faceloom.nets.diffae import DiffAEConfig, DiffusionAutoencoder
from faceloom.nets.diffusion import NoiseSchedule
from faceloom.train.reconstruction import reconstruction_report

SCHEDULE = NoiseSchedule.linear()


class Oracle(DiffusionAutoencoder):
    """Knows the picture from its code, which is the picture itself; ``off`` is added to what it believes."""

    def __init__(self, off: float) -> None:
        super().__init__(DiffAEConfig.from_options(MODEL))
        self.off = off

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def forward(self, x: Tensor, steps: Tensor, z_sem: Tensor) -> Tensor:
        left = SCHEDULE.alpha_bar[int(steps[0])].float()
        return (x - left.sqrt() * (z_sem.view_as(x) + self.off)) / (1 - left).sqrt()


@pytest.fixture
def pictures() -> Tensor:
    """(3, 3, 16, 16): gray, with means that differ by 0.2, and some texture."""
    texture = 0.1 * torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return texture + torch.tensor([-0.2, 0.0, 0.2]).view(3, 1, 1, 1)


def test_a_perfect_model(pictures: Tensor) -> None:
    ten, twenty = reconstruction_report(Oracle(0.0), SCHEDULE, pictures, (10, 20))
    assert (ten.steps, twenty.steps, ten.faces) == (10, 20, 3)
    assert min(ten.psnr, twenty.worst_psnr) > 60 and ten.tint < 0.1
    # The codes decide everything, so each picture becomes the next one.
    expected = (pictures.roll(-1, 0) - pictures).abs().mean().item() * 127.5
    assert ten.swap == pytest.approx(expected, rel=0.01)


def test_a_model_with_a_tint(pictures: Tensor) -> None:
    (result,) = reconstruction_report(Oracle(0.1), SCHEDULE, pictures, [20])
    assert result.tint == pytest.approx(0.1 * 127.5, rel=0.05)
    assert result.psnr == pytest.approx(-20 * torch.tensor(0.05).log10().item(), abs=0.5)
    assert result.worst_psnr <= result.psnr


def test_numbers_of_steps_that_do_not_work(pictures: Tensor) -> None:
    with pytest.raises(ValueError, match="60 steps cannot be spaced evenly"):
        reconstruction_report(Oracle(0.0), SCHEDULE, pictures, [60])
