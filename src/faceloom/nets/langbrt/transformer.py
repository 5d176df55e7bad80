"""The latent transformer T with target-aware cross attention: equations (2) to (4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceloom.nets.langbrt.config import LangBRTConfig


class TargetAwareAttention(nn.Module):
    """Attention in windows, in which what replaces a blemish comes from the blemish map, not from its own features.

    ``Q = phi_q(F * (1 - m))``, ``K = phi_k(m)``, ``V = phi_v(m)``, ``out = sigmoid(K Q^T / alpha) V``; rows of the
    product are positions of ``m``, columns positions of the clean features. alpha is learnt for each head. The sigmoid
    does not add up to 1, so the sum is divided by the number of positions. Liu et al., Swin Transformer, ICCV 2021, for
    windows, their shift and the bias by relative position.
    """

    index: Tensor

    def __init__(self, width: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.alpha = nn.Parameter(torch.full((heads, 1, 1), (width // heads) ** 0.5))
        self.bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("index", relative_positions(window), persistent=False)

    def forward(self, features: Tensor, target: Tensor, lifted: Tensor, near: Tensor | None) -> Tensor:
        """One exchange.

        Args:
            features: (B, H, W, C), F.
            target: (B, H, W, 1), m in [0, 1].
            lifted: (B, H, W, C), the maps of the prompts carried by their text vectors: m as keys and values take it.
            near: ``neighbours`` for shifted windows, None for others.

        Returns:
            (B, H, W, C).
        """
        height, width = features.shape[1:3]
        clean, map_windows = self._windows(features * (1 - target)), self._windows(lifted)
        q, k, v = (
            self._split(self.query(clean)),
            self._split(self.key(map_windows)),
            self._split(self.value(map_windows)),
        )
        bias = self.bias[self.index].permute(2, 0, 1)  # (heads, n, n)
        weight = torch.sigmoid(k @ q.transpose(-1, -2) / self.alpha + bias)  # (B*windows, heads, n, n)
        if near is not None:
            weight = (weight.unflatten(0, (-1, len(near))) * near[:, None]).flatten(0, 1)
        mixed = (weight @ v / weight.shape[-1]).transpose(1, 2).flatten(2)
        return self.out(self._together(mixed, height, width))

    def _windows(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B * windows, window * window, C)."""
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (1, 2))
        w = self.window
        x = x.unflatten(2, (-1, w)).unflatten(1, (-1, w))  # (B, rows, w, columns, w, C)
        return x.transpose(2, 3).flatten(3, 4).flatten(0, 2)

    def _together(self, x: Tensor, height: int, width: int) -> Tensor:
        w = self.window
        x = x.unflatten(0, (-1, height // w, width // w)).unflatten(3, (w, w)).transpose(2, 3)
        x = x.flatten(3, 4).flatten(1, 2)
        return x.roll((self.shift, self.shift), (1, 2)) if self.shift else x

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """Target-aware attention and a feed-forward layer; both change features only as far as ``m`` says."""

    def __init__(self, config: LangBRTConfig, shift: int) -> None:
        super().__init__()
        width = config.widths[-1]
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = TargetAwareAttention(width, config.heads, config.window, shift)
        hidden = config.mlp_ratio * width
        self.feed = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, features: Tensor, target: Tensor, lifted: Tensor, near: Tensor | None) -> Tensor:
        """As ``TargetAwareAttention.forward``; where ``target`` is 0, ``features`` come back as they were."""
        features = features + target * self.attention(self.norm1(features), target, lifted, near)
        return features + target * self.feed(self.norm2(features))


class LatentTransformer(nn.Module):
    """Blocks whose windows are shifted by half in every other one."""

    def __init__(self, config: LangBRTConfig) -> None:
        super().__init__()
        self.window = config.window
        self.lift = nn.Linear(config.text_dim, config.widths[-1], bias=False)
        self.blocks = nn.ModuleList(Block(config, config.window // 2 * (index % 2)) for index in range(config.depth))

    def forward(self, features: Tensor, maps: Tensor, text: Tensor, asked: Tensor) -> Tensor:
        """Replace what is asked for.

        Args:
            features: (B, C, H, W), ``F_x^(0)``.
            maps: (B, N, H, W), the prompts' maps in [0, 1] at this size.
            text: (B, N, T), their text vectors.
            asked: (B, N), weight of each prompt.

        Returns:
            (B, C, H, W), ``F_x^(N)``.
        """
        weighted = maps * asked[..., None, None]
        target = weighted.sum(1).clamp(max=1)[..., None]  # (B, H, W, 1)
        lifted = torch.einsum("bnhw,bnc->bhwc", weighted, self.lift(text))
        x = features.permute(0, 2, 3, 1)
        window, height, width = self.window, *features.shape[-2:]
        near = neighbours(height, width, window, window // 2, x.device).to(x.dtype)
        for index, block in enumerate(self.blocks):
            x = block(x, target, lifted, near if index % 2 else None)
        return x.permute(0, 3, 1, 2)


def relative_positions(window: int) -> Tensor:
    """(n, n) row of the bias table for every pair of positions of a window."""
    at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)  # (2, n)
    apart = at[:, :, None] - at[:, None] + window - 1
    return apart[0] * (2 * window - 1) + apart[1]


def neighbours(height: int, width: int, window: int, shift: int, device: torch.device) -> Tensor:
    """(windows, n, n) True for positions that are neighbours in the map too, not only through the roll."""
    zones = [
        (torch.arange(length, device=device) >= length - window).int()
        + (torch.arange(length, device=device) >= length - shift).int()
        for length in (height, width)
    ]
    zone = (3 * zones[0][:, None] + zones[1][None]).unflatten(1, (-1, window)).unflatten(0, (-1, window))
    flat = zone.transpose(1, 2).flatten(2).flatten(0, 1)  # (windows, n)
    return flat[:, :, None] == flat[:, None]
