"""Make a pair: a function of the face and a seed alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from faceloom.methods.langbrt.prompts import PREDEFINED
from faceloom.train.blemishes.anatomy import Anatomy
from faceloom.train.blemishes.choose import VOCABULARY, Choice, draw_choice
from faceloom.train.blemishes.paint import Painting, paint
from faceloom.train.blemishes.planes import Pair
from faceloom.types import Image, Matte

NUMBER = {prompt: index for index, prompt in enumerate(VOCABULARY)}


def make_pair(clean: Image, anatomy: Anatomy, seed: int, *, flip: float = 0.5) -> Pair:
    """Paint a clean face, mirror it or not, and choose what is asked for.

    Args:
        clean: (S, S, 3) uint8 RGB.
        anatomy: of the face in it.
        seed: decides everything random.
        flip: probability of mirroring; left and right of the prompts follow.
    """
    rng = np.random.default_rng(seed)
    painting = paint(clean, anatomy, rng)
    areas = np.stack([anatomy.region(prompt.area, prompt.side) for prompt in PREDEFINED])
    if rng.random() < flip:
        painting = mirrored(painting)
        areas = np.stack([anatomy.region(one.area, one.mirrored().side)[:, ::-1] for one in PREDEFINED])
    return pair_of(painting, areas, draw_choice(painting.layers, rng))


def pair_of(painting: Painting, areas: Matte, choice: Choice) -> Pair:
    """A painted face and the choice of prompts as a pair."""
    return Pair(
        blemished=painting.blemished,
        target=painting.without(choice.wanted),
        masks=np.stack([painting.mask(prompt) for prompt in choice.prompts]),
        areas=areas,
        own=np.array([NUMBER[prompt] for prompt in choice.prompts[len(PREDEFINED) :]]),
        asked=np.array(choice.asked),
        labelled=True,
    )


def mirrored(painting: Painting) -> Painting:
    """Left and right exchanged, in the picture and in what its layers are called."""
    light = painting.light
    turned = np.ascontiguousarray(light.light[:, ::-1]) * np.array([-1, 1], np.float32)
    return Painting(
        clean=np.ascontiguousarray(painting.clean[:, ::-1]),
        light=replace(light, log=np.ascontiguousarray(light.log[:, ::-1]), light=turned),
        layers={prompt.mirrored(): np.ascontiguousarray(layer[:, ::-1]) for prompt, layer in painting.layers.items()},
    )
