"""Random changes of pictures."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from faceloom.train.data.augment import augment
from faceloom.train.draws import Draws
from faceloom.train.recipe import AugmentSection
from faceloom.types import Image

NOTHING = {"flip": 0.0}


@pytest.fixture
def pictures(portraits: Mapping[str, Image]) -> Tensor:
    """(8, 3, 64, 64) in [-1, 1]."""
    faces = [torch.from_numpy(portraits[f"person_{n:02d}"].copy()[::8, ::8]) for n in range(1, 9)]
    return torch.stack(faces).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_nothing_asked_nothing_changed(pictures: Tensor) -> None:
    assert torch.equal(augment(pictures, AugmentSection(**NOTHING), Draws(0, 0)), pictures)


def test_flips_some(pictures: Tensor) -> None:
    changed = augment(pictures, AugmentSection(flip=0.5), Draws(0, 0))
    mirrored = [torch.equal(one, other.flip(2)) for one, other in zip(changed, pictures, strict=True)]
    same = [torch.equal(one, other) for one, other in zip(changed, pictures, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True)) and any(mirrored) and any(same)


def test_moves_by_no_more_than_asked() -> None:
    """A blob in the middle goes where the greatest shift lets it."""
    dot = torch.full((64, 3, 65, 65), -1.0)
    dot[:, :, 31:34, 31:34] = 1
    moved = augment(dot, AugmentSection(**NOTHING, shift=0.1), Draws(0, 0))
    weight = (moved[:, 0] + 1).flatten(1)
    axis = torch.arange(65.0)
    x, y = axis.repeat(65), axis.repeat_interleave(65)
    places = torch.stack([(weight * x).sum(1), (weight * y).sum(1)], 1) / weight.sum(1, keepdim=True) - 32
    assert places.abs().max() < 6.6 and places.abs().max() > 5 and places.std() > 2


def test_size_and_angle() -> None:
    """A horizontal bar stays one bar, turned by up to the angle."""
    bar = torch.full((32, 3, 64, 64), -1.0)
    bar[:, :, 30:34, 16:48] = 1
    turned = augment(bar, AugmentSection(**NOTHING, rotate=30), Draws(0, 0))[:, 0] + 1
    axis = torch.arange(64.0) - 31.5
    weight = turned / turned.sum((1, 2), keepdim=True)
    xx, yy, xy = ((weight * moment).sum((1, 2)) for moment in (axis**2, axis[:, None] ** 2, axis * axis[:, None]))
    angle = torch.rad2deg(0.5 * torch.atan2(2 * xy, xx - yy))
    assert angle.abs().max() < 31 and angle.max() > 15 and angle.min() < -15
    larger = augment(bar, AugmentSection(**NOTHING, scale=0.2), Draws(0, 0))[:, 0] + 1
    growth = larger.sum((1, 2)) / (bar[0, 0] + 1).sum()
    assert growth.max() < 1.21**2 and growth.max() > 1.2 and growth.min() < 0.85


def test_colours(pictures: Tensor) -> None:
    how = AugmentSection(**NOTHING, brightness=0.2, contrast=0.2, saturation=0.5)
    changed = augment(pictures, how, Draws(0, 0))
    assert changed.min() >= -1 and changed.max() <= 1
    assert (changed - pictures).abs().mean((1, 2, 3)).min() > 0.005
    gray = torch.zeros(4, 3, 8, 8)
    coloured = augment(gray, AugmentSection(**NOTHING, saturation=0.5), Draws(0, 0))
    assert torch.allclose(coloured, gray, atol=1e-6), "saturation leaves gray alone"


def test_the_seed_decides(pictures: Tensor) -> None:
    how = AugmentSection(rotate=10, scale=0.1, shift=0.1, brightness=0.1, contrast=0.1, saturation=0.1)
    once, again = (augment(pictures, how, Draws(3, 7)) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.equal(once, augment(pictures, how, Draws(3, 8)))
