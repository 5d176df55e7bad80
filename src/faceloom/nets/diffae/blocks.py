"""The blocks that encoder and UNet are made of.

Dhariwal and Nichol, Diffusion Models Beat GANs on Image Synthesis, NeurIPS 2021 (residual blocks that resample, group
normalisation scaled by the time step), as Diffusion Autoencoders use them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

TokenMixer = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Changes what an attention block found: queries, keys and result, each (B, heads, tokens, d), to a new result."""


class GroupNorm(nn.GroupNorm):
    """torch's, in the memory layout in which it is fast.

    With channels last a processor takes small maps one value at a time where a group is narrower than its registers:
    five times as slow as plane by plane, for maps of 128 channels and 16 × 16 pixels in bfloat16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) normalised."""
        if x.device.type == "cpu" and x.shape[-1] * x.shape[-2] < 1024 and x.shape[1] < 16 * self.num_groups:
            x = x.contiguous()
        return super().forward(x)


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalisation over at most 32 groups."""
    return GroupNorm(min(32, channels), channels)


def conv3(inputs: int, outputs: int) -> nn.Conv2d:
    """3×3 convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def zeroed(module: nn.Conv2d | nn.Conv1d) -> nn.Conv2d | nn.Conv1d:
    """The module with all parameters 0, so that what it belongs to begins as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def time_features(steps: Tensor, channels: int) -> Tensor:
    """(B,) integer time steps to (B, channels): cosines, then sines, of ``channels / 2`` frequencies."""
    half = channels // 2
    rates = torch.exp(-math.log(10000) * torch.arange(half, device=steps.device, dtype=torch.float32) / half)
    angles = steps[:, None].float() * rates[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def silu(x: Tensor) -> Tensor:
    """SiLU of a map that nothing else needs: in its place, unless gradients have to pass."""
    return functional.silu(x, inplace=not torch.is_grad_enabled())


def upsampled_conv(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """``conv(upsample(x))`` of a 3×3 convolution after nearest ×2 upsampling, with 4 products in place of 9.

    Of the nine pixels that a kernel covers, those that are copies of one pixel share a product with the sum of their
    weights. That makes a transposed convolution, 4×4 with stride 2; equal up to rounding.
    """
    kernel = conv.weight.flip(2, 3).transpose(0, 1)
    kernel = functional.pad(kernel, (0, 1)) + functional.pad(kernel, (1, 0))
    kernel = functional.pad(kernel, (0, 0, 0, 1)) + functional.pad(kernel, (0, 0, 1, 0))
    bias = None if conv.bias is None else conv.bias.to(x.dtype)
    return functional.conv_transpose2d(x, kernel.to(x.dtype), bias, stride=2, padding=1)


class ResidualBlock(nn.Module):
    """GroupNorm–SiLU–convolution, twice; the second normalisation is modulated by time and by z_sem.

    inputs, outputs  channels before and after.
    resample         "up" (nearest, ×2) or "down" (mean of 2×2) between the first SiLU and its convolution, for the
                     skip path too.
    embed            channels of the time embedding and of z_sem; 0 makes the encoder's block, which has no second
                     half: ``skip(x) + conv(SiLU(GN(x)))``.
    """

    def __init__(self, inputs: int, outputs: int, embed: int, dropout: float, resample: str = "") -> None:
        super().__init__()
        self.resample = resample
        self.in_layers = nn.Sequential(group_norm(inputs), nn.SiLU(), conv3(inputs, outputs))
        self.conditioned = embed > 0
        if embed:
            self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embed, 2 * outputs))
            self.cond_emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embed, outputs))
            self.out_layers = nn.Sequential(
                group_norm(outputs), nn.SiLU(), nn.Dropout(dropout), zeroed(conv3(outputs, outputs))
            )
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor | None = None, semantic: Tensor | None = None) -> Tensor:
        """One block.

        Args:
            x: (B, inputs, H, W).
            time: ``emb_layers`` of the time embedding, (1 or B, 2 outputs); None in the encoder.
            semantic: ``cond_emb_layers`` of z_sem, (1 or B, outputs); None in the encoder.
        """
        norm, _, conv = self.in_layers
        h = self._resampled_conv(silu(norm(x)), conv)
        if self.conditioned:
            assert time is not None and semantic is not None
            norm, _, dropout, conv = self.out_layers
            scale, shift = time[:, :, None, None].chunk(2, dim=1)
            # GN(h)·(1 + s_t) + b_t, then times (1 + s_z): as one scale and one shift.
            semantic = 1 + semantic[:, :, None, None]
            h = conv(dropout(silu(torch.addcmul(shift * semantic, norm(h), (1 + scale) * semantic))))
        return self.skip_connection(self._resampled(x)) + h

    def _resampled_conv(self, x: Tensor, conv: nn.Module) -> Tensor:
        # Measured on processors only; a GPU, and training, keep the plain form.
        if self.resample == "up" and x.device.type == "cpu" and not torch.is_grad_enabled():
            assert isinstance(conv, nn.Conv2d)
            return upsampled_conv(x, conv)
        return conv(self._resampled(x))

    def _resampled(self, x: Tensor) -> Tensor:
        if self.resample == "up":
            return functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return functional.avg_pool2d(x, 2) if self.resample == "down" else x


class SelfAttention(nn.Module):
    """Residual self-attention over the pixels of a map; queries, keys and values interleaved per head."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = group_norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor, mixer: TokenMixer | None = None) -> Tensor:
        """(B, C, H, W) to the same; ``mixer`` may change what was attended to before it is projected and added."""
        flat = self.norm(x).flatten(2)
        batch, channels, tokens = flat.shape
        # (B, heads, 3 d, tokens) -> three of (B, heads, tokens, d)
        q, k, v = self.qkv(flat).reshape(batch, self.heads, -1, tokens).transpose(2, 3).chunk(3, dim=-1)
        h = functional.scaled_dot_product_attention(q, k, v)
        if mixer is not None:
            h = mixer(q, k, h)
        h = self.proj_out(h.transpose(2, 3).reshape(batch, channels, tokens))
        return x + h.reshape(x.shape)
