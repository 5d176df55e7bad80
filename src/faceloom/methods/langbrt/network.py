"""The network on one face: where what was asked for is, and what goes with it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from faceloom.errors import WeightsError
from faceloom.methods.langbrt.checkpoint import LoadedLangBRT
from faceloom.methods.langbrt.grain import luminance_of
from faceloom.methods.langbrt.prompts import Blemish
from faceloom.methods.langbrt.requests import Asked
from faceloom.methods.langbrt.tone import LogLight, log_light
from faceloom.nets.langbrt.detection import combined
from faceloom.nets.langbrt.layers import resize
from faceloom.types import FloatImage, Matte


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network says about one aligned face of S pixels.

    found    (N, S, S) float32 in [0, 1], each prompt's map, inside its region and on skin.
    cover    (S, S) float32 in [0, 1], all of them together: m.
    change   (S, S, 3) float32, change of the logarithm of linear light; 0 where the cover is.
    """

    found: NDArray[np.float32]
    cover: Matte
    change: NDArray[np.float32]


class Network:
    """LangBRT with the prompts of one recipe; of the others nothing is computed."""

    def __init__(self, loaded: LoadedLangBRT, asked: Asked) -> None:
        self.model = loaded.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.size = loaded.model.config.image_size
        self.text = self._texts(asked)
        self._moles = torch.from_numpy(asked.moles)[None, None] if loaded.tells_moles else None
        self._like_moles = torch.tensor([prompt.blemish in _LIKE_MOLES for prompt in asked.prompts])
        self._wants_moles = torch.tensor([prompt.blemish == Blemish.MOLES for prompt in asked.prompts])

    def _texts(self, asked: Asked) -> Tensor:
        """(1, N, T) vectors, those of pre-defined prompts mapped."""
        config = self.model.config
        if asked.vectors.shape[1] != config.text_dim:
            raise WeightsError(
                f"these weights take text vectors of {config.text_dim} numbers, the text encoder gives "
                f"{asked.vectors.shape[1]}; use the encoder that they were trained with"
            )
        with torch.inference_mode():
            mapped, own = self.model.detection.mapped(self.model.predefined), iter(torch.from_numpy(asked.vectors))
            return torch.stack([next(own) if number is None else mapped[number] for number in asked.fixed])[None]

    def look(self, picture: FloatImage, allowed: NDArray[np.float32]) -> Seen:
        """Detect and retouch.

        Args:
            picture: (S, S, 3) float32 in [0, 1], an aligned face.
            allowed: (N, S, S) float32 in [0, 1], where each prompt may be found.
        """
        where = torch.from_numpy(allowed)[None]
        if not allowed.any():
            return Seen(np.zeros_like(allowed), np.zeros(picture.shape[:2], np.float32), np.zeros_like(picture))
        log = log_light(picture)
        found, cover, change = self._run(picture, log, where)
        return Seen(found, cover, log_light(np.clip(picture + change, 0, 1)) - log)

    @torch.inference_mode()
    def _run(self, picture: FloatImage, log: LogLight, where: Tensor) -> tuple[NDArray[np.float32], Matte, FloatImage]:
        """Maps (N, S, S), m (S, S), and the change of the picture (S, S, 3) in [-1, 1].

        As ``LangBRT.forward``, but the maps are held to where each prompt may be before anything follows from them.
        """
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
        image = 2 * image - 1
        model = self.model
        maps, features = model.encoder(image)
        found = torch.sigmoid(model.detection(features, self.text))
        small = functional.interpolate(where, found.shape[-2:], mode="area")
        found = _certain(found) * small * self._no_mole(features, log, where, small)
        ones = torch.ones(found.shape[:2])
        target = combined(found, ones)
        coarse = functional.adaptive_max_pool2d(found, maps[-1].shape[-2:])
        latent = model.transformer(maps[-1], coarse, self.text, ones)
        cover, large = resize(target, image.shape[-2:]), resize(found, image.shape[-2:])
        change = cover * model.decoder(latent, maps, target, image)
        return large[0].numpy(), cover[0, 0].numpy(), (change[0].permute(1, 2, 0) / 2).contiguous().numpy()

    def _no_mole(self, features: Tensor, log: LogLight, where: Tensor, small: Tensor) -> Tensor:
        """What is left of each prompt, (1, N, h, w) or 1: nothing on moles, except where they are asked for.

        ``small`` is ``where`` at the size of the maps.
        """
        if self._moles is None or not self._like_moles.any():
            return torch.ones(1)
        mole = torch.sigmoid(self.model.detection(features, self._moles))
        # Detection alone takes many a spot for a mole; but spots are paler.
        dark = torch.from_numpy(_darkness(log, where[0].amax(0).numpy()))[None, None]
        mole = mole * functional.adaptive_max_pool2d(dark, mole.shape[-2:]).clamp(min=0)
        mole = functional.max_pool2d(_step(mole, *_MOLE), 3, stride=1, padding=1)
        wanted = (small * self._wants_moles[:, None, None]).amax(1, keepdim=True)
        return 1 - mole * (1 - wanted) * self._like_moles[:, None, None]


_LIKE_MOLES = (Blemish.ACNE, Blemish.SPOTS, Blemish.FRECKLES, Blemish.SCARS)
"""Kinds whose words find moles too."""
_MOLE = 0.1, 0.2
"""Certainty of a mole times its darkness below which it is none, and from which on it is left alone."""
_DOT, _AROUND = 0.7 / 256, 6 / 256
"""Deviations in sides of the picture of the Gaussians between which a mole is darker than its surroundings."""
_DOUBT = 0.03, 0.12
"""Certainty of a pixel below which it is left alone, and from which on it counts as it is."""


def _darkness(log: LogLight, skin: Matte) -> Matte:
    """How much darker each place is than the skin around it, as a logarithm of luminance; hair beside it is no skin."""
    luminance, size = luminance_of(log), len(log)
    weight = cv2.GaussianBlur(skin, (0, 0), _AROUND * size) + np.float32(1e-4)
    around = cv2.GaussianBlur(luminance * skin, (0, 0), _AROUND * size) / weight
    return around - cv2.GaussianBlur(luminance, (0, 0), _DOT * size)


def _certain(found: Tensor) -> Tensor:
    """The maps with faint certainty, which is everywhere and adds up over prompts, taken to exactly 0."""
    return found * _step(found, *_DOUBT)


def _step(values: Tensor, low: float, high: float) -> Tensor:
    """0 below ``low``, 1 above ``high``, a cubic between."""
    step = ((values - low) / (high - low)).clamp(0, 1)
    return step * step * (3 - 2 * step)
