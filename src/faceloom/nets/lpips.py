"""LPIPS v0.1: how different two images look, from the features of an image classifier.

Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018. Trunks: VGG-16
(Simonyan and Zisserman, 2014) and AlexNet (Krizhevsky, 2014), both trained on ImageNet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.errors import WeightsError
from faceloom.nets.flax_pickle import Arrays


@dataclass(frozen=True)
class _Layer:
    """One convolution with ReLU; ``pool`` is the kernel of a stride-2 maximum before it, ``tap`` marks an output."""

    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    pool: int = 0
    tap: bool = False


_VGG = (
    _Layer(3, 64),
    _Layer(64, 64, tap=True),
    _Layer(64, 128, pool=2),
    _Layer(128, 128, tap=True),
    _Layer(128, 256, pool=2),
    _Layer(256, 256),
    _Layer(256, 256, tap=True),
    _Layer(256, 512, pool=2),
    _Layer(512, 512),
    _Layer(512, 512, tap=True),
    _Layer(512, 512, pool=2),
    _Layer(512, 512),
    _Layer(512, 512, tap=True),
)
_ALEX = (
    _Layer(3, 64, 11, 4, 2, tap=True),
    _Layer(64, 192, 5, 1, 2, pool=3, tap=True),
    _Layer(192, 384, pool=3, tap=True),
    _Layer(384, 256, tap=True),
    _Layer(256, 256, tap=True),
)
_TRUNKS = {"vgg": ("VGG16_0", _VGG), "alex": ("AlexNet_0", _ALEX)}


class Trunk(nn.Module):
    """The convolutions of a classifier, with the features after five of them.

    kind  "vgg" or "alex".

    Input (B, 3, H, W) float RGB in [-1, 1]; the shift and scale of ImageNet are applied inside, as LPIPS has them.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, layers = kind, _TRUNKS[kind][1]
        self._layers = layers
        self.widths = tuple(layer.outputs for layer in layers if layer.tap)
        self.convs = nn.ModuleList(
            nn.Conv2d(one.inputs, one.outputs, one.kernel, one.stride, one.padding) for one in layers
        )
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Five feature maps after the ReLU: for VGG relu1_2, relu2_2, relu3_3, relu4_3, relu5_3."""
        x, taps = (image - self.shift) / self.scale, []
        for layer, conv in zip(self._layers, self.convs, strict=True):
            if layer.pool:
                x = functional.max_pool2d(x, layer.pool, 2)
            x = functional.relu(conv(x))
            if layer.tap:
                taps.append(x)
        return taps


class LPIPS(nn.Module):
    """The distance; 0 for equal images, larger the more they differ.

    ``d = sum_l mean_p sum_c w_lc (a_lc(p) - b_lc(p))^2`` with features normalised to unit length at every position p.

    Input two (B, 3, H, W) float RGB in [-1, 1], sides at least 32. Output (B,).
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.trunk = Trunk(kind)
        self.heads = nn.ModuleList(nn.Conv2d(width, 1, 1, bias=False) for width in self.trunk.widths)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """(B, 3, H, W) twice to (B,)."""
        return self.compare(self.trunk(one), self.trunk(other))

    def compare(self, one: list[Tensor], other: list[Tensor]) -> Tensor:
        """The distance of feature maps that ``trunk`` gave: (B,)."""
        total = torch.zeros(one[0].shape[0], device=one[0].device)
        for a, b, head in zip(one, other, self.heads, strict=True):
            total = total + head((unit(a) - unit(b)) ** 2).mean(dim=(1, 2, 3))
        return total


def unit(features: Tensor) -> Tensor:
    """Features (B, C, H, W) divided by their length over C; 0 stays 0."""
    return features / (features.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-10)


def trunk_state(kind: str, arrays: Arrays) -> dict[str, Tensor]:
    """The state dictionary of ``Trunk(kind)`` from flax parameters, kernels (H, W, in, out).

    Raises:
        WeightsError: a parameter is missing.
    """
    owner, layers = _TRUNKS[kind]
    state = {}
    for index in range(len(layers)):
        kernel, bias = (arrays.get(f"{owner}/Conv_{index}/{name}") for name in ("kernel", "bias"))
        if kernel is None or bias is None:
            raise WeightsError(f"the parameters have no {owner}/Conv_{index}")
        state[f"convs.{index}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        state[f"convs.{index}.bias"] = torch.from_numpy(np.ascontiguousarray(bias))
    return state


def head_state(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dictionary of ``LPIPS.heads`` from the authors' ``lin{0..4}.model.1.weight``."""
    return {f"{name.split('.')[0].removeprefix('lin')}.weight": value for name, value in published.items()}
