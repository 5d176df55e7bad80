"""The losses against numbers worked out by hand, and their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from faceloom.train.unifacegan.losses import (
    appearance_loss,
    identity_loss,
    reconstruction_loss,
    temporal_loss,
    total_loss,
    warp,
)
from faceloom.train.unifacegan.recipe import ObjectiveSection

YES, NO = torch.tensor([True]), torch.tensor([False])


def gray(*rows: list[float]) -> Tensor:
    """(1, 1, H, W)."""
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def test_appearance_by_hand() -> None:
    assert appearance_loss(gray([1.0, 2.0]), gray([0.0, 4.0])).tolist() == [1.5]


def test_reconstruction_by_hand() -> None:
    one, other = gray([0.5, -0.5]), gray([0.0, 0.5])
    assert reconstruction_loss(one, other, YES).tolist() == [0.75]
    assert reconstruction_loss(one, other, NO).tolist() == [0.0]


def test_warp_looks_up_where_the_flow_points() -> None:
    picture = gray([0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0])
    right = torch.zeros(1, 2, 2, 4)
    right[:, 0] = 1
    torch.testing.assert_close(warp(picture, right), gray([1.0, 2.0, 3.0, 3.0], [5.0, 6.0, 7.0, 7.0]))
    half_down = torch.zeros(1, 2, 2, 4)
    half_down[:, 1] = 0.5
    torch.testing.assert_close(warp(picture, half_down), gray([2.0, 3.0, 4.0, 5.0], [4.0, 5.0, 6.0, 7.0]))


def test_temporal_by_hand() -> None:
    now, before = gray([0.0, 1.0, 2.0, 3.0]), gray([1.5, 2.0, 0.0, 9.0])
    flow = torch.zeros(1, 2, 1, 4)
    flow[:, 0] = 1  # now, seen from before: 1, 2, 3, 3
    visible = torch.tensor([[[[True, True, True, False]]]])
    # 0.5, 0 and 3 squared, over three visible pixels.
    assert temporal_loss(now, before, flow, visible, YES).item() == pytest.approx((0.25 + 0 + 9) / 3)
    assert temporal_loss(now, before, flow, visible, NO).tolist() == [0.0]
    assert temporal_loss(now, before, flow, visible & False, YES).tolist() == [0.0]


def test_temporal_is_a_mean_over_channels_too() -> None:
    now, before = torch.zeros(1, 3, 1, 2), torch.tensor([1.0, 2.0, 0.0]).reshape(1, 3, 1, 1).repeat(1, 1, 1, 2)
    visible = torch.ones(1, 1, 1, 2, dtype=torch.bool)
    loss = temporal_loss(now, before, torch.zeros(1, 2, 1, 2), visible, YES)
    assert loss.item() == pytest.approx((1 + 4 + 0) / 3)


def test_temporal_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    now, before = (torch.randn((2, 2, 4, 5), generator=generator, dtype=torch.float64) for _ in range(2))
    flow = torch.rand((2, 2, 4, 5), generator=generator, dtype=torch.float64)
    visible = torch.rand((2, 1, 4, 5), generator=generator) > 0.3
    intra = torch.tensor([True, True])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "float", lambda self: self.double())
        assert torch.autograd.gradcheck(
            lambda a, b: temporal_loss(a, b, flow, visible, intra), (now.requires_grad_(), before.requires_grad_())
        )


def test_identity_by_hand() -> None:
    one = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    other = torch.tensor([[0.0, 1.0], [0.6, 0.8]])
    torch.testing.assert_close(identity_loss(one, other), torch.tensor([1.0, 0.0]))


def test_total_by_hand() -> None:
    terms = {
        "appearance": torch.tensor([1.0, 2.0]),
        "reconstruction": torch.tensor([0.5, 0.0]),
        "temporal": torch.tensor([0.1, 0.0]),
        "adversarial": torch.tensor([-1.0, 3.0]),
    }
    # The paper's weights: 1, 10, 5 and 10.
    torch.testing.assert_close(total_loss(terms, ObjectiveSection()), torch.tensor([-3.5, 32.0]))
