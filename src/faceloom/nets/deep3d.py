"""Deep3DFaceRecon: the 257 coefficients of a 3D face from its picture.

Deng et al., Accurate 3D Face Reconstruction with Weakly-Supervised Learning, CVPRW 2019; layout of the authors' PyTorch
version (``epoch_20.pth``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from faceloom.errors import WeightsError
from faceloom.nets.resnet import ResNet50

SIZES = (80, 64, 80, 3, 27, 2, 1)
"""Identity, expression, texture, angles, illumination, shift in the picture, distance."""
EXPRESSION = slice(80, 144)
"""Where the 64 coefficients of the expression are among the 257."""
_NETWORK = "net_recon"


class Deep3DFaceRecon(nn.Module):
    """Input (B, 3, 224, 224) RGB in [0, 1], the face aligned. Output (B, 257), see ``SIZES``.

    width, blocks  as for ``ResNet50``.
    """

    def __init__(self, width: int = 64, blocks: Sequence[int] = (3, 4, 6, 3)) -> None:
        super().__init__()
        self.backbone = ResNet50(width, blocks)
        self.final_layers = nn.ModuleList(nn.Conv2d(self.backbone.features, size, 1) for size in SIZES)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, 224, 224) to (B, 257)."""
        features = self.backbone(image)[..., None, None]
        return torch.cat([layer(features) for layer in self.final_layers], dim=1).flatten(1)


def deep3d_state(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of ``Deep3DFaceRecon`` in the authors' checkpoint, which holds the optimiser's state beside them.

    A file of the parameters alone will do, too. Raises ``WeightsError`` for one of neither kind.
    """
    found = checkpoint.get(_NETWORK, checkpoint)
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"it holds no parameters of Deep3DFaceRecon, neither under '{_NETWORK}' nor by themselves")
    return dict(found)
