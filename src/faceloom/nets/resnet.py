"""The trunk of ResNet-50: one vector for a picture.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016, with the stride of a stage on its 3 x 3 convolution,
as public checkpoints have it. Names of modules follow them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

_EXPANSION = 4


class ResNet50(nn.Module):
    """The mean over all places of the features of the last stage.

    width   channels of the first stage; 64 in the published network, fewer for tests.
    blocks  residual blocks of the four stages.

    Input (B, 3, H, W), normalised as the checkpoint wants it. Output (B, ``features``), 2048 in the published network.
    """

    def __init__(self, width: int = 64, blocks: Sequence[int] = (3, 4, 6, 3)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        first, second, third, fourth = blocks
        self.layer1 = _stage(width, width, first, stride=1)
        self.layer2 = _stage(_EXPANSION * width, 2 * width, second, stride=2)
        self.layer3 = _stage(2 * _EXPANSION * width, 4 * width, third, stride=2)
        self.layer4 = _stage(4 * _EXPANSION * width, 8 * width, fourth, stride=2)
        self.features = 8 * _EXPANSION * width

    def pooled(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, features)."""
        x = functional.relu(self.bn1(self.conv1(image)))
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))

    def forward(self, image: Tensor) -> Tensor:
        """See ``pooled``."""
        return self.pooled(image)


class Bottleneck(nn.Module):
    """Narrow to ``width``, look around, widen to four times as much, and add what came in."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = _EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, 4 width, H / stride, W / stride)."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


def _stage(inputs: int, width: int, count: int, stride: int) -> nn.Sequential:
    rest = (Bottleneck(_EXPANSION * width, width, 1) for _ in range(count - 1))
    return nn.Sequential(Bottleneck(inputs, width, stride), *rest)
