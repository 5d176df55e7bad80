"""The running mean of the weights, which is what is used after training."""

from __future__ import annotations

import copy

import torch
from torch import nn

from faceloom.train.recipe import EmaSection


def frozen_copy(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode without gradients."""
    return copy.deepcopy(network).eval().requires_grad_(False)


@torch.no_grad()
def update_ema(ema: nn.Module, network: nn.Module, how: EmaSection, step: int) -> None:
    """Move ``ema`` towards ``network`` after step number ``step`` (from 0); buffers are copied."""
    decay = min(how.decay, (1 + step) / (10 + step)) if how.warm_up else how.decay
    torch._foreach_lerp_(list(ema.parameters()), list(network.parameters()), 1 - decay)
    for mean, now in zip(ema.buffers(), network.buffers(), strict=True):
        mean.copy_(now)
