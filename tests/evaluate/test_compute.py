"""Operations of networks, and the rate of a device."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'faceloom[torch]'")

from faceloom.evaluate.compute import NetworkUse, flops_of, matrix_rate, networks  # noqa: E402
from faceloom.methods.timing import NetworkCall, Stage  # noqa: E402


def test_operations_of_one_picture() -> None:
    conv = torch.nn.Conv2d(3, 4, 3, padding=1)
    call = NetworkCall(5, "cpu", "float32", lambda: conv(torch.zeros(5, 3, 8, 8)))
    assert flops_of(call) == 2 * (8 * 8) * (3 * 4 * 9)


def test_a_network_in_which_nothing_is_counted() -> None:
    assert flops_of(NetworkCall(2, "cpu", "float32", lambda: torch.zeros(2) + 1)) is None


def test_rates() -> None:
    use = NetworkUse(pictures=10, seconds=2.0, flops=4e9, device="cpu", precision="float32", matrix_rate=1e11)
    assert (use.total, use.rate) == (4e10, 2e10)
    assert use.describe()["flops_per_second"] == 2e10
    unknown = NetworkUse(10, 2.0, None, "cpu", "float32", 1e11)
    assert unknown.total is None and unknown.rate is None


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_rate_of_the_processor(precision: str) -> None:
    assert 1e8 < matrix_rate("cpu", precision) < 1e15


def test_only_networks_that_were_passed_are_reported() -> None:
    linear = torch.nn.Linear(8, 4)
    ran = NetworkCall(2, "cpu", "float32", lambda: linear(torch.zeros(2, 8)))
    stages = {
        "align": Stage(1.0, 3),
        "never": Stage(0.0, 1, 0, ran),
        "net": Stage(2.0, 3, pictures=6, example=ran),
    }
    found = networks(stages)
    assert set(found) == {"net"}
    assert found["net"].pictures == 6 and found["net"].total == 6 * 2 * 8 * 4
    assert found["net"].rate == pytest.approx(6 * 2 * 8 * 4 / 2.0)
