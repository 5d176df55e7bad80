"""Vision transformers whose class token describes an image: CLIP's image tower, DINO and DINOv2.

Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021; Radford et al., CLIP, ICML 2021; Caron et al., DINO, ICCV
2021; Oquab et al., DINOv2, TMLR 2024. One module; ``vit_layouts`` reads the three public layouts into it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class ViTConfig:
    """Everything that shapes the network.

    patch        side of a patch, pixels.
    grid         patches along a side that the position embedding was trained for.
    width        of a token; heads divide it.
    hidden       of the two-layer network in each block.
    quick_gelu   ``x sigmoid(1.702 x)`` as CLIP has it, else the exact GELU.
    norm_first   normalise the tokens before the first block (CLIP).
    layer_scale  a learned factor per channel on both branches of a block (DINOv2).
    patch_bias   the patch embedding has a bias (not CLIP).
    projection   width of the final linear map without bias, 0 for none.
    """

    patch: int
    grid: int
    width: int
    depth: int
    heads: int
    hidden: int
    eps: float
    quick_gelu: bool = False
    norm_first: bool = False
    layer_scale: bool = False
    patch_bias: bool = True
    projection: int = 0


class ViT(nn.Module):
    """One vector per image.

    Input (B, 3, H, W) float RGB, normalised as the checkpoint wants it, H = W a multiple of the patch. Output
    (B, projection or width): the class token after the last norm (and projection).
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.patches = nn.Conv2d(3, width, config.patch, config.patch, bias=config.patch_bias)
        self.cls = nn.Parameter(torch.zeros(width))
        self.positions = nn.Parameter(torch.zeros(config.grid**2 + 1, width))
        self.first_norm = nn.LayerNorm(width, config.eps) if config.norm_first else nn.Identity()
        shape = width, config.heads, config.hidden, config.eps
        self.blocks = nn.ModuleList(
            Block(*shape, quick_gelu=config.quick_gelu, layer_scale=config.layer_scale) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(width, config.eps)
        self.project = nn.Linear(width, config.projection, bias=False) if config.projection else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, projection or width)."""
        x = self.patches(image)  # (B, width, h, w)
        grid = x.shape[-2:]
        x = torch.cat([self.cls.expand(len(x), 1, -1), x.flatten(2).transpose(1, 2)], 1)  # (B, 1 + h w, width)
        x = self.first_norm(x + self._positions_for(grid[0], grid[1]))
        for block in self.blocks:
            x = block(x)
        return self.project(self.norm(x[:, 0]))

    def _positions_for(self, height: int, width: int) -> Tensor:
        """The position embedding, resized (bicubic, ``align_corners=False``) to another grid of patches."""
        side = self.config.grid
        if (height, width) == (side, side):
            return self.positions
        square = self.positions[1:].T.reshape(1, -1, side, side)
        resized = functional.interpolate(square, (height, width), mode="bicubic", align_corners=False)
        return torch.cat([self.positions[:1], resized.flatten(2)[0].T])


class Block(nn.Module):
    """Attention and a two-layer network, each on normalised tokens and added to them.

    quick_gelu, layer_scale  see ``ViTConfig``.
    causal                   a token attends to itself and to those before it alone.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        eps: float,
        *,
        quick_gelu: bool = False,
        layer_scale: bool = False,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.heads, self.quick_gelu, self.causal = heads, quick_gelu, causal
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.scale1 = nn.Parameter(torch.ones(width)) if layer_scale else None
        self.scale2 = nn.Parameter(torch.ones(width)) if layer_scale else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) to the same."""
        attended = self._attend(self.norm1(x))
        x = x + (attended if self.scale1 is None else attended * self.scale1)
        hidden = self.fc1(self.norm2(x))
        hidden = hidden * torch.sigmoid(1.702 * hidden) if self.quick_gelu else functional.gelu(hidden)
        mixed = self.fc2(hidden)
        return x + (mixed if self.scale2 is None else mixed * self.scale2)

    def _attend(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        query, key, value = (
            layer(x).view(batch, count, self.heads, -1).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.out(mixed.transpose(1, 2).reshape(batch, count, width))
