"""The losses of LangBRT, equations (5) to (11). All return one number for each picture, (B,)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.train.blemishes.difference import DEAD_ZONE, SCALE


def difference_map(one: Tensor, other: Tensor) -> Tensor:
    """tau(|x - y|): (B, 3, S, S) twice, in [-1, 1], to (B, 1, S, S) in [0, 1); ``blemishes.difference`` for tensors."""
    difference = (one - other).abs().mean(1, keepdim=True) / 2
    return torch.tanh((difference - DEAD_ZONE).clamp(min=0) / SCALE)


def reduced(mask: Tensor, like: Tensor) -> Tensor:
    """A mask at the smaller size of ``like``; the largest value of each cell, so that thin things stay."""
    return functional.adaptive_max_pool2d(mask, like.shape[-2:])


def detection(found: Tensor, truth: Tensor) -> Tensor:
    """Equation (5): ``|m - tau(|x - y|)|``, both (B, 1, h, w)."""
    return (found - truth).abs().mean((1, 2, 3))


def components(found: Tensor, truth: Tensor, areas: Tensor) -> Tensor:
    """Equation (6): the same inside the area of each pre-defined prompt, areas (B, P, h, w), summed over them.

    Each mean is over the area's own size: it would hardly count as part of a picture.
    """
    weighted = (areas * (found - truth).abs()).sum((2, 3))
    return (weighted / areas.sum((2, 3)).clamp(min=1)).sum(1)


def prompt_maps(logits: Tensor, truth: Tensor) -> Tensor:
    """Each prompt's own map, (B, N, h, w) both: cross entropy plus one minus the Dice overlap.

    Blemishes are rare and small: an absolute error alone is least where nothing is ever found.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean((2, 3))
    found = torch.sigmoid(logits)
    overlap = 2 * (found * truth).sum((2, 3)) + 1
    dice = 1 - overlap / (found.square().sum((2, 3)) + truth.square().sum((2, 3)) + 1)
    return (entropy + dice * (truth.amax((2, 3)) > 0.5)).mean(1)


def adversarial(opinion: Tensor, *, saturating: bool) -> Tensor:
    """Equation (7) for the logits (B, 1, s, s) of S(retouched): ``log(1 - S)``, or ``-log S``."""
    return (-functional.softplus(opinion) if saturating else functional.softplus(-opinion)).mean((1, 2, 3))


def criticism(of_real: Tensor, of_retouched: Tensor) -> Tensor:
    """Minus equation (8): the discriminator minimises ``-log S(y) - log(1 - S(retouched))``."""
    return (functional.softplus(-of_real) + functional.softplus(of_retouched)).mean((1, 2, 3))


def pixels(one: Tensor, other: Tensor) -> Tensor:
    """The first term of equation (9), (B, 3, S, S) twice."""
    return (one - other).abs().mean((1, 2, 3))


def within(one: Tensor, other: Tensor, truth: Tensor) -> Tensor:
    """``pixels`` where the ground truth (B, 1, S, S) sees a change, over its area: blemishes are few of many pixels."""
    weighted = ((one - other).abs().mean(1, keepdim=True) * truth).sum((1, 2, 3))
    return weighted / truth.sum((1, 2, 3)).clamp(min=1)


def perceptual(one: Tensor, other: Tensor, trunk: nn.Module) -> Tensor:
    """The second term of equation (9): absolute differences of features, summed over layers.

    The paper's trunk is VGG-19; ours is VGG-16, relu1_2 to relu5_3. Features are divided by their mean size in
    ``other``, so that each layer counts alike whatever its scale.
    """
    with torch.no_grad():
        wanted = trunk(other)
    terms = [
        (a - b).abs().mean((1, 2, 3)) / b.abs().mean((1, 2, 3)).clamp(min=1e-3)
        for a, b in zip(trunk(one), wanted, strict=True)
    ]
    return torch.stack(terms).sum(0)


def dissimilarity(similarity: Tensor) -> Tensor:
    """Equation (10) for a similarity (B,) in [0, 1], the paper's from Alpha-CLIP: to be maximised."""
    return 1 - similarity


def detector_similarity(logits: Tensor, masks: Tensor, asked: Tensor) -> Tensor:
    """How much of what was asked for is still found: mean probability inside the masks, over prompts that had any.

    The dot product of image and text features, as CLIP's, but of the network's own detection, frozen by the caller.

    Args:
        logits: (B, N, h, w), detection in the retouched picture.
        masks: (B, N, h, w), where it was.
        asked: (B, N).
    """
    weight = masks * asked[..., None, None]
    return (torch.sigmoid(logits) * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1)


def beyond(change: Tensor, truth: Tensor) -> Tensor:
    """Absolute change (B, 3, S, S) where the ground truth (B, 1, S, S) sees none."""
    return (change.abs() * (truth < 0.02)).mean((1, 2, 3))
