"""Inception-v3 in the variant that the Frechet inception distance is defined with: 2048 features of an image.

Szegedy et al., Rethinking the Inception Architecture, CVPR 2016; the network of TensorFlow's release of 2015-12-05 that
Heusel et al. (2017) use. It differs from later Inception-v3 models: batch normalisation has no scale and eps 1e-3,
average pooling leaves out the padding, and the last block pools by maximum. Names follow the TorchScript translation.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

Size = int | tuple[int, int]
FEATURES = 2048


class InceptionV3(nn.Module):
    """Features of images.

    Input (B, 3, 299, 299) float RGB, ``(v - 128) / 128`` of 0..255. Output (B, 2048): the average pool before the
    classifier.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            OrderedDict(
                conv=Unit(3, 32, 3, stride=2),
                conv_1=Unit(32, 32, 3),
                conv_2=Unit(32, 64, 3, padding=1),
                pool0=nn.MaxPool2d(3, 2),
                conv_3=Unit(64, 80, 1),
                conv_4=Unit(80, 192, 3),
                pool1=nn.MaxPool2d(3, 2),
                mixed=BlockA(192, 32),
                mixed_1=BlockA(256, 64),
                mixed_2=BlockA(288, 64),
                mixed_3=BlockB(288),
                mixed_4=BlockC(768, 128),
                mixed_5=BlockC(768, 160),
                mixed_6=BlockC(768, 160),
                mixed_7=BlockC(768, 192),
                mixed_8=BlockD(768),
                mixed_9=BlockE(1280, _mean_pool()),
                mixed_10=BlockE(2048, nn.MaxPool2d(3, 1, 1)),
                pool2=nn.AvgPool2d(8),
            )
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, 299, 299) to (B, 2048)."""
        return self.layers(image).flatten(1)


class Unit(nn.Module):
    """Convolution, batch normalisation without scale, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: Size, stride: int = 1, padding: Size = 0) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.stride, self.padding = stride, padding
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, height, width))
        self.beta = nn.Parameter(torch.zeros(outputs))
        self.mean = nn.Parameter(torch.zeros(outputs), requires_grad=False)
        self.var = nn.Parameter(torch.ones(outputs), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H', W')."""
        x = functional.conv2d(x, self.weight, None, self.stride, self.padding)
        return functional.relu(functional.batch_norm(x, self.mean, self.var, None, self.beta, eps=1e-3))


class _Branches(nn.Module):
    """Branches side by side, in the order in which they were added, joined by channel."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        return torch.cat([branch(x) for branch in self.children()], 1)


class BlockA(_Branches):
    """Figure 5 of the paper: 1x1, 5x5, two 3x3, pool."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.conv = Unit(inputs, 64, 1)
        self.tower = nn.Sequential(OrderedDict(conv=Unit(inputs, 48, 1), conv_1=Unit(48, 64, 5, padding=2)))
        self.tower_1 = nn.Sequential(
            OrderedDict(conv=Unit(inputs, 64, 1), conv_1=Unit(64, 96, 3, padding=1), conv_2=Unit(96, 96, 3, padding=1))
        )
        self.tower_2 = _pooled(inputs, pooled)


class BlockB(_Branches):
    """Figure 10: 35x35 to 17x17."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = Unit(inputs, 384, 3, stride=2)
        self.tower = nn.Sequential(
            OrderedDict(conv=Unit(inputs, 64, 1), conv_1=Unit(64, 96, 3, padding=1), conv_2=Unit(96, 96, 3, stride=2))
        )
        self.pool = nn.MaxPool2d(3, 2)


class BlockC(_Branches):
    """Figure 6: 7x7 as 1x7 and 7x1."""

    def __init__(self, inputs: int, middle: int) -> None:
        super().__init__()
        self.conv = Unit(inputs, 192, 1)
        self.tower = nn.Sequential(
            OrderedDict(conv=Unit(inputs, middle, 1), conv_1=_row(middle, middle), conv_2=_column(middle, 192))
        )
        self.tower_1 = nn.Sequential(
            OrderedDict(
                conv=Unit(inputs, middle, 1),
                conv_1=_column(middle, middle),
                conv_2=_row(middle, middle),
                conv_3=_column(middle, middle),
                conv_4=_row(middle, 192),
            )
        )
        self.tower_2 = _pooled(inputs, 192)


class BlockD(_Branches):
    """17x17 to 8x8."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.tower = nn.Sequential(OrderedDict(conv=Unit(inputs, 192, 1), conv_1=Unit(192, 320, 3, stride=2)))
        self.tower_1 = nn.Sequential(
            OrderedDict(
                conv=Unit(inputs, 192, 1),
                conv_1=_row(192, 192),
                conv_2=_column(192, 192),
                conv_3=Unit(192, 192, 3, stride=2),
            )
        )
        self.pool = nn.MaxPool2d(3, 2)


class BlockE(nn.Module):
    """Figure 7: branches that fork once more."""

    def __init__(self, inputs: int, pool: nn.Module) -> None:
        super().__init__()
        self.conv = Unit(inputs, 320, 1)
        self.tower_conv = Unit(inputs, 384, 1)
        self.tower_mixed_conv = Unit(384, 384, (1, 3), padding=(0, 1))
        self.tower_mixed_conv_1 = Unit(384, 384, (3, 1), padding=(1, 0))
        self.tower_1_conv = Unit(inputs, 448, 1)
        self.tower_1_conv_1 = Unit(448, 384, 3, padding=1)
        self.tower_1_mixed_conv = Unit(384, 384, (1, 3), padding=(0, 1))
        self.tower_1_mixed_conv_1 = Unit(384, 384, (3, 1), padding=(1, 0))
        self.tower_2_pool = pool
        self.tower_2_conv = Unit(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, 8, 8) to (B, 2048, 8, 8)."""
        one, two = self.tower_conv(x), self.tower_1_conv_1(self.tower_1_conv(x))
        forks = [self.tower_mixed_conv(one), self.tower_mixed_conv_1(one)]
        forks += [self.tower_1_mixed_conv(two), self.tower_1_mixed_conv_1(two)]
        return torch.cat([self.conv(x), *forks, self.tower_2_conv(self.tower_2_pool(x))], 1)


def _mean_pool() -> nn.Module:
    return nn.AvgPool2d(3, 1, 1, count_include_pad=False)


def _pooled(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(OrderedDict(pool=_mean_pool(), conv=Unit(inputs, outputs, 1)))


def _row(inputs: int, outputs: int) -> Unit:
    return Unit(inputs, outputs, (1, 7), padding=(0, 3))


def _column(inputs: int, outputs: int) -> Unit:
    return Unit(inputs, outputs, (7, 1), padding=(3, 0))
