"""Equations 6 and 7 against numbers worked out by hand, their gradients, and the three normalisations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from faceloom.nets.unifacegan import (
    AdaptiveInstanceNorm,
    RegionAwareNorm,
    SpatiallyAdaptiveNorm,
)
from faceloom.nets.unifacegan.regions import mix_regions, region_statistics, transfer

FACE = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])  # one row, face on the left
U = torch.tensor([[[[1.0, 3.0, 50.0, 70.0]]]])  # in the face: mean 2, deviation 1
T = torch.tensor([[[[90.0, -8.0, 10.0, 16.0]]]])  # outside: mean 13, deviation 3


def row(*values: float) -> Tensor:
    return torch.tensor([[[values]]], dtype=torch.float32)


def test_statistics_of_a_region() -> None:
    mean, deviation = region_statistics(U, FACE)
    assert mean.item() == pytest.approx(2) and deviation.item() == pytest.approx(1, abs=1e-4)
    mean, deviation = region_statistics(T, 1 - FACE)
    assert mean.item() == pytest.approx(13) and deviation.item() == pytest.approx(3, abs=1e-4)


def test_a_pixel_of_the_edge_counts_in_part() -> None:
    mean, deviation = region_statistics(row(0.0, 4.0), row(1.0, 1 / 3))
    assert mean.item() == pytest.approx(1)
    assert deviation.item() == pytest.approx((0.75 * 1 + 0.25 * 9) ** 0.5, abs=1e-4)


def test_transfer_by_hand() -> None:
    # ±1 deviation about the mean of the face: 13 ± 3 with the statistics of the surroundings.
    torch.testing.assert_close(transfer(U, FACE, T, 1 - FACE), row(10, 16, 0, 0), atol=1e-3, rtol=0)
    torch.testing.assert_close(transfer(T, 1 - FACE, U, FACE), row(0, 0, 1, 3), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("terms", "wanted"),
    [
        # alpha 0.8: the face takes 0.8 of (10, 16) and keeps 0.2 of (1, 3); beta 0.1: 0.1 of (1, 3), 0.9 of (10, 16).
        ("full", (8.2, 13.4, 9.1, 14.7)),
        ("cross", (8.0, 12.8, 0.1, 0.3)),
        ("same", (0.2, 0.6, 9.0, 14.4)),
        ("facial", (0.2, 0.6, 0.1, 0.3)),
        ("non_facial", (8.0, 12.8, 9.0, 14.4)),
    ],
)
def test_equation_6_by_hand(terms: str, wanted: tuple[float, ...]) -> None:
    mixed = mix_regions(U, T, FACE, torch.tensor([0.8]), torch.tensor([0.1]), terms)
    torch.testing.assert_close(mixed, row(*wanted), atol=2e-3, rtol=0)


def test_each_channel_and_picture_has_statistics_of_its_own() -> None:
    generator = torch.Generator().manual_seed(0)
    u, t = (torch.randn((2, 3, 6, 6), generator=generator) for _ in range(2))
    face = (torch.rand((2, 1, 6, 6), generator=generator) > 0.5).float()
    alpha, beta = torch.tensor([0.2, 0.5, 0.9]), torch.tensor([0.7, 0.1, 0.4])
    whole = mix_regions(u, t, face, alpha, beta)
    for picture in range(2):
        for channel in range(3):
            b, c = slice(picture, picture + 1), slice(channel, channel + 1)
            alone = mix_regions(u[b, c], t[b, c], face[b], alpha[c], beta[c])
            torch.testing.assert_close(whole[b, c], alone)


def test_the_other_region_is_not_seen() -> None:
    """What lies under the other side's mask changes nothing: that is what sets RCN apart from AdaIN."""
    alpha, beta = torch.tensor([0.8]), torch.tensor([0.1])
    changed = mix_regions(U + 1000 * (1 - FACE), T - 1000 * FACE, FACE, alpha, beta)
    torch.testing.assert_close(changed, mix_regions(U, T, FACE, alpha, beta))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_picture_without_one_of_the_regions(share: float) -> None:
    face = torch.full_like(FACE, share)
    mixed = mix_regions(U, T, face, torch.tensor([0.8]), torch.tensor([0.1]))
    torch.testing.assert_close(mixed, U if share else T)


def test_gradients_of_equation_6() -> None:
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)

    face = (torch.rand((2, 1, 4, 4), generator=generator) > 0.4).double()

    def rcn(u: Tensor, t: Tensor, a: Tensor, b: Tensor) -> Tensor:
        # The statistics are float32 in the network; here everything is float64, or differences would drown.
        return mix_regions(u, t, face, a.sigmoid(), b.sigmoid())

    inputs = (random(2, 2, 4, 4), random(2, 2, 4, 4), random(2), random(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "float", lambda self: self.double())
        assert torch.autograd.gradcheck(rcn, inputs, atol=1e-6)


def test_alpha_and_beta_begin_and_stay_inside() -> None:
    layer = RegionAwareNorm(5)
    torch.testing.assert_close(layer.alpha, torch.full((5,), 0.8))
    torch.testing.assert_close(layer.beta, torch.full((5,), 0.1))
    optimiser = torch.optim.SGD(layer.parameters(), lr=100.0)
    for _ in range(50):
        (layer.beta - layer.alpha).sum().backward()
        optimiser.step()
        optimiser.zero_grad()
    assert (layer.alpha > 0.8).all() and (layer.alpha <= 1).all()
    assert (layer.beta < 0.1).all() and (layer.beta >= 0).all()


def test_rcn_normalises_each_part_first() -> None:
    """In training, channels that differ by scale and shift come out the same."""
    generator = torch.Generator().manual_seed(2)
    u, t = (torch.randn((3, 4, 8, 8), generator=generator) for _ in range(2))
    face = torch.zeros((3, 1, 8, 8))
    face[:, :, 2:6, 2:6] = 1
    layer = RegionAwareNorm(4)
    torch.testing.assert_close(layer(u, t, face), layer(7 * u + 3, 5 * t - 9, face), atol=1e-4, rtol=1e-4)


def test_adain_by_hand() -> None:
    u, t = row(1, 3, 5, 7), row(0, 0, 10, 10)  # means 4 and 5, deviations 5 ** 0.5 and 5
    wanted = 5 + 5 * (u - 4) / 5**0.5
    torch.testing.assert_close(AdaptiveInstanceNorm()(u, t, FACE), wanted, atol=1e-3, rtol=0)


def test_spade_depends_on_the_place() -> None:
    torch.manual_seed(3)
    layer = SpatiallyAdaptiveNorm(2, hidden=4)
    u, t, face = torch.randn(2, 2, 8, 8), torch.zeros(2, 2, 8, 8), torch.zeros(2, 1, 8, 8)
    before = layer(u, t, face)
    t[:, :, 0, 0] = 1
    changed = (layer(u, t, face) - before).abs().amax((0, 1)) > 1e-6
    assert changed[:3, :3].any() and not changed[3:].any() and not changed[:, 3:].any()
