"""Equation (1) of V-PartSwap: the reference's features take the place of the target's inside the part."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from faceloom.nets.diffae import FeatureEdit, SemanticEncoder


def blend_features(target: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Equation (1): ``h_t + m (h_ref - h_t)``; maps (B, C, H, W), mask (B, 1, H, W) in [0, 1]."""
    return target + mask * (reference - target)


def resize_mask(mask: Tensor, size: int) -> Tensor:
    """A mask (B, 1, S, S) on the grid of a feature map: mean over the pixels of each cell."""
    return functional.adaptive_avg_pool2d(mask, size)


def inject(
    encoder: SemanticEncoder, target: Tensor, references: Sequence[tuple[Tensor, Tensor]], blocks: Sequence[int]
) -> Tensor:
    """z_sem of ``target`` with each reference's features blended in inside its mask.

    Args:
        encoder: the semantic encoder.
        target: (B, 3, S, S) in [-1, 1].
        references: for each part, the warped reference (B, 3, S, S) and the part's mask (B, 1, S, S).
        blocks: indices of the blocks after which features are blended.

    Returns:
        (B, C).
    """
    chosen, maps = frozenset(blocks), [encoder.features(picture, max(blocks, default=-1)) for picture, _ in references]

    def blend(index: int, feature: Tensor) -> Tensor:
        if index in chosen:
            for own, (_, mask) in zip(maps, references, strict=True):
                feature = blend_features(feature, own[index], resize_mask(mask, feature.shape[-1]).to(feature.dtype))
        return feature

    edit: FeatureEdit = blend
    return encoder(target, edit)
