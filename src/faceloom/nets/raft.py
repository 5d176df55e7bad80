"""RAFT, the large model: dense optical flow by repeated lookup in the correlation of all pairs of pixels.

Teed and Deng, RAFT: Recurrent All-Pairs Field Transforms for Optical Flow, ECCV 2020. Names of modules follow the
public checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.nets.raft_update import UpdateBlock

STRIDE = 8
"""Pixels of a picture per cell of its features."""
LEAST_SIDE = 64
"""Smallest side of a picture, pixels: below it the coarsest of the correlation maps would be empty."""
_HIDDEN, _CONTEXT = 128, 128
_LEVELS, _RADIUS = 4, 4


class Raft(nn.Module):
    """Flow from one picture to another.

    Input: two (B, 3, H, W) float RGB in [0, 255], H and W multiples of 8 and at least 64. Every cell of ``a`` is
    correlated with every cell of ``b``, which takes about ``(H * W)² / 770`` bytes: 90 MB for 512 x 512. Under autocast
    the convolutions run in the lower precision; correlation, positions and flow stay float32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fnet = Encoder(256, nn.InstanceNorm2d)
        self.cnet = Encoder(_HIDDEN + _CONTEXT, nn.BatchNorm2d)
        self.update_block = UpdateBlock(_LEVELS * (2 * _RADIUS + 1) ** 2, _HIDDEN, _CONTEXT)

    def forward(self, a: Tensor, b: Tensor, iterations: int = 12) -> tuple[Tensor, Tensor]:
        """``flow_up`` (B, 2, H, W) in pixels and ``flow_low`` (B, 2, H / 8, W / 8) in cells of 8 pixels; x, then y.

        What ``a`` shows at ``(x, y)``, ``b`` shows at ``(x, y) + flow[:, y, x]``. Raises ``ValueError`` for pictures of
        different sizes or of sizes that do not fit.
        """
        _check(a, b)
        a, b = a / 127.5 - 1, b / 127.5 - 1
        pyramid = correlation_pyramid(*self.fnet(torch.cat([a, b])).float().chunk(2))
        hidden, context = self.cnet(a).split([_HIDDEN, _CONTEXT], dim=1)
        hidden, fixed = torch.tanh(hidden), self.update_block.prepare(functional.relu(context))
        start = cell_positions(hidden.shape[2], hidden.shape[3], hidden.device)
        flow = torch.zeros_like(start).expand(len(a), -1, -1, -1)
        for _ in range(iterations):
            hidden, change = self.update_block(hidden, fixed, lookup(pyramid, start + flow), flow)
            flow = flow + change.float()
        weights = self.update_block.upsampling_weights(hidden).float()
        return upsample_convex(flow, weights), flow

    def load_public(self, state: Mapping[str, Tensor]) -> None:
        """Load a state dict whose names carry the prefix ``module.`` of the public checkpoints, or none.

        Raises ``RuntimeError`` that lists every missing, unexpected or misshapen tensor.
        """
        self.load_state_dict({name.removeprefix("module."): tensor for name, tensor in state.items()}, strict=True)


class Encoder(nn.Module):
    """Features at an eighth of the resolution; normalised by picture for matching, by batch statistics for context."""

    def __init__(self, outputs: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.norm1 = norm(64)
        self.layer1 = nn.Sequential(ResidualBlock(64, 64, 1, norm), ResidualBlock(64, 64, 1, norm))
        self.layer2 = nn.Sequential(ResidualBlock(64, 96, 2, norm), ResidualBlock(96, 96, 1, norm))
        self.layer3 = nn.Sequential(ResidualBlock(96, 128, 2, norm), ResidualBlock(128, 128, 1, norm))
        self.conv2 = nn.Conv2d(128, outputs, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, outputs, H / 8, W / 8)."""
        x = functional.relu(self.norm1(self.conv1(image)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions, each with its ReLU, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm1, self.norm2 = norm(outputs), norm(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1:
            # One module under two names, because the public checkpoints carry it under both.
            self.norm3 = norm(outputs)
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), self.norm3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = functional.relu(self.norm2(self.conv2(y)))
        return functional.relu(self.downsample(x) + y)


def correlation_pyramid(a: Tensor, b: Tensor) -> list[Tensor]:
    """Products of the features (B, C, h, w) of all pairs of cells, ``⟨a_ij, b_kl⟩ / √C`` (the paper's equation 1).

    Four maps (B * h * w, 1, h / 2ⁿ, w / 2ⁿ): one picture of ``b`` for every cell of ``a``, averaged to ever lower
    resolution, n = 0 to 3.
    """
    batch, channels, height, width = a.shape
    products = a.flatten(2).transpose(1, 2) @ b.flatten(2) / channels**0.5  # (B, h * w, h * w)
    maps = [products.reshape(batch * height * width, 1, height, width)]
    while len(maps) < _LEVELS:
        maps.append(functional.avg_pool2d(maps[-1], 2))
    return maps


def lookup(pyramid: list[Tensor], positions: Tensor) -> Tensor:
    """Correlations around ``positions`` (B, 2, h, w; x then y, cells of ``b``): (B, 4 * 81, h, w).

    From each map the square of 9 x 9 values around the position, bilinear, zero outside. The offset in x varies
    slowest, as the public weights expect.
    """
    batch, _, height, width = positions.shape
    steps = torch.arange(-_RADIUS, _RADIUS + 1, device=positions.device, dtype=positions.dtype)
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)  # (9, 9, 2): [x, y]
    centres = positions.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
    found = [sample(level, centres / 2**n + offsets) for n, level in enumerate(pyramid)]
    return torch.cat([values.view(batch, height, width, -1) for values in found], dim=-1).permute(0, 3, 1, 2)


def sample(maps: Tensor, positions: Tensor) -> Tensor:
    """Values of ``maps`` (N, 1, h, w) at ``positions`` (N, p, q, 2), x and y in cells: (N, 1, p, q); zero outside.

    Centres of cells lie at integers. With ``align_corners=True`` a map of a single row could not be looked up beside
    that row, so the grid is that of ``align_corners=False``, where -1 and 1 are the outer edges of the first and the
    last cell; the values are the same.
    """
    size = positions.new_tensor([maps.shape[3], maps.shape[2]])
    grid = (2 * positions + 1) / size - 1
    return functional.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def upsample_convex(flow: Tensor, weights: Tensor) -> Tensor:
    """Flow in pixels (B, 2, 8 h, 8 w) from flow in cells (B, 2, h, w).

    Each pixel is a mean of the 3 x 3 cells around its own (the paper's section 3.3); ``weights`` (B, 9 * 64, h, w) are
    the logits of it, the cell varying slowest, then the row, then the column of the pixel.
    """
    batch, _, height, width = flow.shape
    shares = weights.view(batch, 1, 9, STRIDE, STRIDE, height, width).softmax(dim=2)
    cells = functional.unfold(STRIDE * flow, 3, padding=1).view(batch, 2, 9, 1, 1, height, width)
    pixels = (shares * cells).sum(dim=2)  # (B, 2, 8, 8, h, w)
    return pixels.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, STRIDE * height, STRIDE * width)


def cell_positions(height: int, width: int, device: torch.device) -> Tensor:
    """(1, 2, height, width) float32: x and y of every cell."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y])[None]


def _check(a: Tensor, b: Tensor) -> None:
    height, width = a.shape[2:]
    if a.shape != b.shape:
        raise ValueError(f"flow needs two pictures of one size, got {tuple(a.shape)} and {tuple(b.shape)}")
    if height % STRIDE or width % STRIDE or min(height, width) < LEAST_SIDE:
        raise ValueError(
            f"pictures for flow need sides that are multiples of {STRIDE} and at least {LEAST_SIDE}, "
            f"got {height} x {width}"
        )
