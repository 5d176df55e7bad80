"""The whole of LangBRT without its text encoder, whose vectors it takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.nets.langbrt.config import LangBRTConfig
from faceloom.nets.langbrt.decoder import Decoder
from faceloom.nets.langbrt.detection import TextPromptedDetection, combined
from faceloom.nets.langbrt.encoder import Encoder
from faceloom.nets.langbrt.layers import resize
from faceloom.nets.langbrt.transformer import LatentTransformer


@dataclass(frozen=True, eq=False)
class Retouched:
    """What the network says about a batch.

    image   (B, 3, S, S), the input without what was asked for.
    logits  (B, P + U, S/2, S/2), detection of every prompt, pre-defined ones first, asked for or not.
    target  (B, 1, S/2, S/2), m: all that was asked for, in [0, 1].
    change  (B, 3, S, S), ``image`` is the input plus this times m, enlarged.
    """

    image: Tensor
    logits: Tensor
    target: Tensor
    change: Tensor


class LangBRT(nn.Module):
    """Encoder, text-prompted detection, latent transformer and decoder.

    The vectors of the pre-defined prompts are part of the weights (``predefined``, (P, T)), so only users' own words
    need a text encoder. Set them with ``set_predefined`` before training.
    """

    predefined: Tensor

    def __init__(self, config: LangBRTConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.detection = TextPromptedDetection(config)
        self.transformer = LatentTransformer(config)
        self.decoder = Decoder(config)
        self.register_buffer("predefined", torch.zeros(config.predefined, config.text_dim))

    def set_predefined(self, text: Tensor) -> None:
        """Take (P, T) text vectors of the pre-defined prompts. Raises ValueError for another shape."""
        if text.shape != self.predefined.shape:
            raise ValueError(
                f"vectors of pre-defined prompts are {tuple(self.predefined.shape)}, not {tuple(text.shape)}"
            )
        self.predefined.copy_(text)

    def texts(self, own: Tensor) -> Tensor:
        """(B, U, T) vectors of users' own words to (B, P + U, T), the pre-defined ones mapped and first."""
        mapped = self.detection.mapped(self.predefined)
        return torch.cat([mapped.expand(len(own), -1, -1), own.to(mapped.dtype)], 1)

    def detect(self, image: Tensor, own: Tensor) -> Tensor:
        """Logits of the prompts' maps alone: (B, 3, S, S) in [-1, 1], (B, U, T) to (B, P + U, S/2, S/2)."""
        return self.detection(self.encoder(image)[1], self.texts(own))

    def forward(self, image: Tensor, own: Tensor, asked: Tensor) -> Retouched:
        """Detect everything, retouch what is asked for.

        Args:
            image: (B, 3, S, S) in [-1, 1], aligned faces.
            own: (B, U, T) text vectors of unit length; U may be 0.
            asked: (B, P + U) in [0, 1]: 1 to retouch, 0 to leave.
        """
        maps, features = self.encoder(image)
        text = self.texts(own)
        logits = self.detection(features, text)
        found = torch.sigmoid(logits)
        target = combined(found, asked)
        # The largest value, so that what is smaller than a latent position is not averaged away.
        small = functional.adaptive_max_pool2d(found, maps[-1].shape[-2:])
        latent = self.transformer(maps[-1], small, text, asked)
        change = self.decoder(latent, maps, target, image)
        where = resize(target, image.shape[-2:])
        return Retouched(image + where * change, logits, target, change)
