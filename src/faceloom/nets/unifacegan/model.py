"""Embedder and generator together: what is used after training."""

from __future__ import annotations

from torch import Tensor, nn

from faceloom.nets.unifacegan.config import UniFaceGANConfig
from faceloom.nets.unifacegan.embedder import AppearanceEmbedder
from faceloom.nets.unifacegan.generator import Generator


def appearance_hint(picture: Tensor, face: Tensor) -> Tensor:
    """M, a picture (B, 3, S, S) in [-1, 1] with the facial region (B, 1, S, S) made black, which is -1.

    The paper's ``X (1 - mask)`` for pictures in [0, 1]. A swap takes the picture that gives the pose, a reenactment the
    one that gives the identity.
    """
    return (picture + 1) * (1 - face) - 1


class UniFaceGAN(nn.Module):
    """The Deep Blending Network without its discriminator: Y = G(R, E(X, M), M)."""

    def __init__(self, config: UniFaceGANConfig) -> None:
        super().__init__()
        self.config = config
        self.embedder = AppearanceEmbedder(config)
        self.generator = Generator(config)

    def forward(self, rendered: Tensor, appearance: Tensor, hint: Tensor, face: Tensor) -> Tensor:
        """Y, (B, 3, S, S) in [-1, 1], for any S that is a multiple of ``config.multiple``.

        Args:
            rendered: (B, 3, S, S) in [-1, 1], R of eq. 5, -1 where there is no face.
            appearance: (B, 3, S, S) in [-1, 1], the picture whose surroundings are wanted.
            hint: (B, 3, S, S), M, see ``appearance_hint``.
            face: (B, 1, S, S) in [0, 1], the facial region of R.
        """
        return self.generator(rendered, self.embedder(appearance, hint), hint, face)
