"""The stochastic code along the edge of the part."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from torch import Tensor  # noqa: E402

from faceloom.methods.vpartswap.boundary import (  # noqa: E402
    blend_noise,
    boundary_weight,
    code_of,
    local_mean,
    noise_in,
    warp_noise,
)

SIDE = 64


def noise(seed: int, batch: int = 1) -> Tensor:
    return torch.randn(batch, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def disc(radius: float) -> NDArray[np.float32]:
    """A disc with an edge two pixels wide, in the middle."""
    return np.clip((radius - distance()) / 2 + 0.5, 0, 1).astype(np.float32)


def distance() -> NDArray[np.float64]:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return np.hypot(x, y)


def identity(batch: int = 1) -> NDArray[np.float32]:
    x, y = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
    return np.repeat(np.stack([x, y], axis=-1)[None], batch, axis=0)


def inner(x: Tensor) -> Tensor:
    return x[..., 4:-4, 4:-4]


def test_the_band_lies_along_the_edge_of_the_mask() -> None:
    weight = boundary_weight(disc(18), width=6)
    assert weight.dtype == np.float32 and weight.min() >= 0 and weight.max() == 1
    away = np.abs(distance() - 18)
    assert weight[away < 1].min() > 0.9
    assert weight[away > 3 + 3 * 1.5 + 1].max() < 0.01
    halfway = away[(weight > 0.4) & (weight < 0.6)]
    assert halfway.min() > 2 and halfway.max() < 5


def test_a_wider_band_covers_more_and_a_mask_without_edge_has_none() -> None:
    narrow, wide = (boundary_weight(disc(18), width).sum() for width in (4, 12))
    assert wide > 2 * narrow
    assert not boundary_weight(np.zeros((SIDE, SIDE), np.float32), 6).any()


def test_without_weight_the_noise_is_the_targets_bit_for_bit() -> None:
    target = noise(0)
    assert torch.equal(blend_noise(target, noise(1), torch.zeros(1, 1, SIDE, SIDE)), target)


def test_with_full_weight_it_is_the_references_but_for_the_local_mean() -> None:
    target, reference = noise(0), noise(1)
    found = blend_noise(target, reference, torch.ones(1, 1, SIDE, SIDE))
    torch.testing.assert_close(found - local_mean(target), reference - local_mean(reference), rtol=0, atol=1e-5)


@pytest.mark.parametrize("weight", [0.1, 0.3, 0.5, 0.8, 1.0])
def test_blended_noise_has_the_deviation_of_noise(weight: float) -> None:
    found = blend_noise(noise(0, 4), noise(1, 4), torch.full((4, 1, SIDE, SIDE), weight))
    assert float(found.std()) == pytest.approx(1, abs=0.03)


def test_blended_noise_keeps_the_targets_local_mean() -> None:
    """A shift of the reference's noise would be a tint; what is left of it after the mean is put back is little."""
    target, shifted = noise(0), noise(1) + 3
    weight = torch.from_numpy(boundary_weight(disc(18), 6))[None, None]
    found, plain = blend_noise(target, shifted, weight), (1 - weight) * target + weight * shifted
    wanted = local_mean(target)
    rest, naive = (float((local_mean(x) - wanted).abs().mean()) for x in (found, plain))
    assert rest < 0.25 * naive
    assert abs(float((found - target).mean())) < 0.02 < float((plain - target).mean())


def test_local_mean_of_a_constant_is_that_constant_up_to_the_border() -> None:
    flat = torch.full((2, 3, SIDE, SIDE), 0.7)
    torch.testing.assert_close(local_mean(flat), flat)
    assert float(local_mean(noise(0)).std()) < 0.25


def test_local_mean_keeps_channels_apart() -> None:
    picture = torch.zeros(1, 3, SIDE, SIDE)
    picture[:, 1] = noise(0)[:, 1]
    found = local_mean(picture)
    assert not found[:, 0].any() and not found[:, 2].any() and found[:, 1].any()


def test_the_grid_that_moves_nothing_moves_nothing() -> None:
    z = noise(0)
    found = warp_noise(z, identity(3))
    assert found.shape == (3, 3, SIDE, SIDE)
    torch.testing.assert_close(found, z.expand(3, -1, -1, -1), rtol=0, atol=2e-4)


def test_whole_pixels_are_moved_as_they_are() -> None:
    z = noise(0)
    grid = identity()
    grid[..., 0] += 3  # every pixel shows what lies three to its right
    torch.testing.assert_close(warp_noise(z, grid)[..., :-3], z[..., 3:], rtol=0, atol=2e-4)


@pytest.mark.parametrize("shift", [(0.5, 0.5), (0.5, 0.0), (0.25, 0.75)])
def test_between_pixels_the_deviation_is_kept(shift: tuple[float, float]) -> None:
    z = noise(0)
    found = warp_noise(z, identity() + np.float32(shift))
    assert float(inner(found).std()) == pytest.approx(1, abs=0.03)
    plain = (z[..., :-1, :-1] + z[..., 1:, :-1] + z[..., :-1, 1:] + z[..., 1:, 1:]) / 4
    if shift == (0.5, 0.5):
        torch.testing.assert_close(found[..., :-1, :-1], 2 * plain, rtol=0, atol=1e-3)


def test_grids_of_a_batch_are_their_own() -> None:
    z = noise(0)
    grids = identity(2)
    grids[1, ..., 1] += 2
    found = warp_noise(z, grids)
    torch.testing.assert_close(found[0], z[0], rtol=0, atol=2e-4)
    torch.testing.assert_close(found[1, :, :-2], z[0, :, 2:], rtol=0, atol=2e-4)


def test_outside_the_map_there_is_noise_too() -> None:
    found = warp_noise(noise(0), identity() - 20)
    assert float(found[..., :18, :18].std()) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("abar", [0.0, 0.3, 0.99])
def test_a_code_is_its_picture_and_its_noise(abar: float) -> None:
    picture, z = noise(2).clamp(-1, 1), noise(3)
    code = code_of(picture, z, abar)
    torch.testing.assert_close(code, abar**0.5 * picture + (1 - abar) ** 0.5 * z)
    torch.testing.assert_close(noise_in(code, picture, abar), z, rtol=0, atol=1e-4)
