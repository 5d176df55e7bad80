"""BiSeNet with a ResNet-18 context path: one class for every pixel of a face.

Yu et al., BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation, ECCV 2018, in the variant for
CelebAMask-HQ, whose spatial path is the stride-8 stage of the ResNet. Names of modules follow the public checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class BiSeNet(nn.Module):
    """Logits of ``classes`` for every pixel.

    Input (B, 3, H, W) float RGB with ImageNet mean and deviation removed, H and W multiples of 32. Output
    (B, classes, H, W). ``conv_out16`` and ``conv_out32`` are heads for training only and take no part in ``forward``.
    """

    def __init__(self, classes: int = 19) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = FeatureFusion(256, 256)
        self.conv_out = OutputHead(256, 256, classes)
        self.conv_out16 = OutputHead(128, 64, classes)
        self.conv_out32 = OutputHead(128, 64, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, classes, H, W), enlarged from stride 8 bilinearly with ``align_corners=True``."""
        return functional.interpolate(self.coarse(image), image.shape[2:], mode="bilinear", align_corners=True)

    def coarse(self, image: Tensor) -> Tensor:
        """Logits (B, classes, H / 8, W / 8)."""
        spatial, context = self.cp(image)
        return self.conv_out(self.ffm(spatial, context))


class ConvBnRelu(nn.Module):
    """Convolution (no bias, same size), batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        return functional.relu(self.bn(self.conv(x)))


class OutputHead(nn.Module):
    """Class scores from features."""

    def __init__(self, inputs: int, middle: int, classes: int) -> None:
        super().__init__()
        self.conv = ConvBnRelu(inputs, middle)
        self.conv_out = nn.Conv2d(middle, classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, classes, H, W)."""
        return self.conv_out(self.conv(x))


class AttentionRefinement(nn.Module):
    """Features weighted by channel, from their own mean (the paper's figure 2b)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = ConvBnRelu(inputs, outputs)
        self.conv_atten = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        features = self.conv(x)
        mean = features.mean(dim=(2, 3), keepdim=True)
        return features * torch.sigmoid(self.bn_atten(self.conv_atten(mean)))


class ContextPath(nn.Module):
    """A ResNet-18 whose deep stages are refined and added to the shallower ones."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet18()
        self.arm16 = AttentionRefinement(256, 128)
        self.arm32 = AttentionRefinement(512, 128)
        self.conv_head32 = ConvBnRelu(128, 128)
        self.conv_head16 = ConvBnRelu(128, 128)
        self.conv_avg = ConvBnRelu(512, 128, kernel=1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) to spatial features and context features, both (B, 128, H / 8, W / 8)."""
        stride8, stride16, stride32 = self.resnet(image)
        everywhere = self.conv_avg(stride32.mean(dim=(2, 3), keepdim=True))
        deep = self.conv_head32(_enlarge(self.arm32(stride32) + everywhere, stride16))
        context = self.conv_head16(_enlarge(self.arm16(stride16) + deep, stride8))
        return stride8, context


class FeatureFusion(nn.Module):
    """Spatial and context features joined, then weighted by channel (the paper's figure 2c)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convblk = ConvBnRelu(inputs, outputs, kernel=1)
        self.conv1 = nn.Conv2d(outputs, outputs // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs // 4, outputs, 1, bias=False)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        """Two (B, inputs / 2, H, W) to (B, outputs, H, W)."""
        features = self.convblk(torch.cat([spatial, context], dim=1))
        mean = features.mean(dim=(2, 3), keepdim=True)
        attention = torch.sigmoid(self.conv2(functional.relu(self.conv1(mean))))
        return features * attention + features


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., Deep Residual Learning, CVPR 2016, figure 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        residual = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(self.downsample(x) + residual)


class ResNet18(nn.Module):
    """The convolutional part of ResNet-18."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, H, W) to features (B, 128, H / 8, W / 8), (B, 256, H / 16, W / 16), (B, 512, H / 32, W / 32)."""
        x = functional.relu(self.bn1(self.conv1(image)))
        x = self.layer1(functional.max_pool2d(x, 3, stride=2, padding=1))
        stride8 = self.layer2(x)
        stride16 = self.layer3(stride8)
        return stride8, stride16, self.layer4(stride16)


def _enlarge(x: Tensor, like: Tensor) -> Tensor:
    """``x`` in the height and width of ``like``, each value repeated (nearest neighbour)."""
    return functional.interpolate(x, like.shape[2:], mode="nearest")
