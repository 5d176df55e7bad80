"""The face embedding network of ArcFace, for those who have its weights.

Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019, section 3.1 (residual blocks
with normalisation before the first convolution). Names of modules are those of the public PyTorch checkpoints, whose
licence forbids passing them on.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

_WIDTHS = (64, 128, 256, 512)


class IBasicBlock(nn.Module):
    """Normalise, convolve, normalise, PReLU, convolve, normalise; added to the input."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        shortcut = (nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.downsample = None if same else nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        h = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return h + (x if self.downsample is None else self.downsample(x))


class IResNet(nn.Module):
    """(B, 3, 112, 112) RGB in [-1, 1], aligned, to identity vectors (B, 512) of unit length.

    blocks  of each of the four stages: (3, 4, 14, 3) is r50, (3, 13, 30, 3) r100.
    """

    def __init__(self, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, padding=1, bias=False)
        self.bn1, self.prelu = nn.BatchNorm2d(_WIDTHS[0]), nn.PReLU(_WIDTHS[0])
        before = _WIDTHS[0]
        for stage, (width, count) in enumerate(zip(_WIDTHS, blocks, strict=True), 1):
            layers = [IBasicBlock(before, width, 2), *(IBasicBlock(width, width, 1) for _ in range(count - 1))]
            self.add_module(f"layer{stage}", nn.Sequential(*layers))
            before = width
        self.bn2 = nn.BatchNorm2d(before)
        self.fc = nn.Linear(before * 7 * 7, 512)
        self.features = nn.BatchNorm1d(512)

    def forward(self, x: Tensor) -> Tensor:
        """Identity vectors."""
        x = self.prelu(self.bn1(self.conv1(x)))
        for stage in range(1, len(_WIDTHS) + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        return functional.normalize(self.features(self.fc(self.bn2(x).flatten(1))))


def iresnet_of(tensors: Mapping[str, Tensor]) -> IResNet:
    """The network of a public checkpoint, its depth read from the names, in evaluation mode and without gradients.

    Raises ``ValueError`` when the tensors are not those of such a network.
    """
    counts = []
    for stage in range(1, len(_WIDTHS) + 1):
        prefix = f"layer{stage}."
        counts.append(len({name.split(".")[1] for name in tensors if name.startswith(prefix)}))
    if not all(counts):
        raise ValueError("the tensors layer1.* to layer4.* of a face embedding network are missing")
    network = IResNet(tuple(counts))
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise ValueError(f"the tensors are those of another network: {error}") from error
    return network.eval().requires_grad_(False)
