"""Deterministic sampling, against closed forms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from torch import Tensor  # noqa: E402

from faceloom.nets.diffusion import NoiseSchedule, clamped, ddim_invert, ddim_render, exact_invert  # noqa: E402

SCHEDULE = NoiseSchedule.linear()
COUNT = 10
GRID = SCHEDULE.grid(COUNT)


def normal(seed: int = 0) -> Tensor:
    return torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def picture() -> Tensor:
    return normal(1).clamp(-2, 2) / 2.5


def noisy(x: Tensor, noise: Tensor, step: int) -> Tensor:
    """By definition: sqrt(abar) x + sqrt(1 - abar) noise."""
    abar = float(SCHEDULE.alpha_bar[step])
    return abar**0.5 * x + (1 - abar) ** 0.5 * noise


def knows(x: Tensor) -> Callable[[Tensor, int], Tensor]:
    """Predicts exactly the noise that was added to ``x``."""

    def predict(x_t: Tensor, step: int) -> Tensor:
        abar = float(SCHEDULE.alpha_bar[step])
        return (x_t - abar**0.5 * x) / (1 - abar) ** 0.5

    return predict


def dreams(x_t: Tensor, step: int) -> Tensor:
    """Takes a third of what it sees for the picture: as smooth and contracting as a trained network, but linear."""
    abar = float(SCHEDULE.alpha_bar[step])
    return (x_t - abar**0.5 * x_t / 3) / (1 - abar) ** 0.5


def test_schedule() -> None:
    betas = torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64)
    assert len(SCHEDULE) == 1000
    assert float(SCHEDULE.alpha_bar[0]) == pytest.approx(1 - 1e-4, abs=1e-12)
    assert float(SCHEDULE.alpha_bar[-1]) == pytest.approx(float((1 - betas).log().sum().exp()), rel=1e-9)
    assert len(NoiseSchedule.linear(50, 1e-3, 0.1)) == 50


def test_noise_is_added_by_the_time_step_of_each_picture() -> None:
    x, noise = picture(), normal()
    found = SCHEDULE.add_noise(x, torch.tensor([0, 700]), noise)
    torch.testing.assert_close(found[0], noisy(x, noise, 0)[0])
    torch.testing.assert_close(found[1], noisy(x, noise, 700)[1])
    assert SCHEDULE.add_noise(x.float(), torch.tensor([3, 4]), noise.float()).dtype == torch.float32


@pytest.mark.parametrize("count", [1, 10, 20, 25, 50, 100, 125, 200, 250, 500, 1000])
def test_counts_that_the_spacing_rule_allows(count: int) -> None:
    grid = SCHEDULE.grid(count)
    assert len(grid) == count and grid[0] == 0 and grid[-1] < 1000
    assert len({b - a for a, b in pairwise(grid)}) <= 1


def test_grid_is_that_of_the_smallest_spacing_that_gives_the_count() -> None:
    """28 steps: spacings 36 and 37 both give them; the official rule takes the first."""
    assert len(range(0, 1000, 37)) == 28
    assert SCHEDULE.grid(28) == list(range(0, 1000, 36))


@pytest.mark.parametrize(
    ("count", "near"),
    [
        (60, "56, 59, 63, 67"),
        (64, "59, 63, 67, 72"),
        (75, "67, 72, 77, 84"),
        (150, "125, 143, 167, 200"),
        (300, "200, 250, 334, 500"),
        (0, "1, 2"),
        (1001, "500, 1000"),
    ],
)
def test_other_counts_are_refused_with_near_ones_that_work(count: int, near: str) -> None:
    with pytest.raises(ValueError, match=rf"^{count} steps .* 1000 .*: {near}$"):
        SCHEDULE.grid(count)
    assert all(len(SCHEDULE.grid(int(number))) == int(number) for number in near.split(", "))


def test_rendering_with_the_true_noise_is_exact_all_the_way() -> None:
    x, noise = picture(), normal()
    passed: list[tuple[int, Tensor]] = []
    found = ddim_render(
        knows(x), noisy(x, noise, GRID[-1]), SCHEDULE, COUNT, callback=lambda i, x_t: passed.append((i, x_t))
    )
    torch.testing.assert_close(found, x, rtol=0, atol=1e-9)
    assert [i for i, _ in passed] == list(range(COUNT - 1, -1, -1))
    for i, x_t in passed[:-1]:
        torch.testing.assert_close(x_t, noisy(x, noise, GRID[i - 1]), rtol=0, atol=1e-9)
    assert passed[-1][1] is found


def test_inversion_with_the_true_noise_ends_at_that_noise() -> None:
    x, noise = picture(), normal()
    passed: list[tuple[int, Tensor]] = []
    start = noisy(x, noise, GRID[0])
    found = ddim_invert(knows(x), start, SCHEDULE, COUNT, callback=lambda i, x_t: passed.append((i, x_t)))
    torch.testing.assert_close(found, noise, rtol=0, atol=1e-8)
    assert [i for i, _ in passed] == list(range(COUNT))
    for i, x_t in passed[:-1]:
        torch.testing.assert_close(x_t, noisy(x, noise, GRID[i + 1]), rtol=0, atol=1e-8)


def test_exact_inversion_is_undone_by_rendering() -> None:
    x = picture()
    map_ = exact_invert(dreams, x, SCHEDULE, COUNT, iterations=400)
    torch.testing.assert_close(ddim_render(dreams, map_, SCHEDULE, COUNT), x, rtol=0, atol=1e-5)


def test_more_iterations_are_more_exact_and_soon_better_than_the_official_inversion() -> None:
    x = picture()

    def error(map_: Tensor) -> float:
        return float((ddim_render(dreams, map_, SCHEDULE, COUNT) - x).abs().mean())

    official = error(ddim_invert(dreams, x, SCHEDULE, COUNT))
    one, four, sixteen = (error(exact_invert(dreams, x, SCHEDULE, COUNT, iterations=n)) for n in (1, 4, 16))
    assert sixteen < four < one
    assert four < 0.8 * official


def test_forwards_of_the_inversions() -> None:
    steps: list[int] = []

    def counting(x_t: Tensor, step: int) -> Tensor:
        steps.append(step)
        return dreams(x_t, step)

    ddim_invert(counting, picture(), SCHEDULE, COUNT)
    assert steps == GRID
    steps.clear()
    exact_invert(counting, picture(), SCHEDULE, COUNT)
    assert steps == [GRID[0], *GRID]
    steps.clear()
    exact_invert(counting, picture(), SCHEDULE, COUNT, top=2, iterations=3)
    assert steps == [GRID[0]] + [step for step in GRID[:3] for _ in range(3)]
    steps.clear()
    ddim_render(counting, normal(), SCHEDULE, COUNT, top=2)
    assert steps == GRID[2::-1]


@pytest.mark.parametrize("top", [0, 1, 4, COUNT - 1])
def test_exact_inversion_to_a_grid_point_is_undone_from_there(top: int) -> None:
    x = picture()
    passed: list[int] = []
    there = exact_invert(dreams, x, SCHEDULE, COUNT, top, lambda i, _: passed.append(i), iterations=400)
    assert passed == list(range(top + 1))
    torch.testing.assert_close(ddim_render(dreams, there, SCHEDULE, COUNT, top), x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("top", [1, 4, COUNT - 1])
def test_official_inversion_to_a_grid_point_ends_there(top: int) -> None:
    x, noise = picture(), normal()
    there = ddim_invert(knows(x), noisy(x, noise, GRID[0]), SCHEDULE, COUNT, top)
    torch.testing.assert_close(there, noisy(x, noise, GRID[top]), rtol=0, atol=1e-8)
    torch.testing.assert_close(ddim_render(knows(x), there, SCHEDULE, COUNT, top), x, rtol=0, atol=1e-8)


def test_the_picture_is_clamped_and_the_noise_derived_anew() -> None:
    x_t, abar = torch.tensor([0.1, 2.0, -2.0]), 0.5
    found, noise = clamped(x_t, torch.zeros(3), abar)
    torch.testing.assert_close(found, torch.tensor([0.1 / 0.5**0.5, 1.0, -1.0]))
    torch.testing.assert_close(abar**0.5 * found + (1 - abar) ** 0.5 * noise, x_t)
    assert noise[0].abs() < 1e-6 and noise[1] > 1 and noise[2] < -1


def test_rendering_stays_in_range_whatever_is_predicted() -> None:
    found = ddim_render(lambda x_t, _: -3 * x_t, normal(), SCHEDULE, COUNT)
    assert float(found.abs().max()) == 1


def test_exact_inversion_of_a_picture_out_of_range_is_finite() -> None:
    map_ = exact_invert(dreams, 3 * picture(), SCHEDULE, COUNT, iterations=3)
    assert map_.isfinite().all()
    assert ddim_render(dreams, map_, SCHEDULE, COUNT).abs().max() <= 1
