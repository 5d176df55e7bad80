"""The discriminator S: is a patch of a picture retouched by hand, or by the network?"""

from __future__ import annotations

from torch import Tensor, nn

from faceloom.nets.langbrt.config import LangBRTConfig
from faceloom.nets.langbrt.layers import norm


class PatchDiscriminator(nn.Module):
    """A logit per patch: Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017."""

    def __init__(self, config: LangBRTConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for index, width in enumerate(config.critic_widths):
            layers.append(nn.Conv2d(before, width, 4, stride=2, padding=1))
            if index:
                layers.append(norm(width))
            layers.append(nn.LeakyReLU(0.2))
            before = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) in [-1, 1] to (B, 1, s, s) logits; the sigmoid is S(image) of equations (7) and (8)."""
        return self.layers(image)
