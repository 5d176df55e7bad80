"""Equation (1) of V-PartSwap."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from support.diffae import random_model  # noqa: E402
from torch import Tensor  # noqa: E402

from faceloom.methods.vpartswap.injection import blend_features, inject, resize_mask  # noqa: E402
from faceloom.nets.diffae import SemanticEncoder  # noqa: E402


@pytest.fixture(scope="module")
def encoder() -> SemanticEncoder:
    return random_model().encoder


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor, Tensor]:
    a, b, c = torch.rand(3, 2, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return a, b, c


def square(left: int, right: int) -> Tensor:
    mask = torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, left:right] = 1
    return mask


def test_equation_by_hand() -> None:
    target, reference = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]]), torch.tensor([[[[5.0, 0.0]], [[-1.0, 8.0]]]])
    found = blend_features(target, reference, torch.tensor([[[[0.25, 1.0]]]]))
    torch.testing.assert_close(found, torch.tensor([[[[2.0, 0.0]], [[2.0, 8.0]]]]))


def test_mask_is_resized_to_the_mean_of_each_cell() -> None:
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :3] = 1
    assert resize_mask(mask, 4)[0, 0, 0].tolist() == [1, 0.5, 0, 0]
    assert resize_mask(mask, 2)[0, 0, 0].tolist() == [0.75, 0]
    assert torch.equal(resize_mask(mask, 8), mask)


def test_an_empty_mask_is_the_target_bit_for_bit(encoder: SemanticEncoder, pictures: tuple[Tensor, ...]) -> None:
    target, reference, _ = pictures
    empty = torch.zeros(2, 1, 32, 32)
    with torch.inference_mode():
        found = inject(encoder, target, [(reference, empty)], range(encoder.blocks))
        assert torch.equal(found, encoder(target))


@pytest.mark.parametrize("blocks", [[0], [4], range(5)])
def test_a_full_mask_is_the_reference(
    blocks: list[int], encoder: SemanticEncoder, pictures: tuple[Tensor, ...]
) -> None:
    """At any one block: nothing of the target goes on from there."""
    target, reference, _ = pictures
    with torch.inference_mode():
        found = inject(encoder, target, [(reference, torch.ones(2, 1, 32, 32))], blocks)
        torch.testing.assert_close(found, encoder(reference), rtol=0, atol=1e-4)


def test_no_block_is_the_target(encoder: SemanticEncoder, pictures: tuple[Tensor, ...]) -> None:
    target, reference, _ = pictures
    with torch.inference_mode():
        assert torch.equal(inject(encoder, target, [(reference, square(0, 32))], []), encoder(target))


def test_several_blocks_by_hand(encoder: SemanticEncoder, pictures: tuple[Tensor, ...]) -> None:
    """Reference features come from the reference alone, blended one block after another."""
    target, reference, _ = pictures
    mask = square(4, 20)
    with torch.inference_mode():
        h, r = target, reference
        for index, block in enumerate([*encoder.input_blocks, encoder.middle_block]):
            h, r = block(h), block(r)
            if index in (1, 2, 4):
                cell = 32 // h.shape[-1]
                m = mask.reshape(2, 1, h.shape[2], cell, h.shape[3], cell).mean((3, 5))
                h = h + m * (r - h)
        torch.testing.assert_close(inject(encoder, target, [(reference, mask)], [1, 2, 4]), encoder.out(h))


def test_parts_count_each_in_its_own_mask(encoder: SemanticEncoder, pictures: tuple[Tensor, ...]) -> None:
    target, one, two = pictures
    left, right, empty = square(0, 12), square(20, 32), torch.zeros(2, 1, 32, 32)
    with torch.inference_mode():
        both = inject(encoder, target, [(one, left), (two, right)], [0])
        expected = encoder.input_blocks[0](target)
        expected = blend_features(expected, encoder.input_blocks[0](one), left)
        expected = blend_features(expected, encoder.input_blocks[0](two), right)
        h = expected
        for block in [*encoder.input_blocks[1:], encoder.middle_block]:
            h = block(h)
        torch.testing.assert_close(both, encoder.out(h))
        alone = inject(encoder, target, [(one, left)], [0])
        assert torch.equal(inject(encoder, target, [(one, left), (two, empty)], [0]), alone)
        assert float((both - alone).abs().max()) > 1e-4
