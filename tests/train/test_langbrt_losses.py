"""Equations (5) to (10) against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from faceloom.train import langbrt_losses as losses
from faceloom.train.blemishes.difference import difference_mask


def flat(*values: float) -> Tensor:
    """(B, 1, 2, 2), each picture of one value."""
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def test_difference_map_is_that_of_arrays() -> None:
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (8, 8, 3), np.uint8)
    other = np.clip(one + rng.integers(-12, 13, one.shape), 0, 255).astype(np.uint8)
    a, b = (torch.from_numpy(x).permute(2, 0, 1)[None].float() / 127.5 - 1 for x in (one, other))
    np.testing.assert_allclose(losses.difference_map(a, b)[0, 0], difference_mask(one, other), atol=1e-5)


def test_detection() -> None:
    assert losses.detection(flat(0.25, 1.0), flat(0.75, 1.0)).tolist() == [0.5, 0.0]


def test_components_count_inside_their_areas_only() -> None:
    found, truth = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 0.5], [0, 0]]]])
    areas = torch.zeros(1, 3, 2, 2)
    areas[0, 0, 0] = 1  # the upper row: (1 + 0.5) / 2
    areas[0, 1, 1] = 1  # the lower row: 0
    assert losses.components(found, truth, areas).tolist() == [0.75]


def test_prompt_maps() -> None:
    truth = torch.zeros(1, 2, 4, 4)
    truth[0, 0, :2] = 1
    right, nothing = torch.where(truth > 0, 20.0, -20.0), torch.full_like(truth, -20.0)
    assert losses.prompt_maps(right, truth).item() == pytest.approx(0, abs=1e-4)
    # Half the pixels of one of two maps are missed: cross entropy 20 * 0.5, Dice 1 - 1 / 9; the mean of both maps.
    assert losses.prompt_maps(nothing, truth).item() == pytest.approx((10 + 8 / 9) / 2, rel=1e-4)
    assert losses.prompt_maps(nothing[:, 1:], truth[:, 1:]).item() == pytest.approx(0, abs=1e-4)


def test_adversarial() -> None:
    opinion = flat(0.0, 2.0)
    share = 1 / (1 + math.exp(-2))
    saturating = losses.adversarial(opinion, saturating=True).tolist()
    assert saturating == pytest.approx([math.log(0.5), math.log(1 - share)])
    assert losses.adversarial(opinion, saturating=False).tolist() == pytest.approx([-math.log(0.5), -math.log(share)])
    critic = losses.criticism(flat(2.0), flat(-1.0)).item()
    assert critic == pytest.approx(-math.log(share) - math.log(1 - 1 / (1 + math.e)))


def test_perceptual() -> None:
    class Trunk(nn.Module):
        def forward(self, image: Tensor) -> list[Tensor]:
            return [image, 10 * image]

    one, other = torch.full((1, 3, 4, 4), 0.75), torch.full((1, 3, 4, 4), 0.5)
    assert losses.perceptual(one, other, Trunk()).tolist() == [1.0], "0.25 / 0.5 for each layer"
    assert losses.perceptual(one, one, Trunk()).tolist() == [0.0]


def test_dissimilarity() -> None:
    logits = torch.zeros(1, 2, 2, 2)
    masks = torch.zeros(1, 2, 2, 2)
    masks[0, 0, 0] = 1
    asked = torch.tensor([[1.0, 0.0]])
    assert losses.detector_similarity(logits, masks, asked).tolist() == [0.5]
    assert losses.detector_similarity(logits - 50, masks, asked).tolist() == pytest.approx([0.0])
    assert losses.detector_similarity(logits, masks, 1 - asked).tolist() == [0.0], "nothing there, nothing to lose"
    assert losses.dissimilarity(torch.tensor([0.25])).tolist() == [0.75]


def test_beyond_and_reduced() -> None:
    change = torch.ones(1, 3, 2, 2)
    truth = torch.tensor([[[[0.5, 0], [0.01, 0.3]]]])
    assert losses.beyond(change, truth).tolist() == [0.5]
    assert losses.reduced(truth, torch.zeros(1, 1, 1, 1)).item() == 0.5


def test_within_is_over_the_area_of_the_truth() -> None:
    one, other = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    one[0, :, 0, 0], one[0, :, 1, 1] = 0.5, 100  # the second lies outside
    truth = torch.tensor([[[[1.0, 0.25], [0, 0]]]])
    assert losses.within(one, other, truth).tolist() == pytest.approx([0.5 / 1.25])
    assert losses.within(one, other, torch.zeros_like(truth)).tolist() == [0]
