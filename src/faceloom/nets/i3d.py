"""I3D: an Inception network inflated to space and time, trained on Kinetics-400.

Carreira and Zisserman, Quo Vadis, Action Recognition?, CVPR 2017; RGB stream. Its 400 logits are the features of the
Frechet video distance (Unterthiner et al., Towards Accurate Generative Models of Video, 2018). Names of modules follow
the authors'.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.errors import WeightsError
from faceloom.nets.flax_pickle import Arrays

CLASSES = 400
SIDE = 224
LEAST_FRAMES = 9
"""Shorter clips leave less than the two steps in time that the last pool needs."""

_BLOCKS = {
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}


class I3D(nn.Module):
    """Logits of clips.

    Input (B, 3, T, 224, 224) float RGB in [-1, 1], T at least 9. Output (B, 400): logits before the softmax, averaged
    over time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit3D(3, 64, 7, stride=2)
        self.Conv3d_2b_1x1 = Unit3D(64, 64, 1)
        self.Conv3d_2c_3x3 = Unit3D(64, 192, 3)
        for name, (inputs, widths) in _BLOCKS.items():
            self.add_module(name, Mixed(inputs, widths))
        self.Logits = nn.Conv3d(1024, CLASSES, 1)

    def forward(self, clip: Tensor) -> Tensor:
        """(B, 3, T, 224, 224) to (B, 400)."""
        x = pool_same(self.Conv3d_1a_7x7(clip), (1, 3, 3), (1, 2, 2))
        x = pool_same(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)), (1, 3, 3), (1, 2, 2))
        for name in _BLOCKS:
            if name == "Mixed_4b":
                x = pool_same(x, (3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                x = pool_same(x, (2, 2, 2), (2, 2, 2))
            x = self.get_submodule(name)(x)
        return self.Logits(functional.avg_pool3d(x, (2, 7, 7), 1)).mean(dim=(2, 3, 4))


class Unit3D(nn.Module):
    """Convolution with "same" padding, batch normalisation without scale, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3)
        self.bn.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T, H, W) to (B, outputs, T / stride, H / stride, W / stride), rounded up."""
        padded = functional.pad(x, _same(x, self.conv.kernel_size, self.conv.stride))
        return functional.relu(self.bn(self.conv(padded)))


class Mixed(nn.Module):
    """Four branches: 1x1x1; 1x1x1 and 3x3x3, twice; pool and 1x1x1."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.Branch_0_Conv3d_0a_1x1 = Unit3D(inputs, widths[0], 1)
        self.Branch_1_Conv3d_0a_1x1 = Unit3D(inputs, widths[1], 1)
        self.Branch_1_Conv3d_0b_3x3 = Unit3D(widths[1], widths[2], 3)
        self.Branch_2_Conv3d_0a_1x1 = Unit3D(inputs, widths[3], 1)
        self.Branch_2_Conv3d_0b_3x3 = Unit3D(widths[3], widths[4], 3)
        self.Branch_3_Conv3d_0b_1x1 = Unit3D(inputs, widths[5], 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T, H, W) to (B, outputs, T, H, W)."""
        one = self.Branch_1_Conv3d_0b_3x3(self.Branch_1_Conv3d_0a_1x1(x))
        two = self.Branch_2_Conv3d_0b_3x3(self.Branch_2_Conv3d_0a_1x1(x))
        pooled = self.Branch_3_Conv3d_0b_1x1(pool_same(x, (3, 3, 3), (1, 1, 1)))
        return torch.cat([self.Branch_0_Conv3d_0a_1x1(x), one, two, pooled], 1)


def pool_same(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Maximum over windows with "same" padding; what is padded never wins."""
    return functional.max_pool3d(functional.pad(x, _same(x, kernel, stride), value=float("-inf")), kernel, stride)


def from_flax(arrays: Arrays) -> dict[str, Tensor]:
    """The state dictionary of ``I3D`` from flax parameters.

    Args:
        arrays: as ``flax_pickle.read_arrays`` gives them; kernels (T, H, W, in, out), statistics (1, 1, 1, 1, C).

    Raises:
        WeightsError: a name that the layout does not have.
    """
    state = {}
    for path, values in arrays.items():
        collection, _, rest = path.partition("/")
        owner, _, last = rest.rpartition("/")
        module, _, layer = owner.rpartition("/")
        name = _NAMES.get((collection, layer, last))
        if name is None:
            raise WeightsError(f"the I3D parameters have an entry '{path}' that the network does not")
        if module.startswith("Logits/"):
            module, name = "Logits", name.removeprefix("conv.")
        block, _, branch = module.partition("/")
        key = ".".join(filter(None, (block, branch.replace("/", "_"), name)))
        state[key] = torch.from_numpy(np.ascontiguousarray(_as_torch(values, last)))
        if name == "bn.bias":
            scale = key.removesuffix("bias")
            state[f"{scale}weight"] = torch.ones_like(state[key])
            state[f"{scale}num_batches_tracked"] = torch.tensor(0)
    return state


_NAMES = {
    ("params", "Conv_0", "kernel"): "conv.weight",
    ("params", "Conv_0", "bias"): "conv.bias",
    ("params", "BatchNorm_0", "bias"): "bn.bias",
    ("batch_stats", "BatchNorm_0", "mean"): "bn.running_mean",
    ("batch_stats", "BatchNorm_0", "var"): "bn.running_var",
}


def _as_torch(values: np.ndarray, last: str) -> np.ndarray:
    return values.transpose(4, 3, 0, 1, 2) if last == "kernel" else values.reshape(-1)


def _same(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> list[int]:
    """Padding for ``functional.pad`` (last axis first) that gives ceil(size / stride), the odd one at the end."""
    padding = []
    for size, width, step in reversed(list(zip(x.shape[2:], kernel, stride, strict=True))):
        total = max((-(-size // step) - 1) * step + width - size, 0)
        padding += [total // 2, total - total // 2]
    return padding
