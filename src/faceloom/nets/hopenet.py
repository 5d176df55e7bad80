"""HopeNet: yaw, pitch and roll of a head from its picture, each as a distribution over bins of three degrees.

Ruiz et al., Fine-Grained Head Pose Estimation Without Keypoints, CVPRW 2018. Names of modules follow the authors'
checkpoints (``hopenet_alpha1.pkl``, ``hopenet_robust_alpha1.pkl``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from faceloom.nets.resnet import ResNet50

BINS = 66
"""Bins of three degrees from -99 to 99."""
_DEGREES, _LOWEST = 3.0, -99.0
_UNUSED = "fc_finetune."
"""A layer of earlier experiments that the authors' checkpoints carry and their network never asks."""


class HopeNet(ResNet50):
    """Input (B, 3, 224, 224) RGB with ImageNet mean and deviation removed. Output (B, 3) degrees: yaw, pitch, roll.

    width, blocks  as for ``ResNet50``.
    """

    def __init__(self, width: int = 64, blocks: Sequence[int] = (3, 4, 6, 3)) -> None:
        super().__init__(width, blocks)
        self.fc_yaw = nn.Linear(self.features, BINS)
        self.fc_pitch = nn.Linear(self.features, BINS)
        self.fc_roll = nn.Linear(self.features, BINS)

    def forward(self, image: Tensor) -> Tensor:
        """The expected angles: ``3 sum_i i softmax(z)_i - 99``, i from 0 to 65."""
        features = self.pooled(image)
        bins = torch.stack([head(features) for head in (self.fc_yaw, self.fc_pitch, self.fc_roll)], dim=1)
        places = torch.arange(BINS, dtype=bins.dtype, device=bins.device)
        return _DEGREES * (bins.softmax(dim=-1) * places).sum(dim=-1) + _LOWEST


def hopenet_state(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of ``HopeNet`` in the authors' checkpoint."""
    return {name: value for name, value in checkpoint.items() if not name.startswith(_UNUSED)}
