"""Weights of noise levels, learning rates, stages, the running mean and random draws."""

from __future__ import annotations

import pytest
import torch
from support.training import tiny_recipe
from torch import nn

from faceloom.nets.diffusion import NoiseSchedule
from faceloom.train.draws import Draws
from faceloom.train.ema import frozen_copy, update_ema
from faceloom.train.plan import Position, learning_rate, progress, stage_at
from faceloom.train.recipe import EmaSection, LossSection, OptimiserSection, RunSection
from faceloom.train.weighting import noise_level_weights

LEVELS = torch.tensor([0.99, 0.9, 0.5, 0.1, 0.01], dtype=torch.float64)  # SNR 99, 9, 1, 1/9, 1/99


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (LossSection(), [1.0, 1, 1, 1, 1]),
        (LossSection(weighting="inverse_snr", low=0.04, high=25, power=0.5), [0.2, 1 / 3, 1, 3, 5]),
        (LossSection(weighting="min_snr", gamma=3), [3 / 99, 1 / 3, 1, 1, 1]),
        (LossSection(weighting="velocity", high=50), [100 / 99, 10 / 9, 2, 10, 50]),
    ],
    ids=lambda value: value.weighting if isinstance(value, LossSection) else "",
)
def test_weights_of_noise_levels(how: LossSection, expected: list[float]) -> None:
    weights = noise_level_weights(how, LEVELS)
    assert weights.mean().item() == pytest.approx(1)
    wanted = torch.tensor(expected)
    assert torch.allclose(weights, wanted / wanted.mean(), rtol=1e-5)


def test_inverse_snr_with_power_one_is_the_error_of_the_picture() -> None:
    """What the docstring claims: the noise's squared error over SNR is that of the picture it implies."""
    schedule = NoiseSchedule.linear()
    picture, noise, wrong = torch.randn(3, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    steps = torch.tensor([100, 900])
    noisy = schedule.add_noise(picture, steps, noise)
    left = schedule.alpha_bar[steps].view(-1, 1, 1, 1).float()
    implied = (noisy - (1 - left).sqrt() * (noise + wrong)) / left.sqrt()
    weights = noise_level_weights(LossSection(weighting="inverse_snr", low=1e-9, high=1e9, power=1), schedule.alpha_bar)
    error, of_picture = wrong.square().mean((1, 2, 3)), (implied - picture).square().mean((1, 2, 3))
    ratio = weights[steps] * error / of_picture
    assert ratio[0].item() == pytest.approx(ratio[1].item(), rel=1e-3)


def test_learning_rates() -> None:
    how = OptimiserSection(learning_rate=1.0, warmup_steps=4, schedule="cosine", final=0.2)
    assert [learning_rate(how, step, 0.0) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert learning_rate(how, 100, 0.5) == pytest.approx(0.6)
    assert learning_rate(how, 100, 1.5) == pytest.approx(0.2)
    assert learning_rate(OptimiserSection(learning_rate=0.3, warmup_steps=0), 0, 0.9) == 0.3


def test_progress_and_stages() -> None:
    assert progress(RunSection(samples=100), Position(seen=25, seconds=1e6)) == 0.25
    assert progress(RunSection(samples=100, minutes=10), Position(seen=25, seconds=300)) == 0.5
    recipe = tiny_recipe(stages=[{"size": 16, "batch": 1, "share": 3}, {"size": 32, "batch": 2, "share": 1}])
    assert [stage_at(recipe, done).size for done in (0, 0.74, 0.75, 0.99, 1.2)] == [16, 16, 32, 32, 32]


def test_running_mean() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    ema = frozen_copy(network)
    with torch.no_grad():
        ema[0].weight.fill_(0.0)
        network[0].weight.fill_(1.0)
    network[1].running_mean.fill_(5.0)
    update_ema(ema, network, EmaSection(decay=0.9, warm_up=False), 0)
    assert ema[0].weight.item() == pytest.approx(0.1) and ema[1].running_mean.item() == 5
    update_ema(ema, network, EmaSection(decay=0.9), 0)
    assert ema[0].weight.item() == pytest.approx(0.1 + 0.9 * 0.9), "a warm-up follows closely at first"
    assert not any(parameter.requires_grad for parameter in ema.parameters()) and not ema.training


def test_draws_depend_on_seed_step_and_rank_alone() -> None:
    def numbers(*key: int) -> list[float]:
        draws = Draws(*key)
        draws.seed_dropout()
        parts = draws.noise(torch.empty(4)), draws.uniform(0, 1, 4), draws.integers(1000, 4), torch.rand(4)
        return torch.cat([part.float() for part in parts]).tolist()

    assert numbers(1, 2, 0) == numbers(1, 2, 0)
    keys = [(1, 2, 0), (2, 2, 0), (1, 3, 0), (1, 2, 1)]
    for position in range(16):
        assert len({numbers(*key)[position] for key in keys}) == 4
