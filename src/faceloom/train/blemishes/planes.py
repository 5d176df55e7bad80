"""Training pairs: as arrays, as planes of one small array (so that processes can hand them over), and as tensors.

Planes, all uint8: 0-2 the blemished face, 3-5 what it should become, then a mask for each prompt (the pre-defined ones
first), the area of each pre-defined prompt, and a last plane whose first rows hold the ``Notes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceloom.methods.langbrt.prompts import PREDEFINED, USER_PROMPTS
from faceloom.train.data.augment import augment
from faceloom.train.draws import Draws
from faceloom.train.recipe import AugmentSection
from faceloom.types import Image, Matte

OWN, FIXED = len(USER_PROMPTS), len(PREDEFINED)
PROMPTS = OWN + FIXED
COUNT = 6 + PROMPTS + FIXED + 1
LEAST_SIDE = 32
"""Sides of pictures that hold the notes."""


@dataclass(frozen=True, eq=False)
class Pair:
    """One pair, before it is packed.

    blemished, target  (S, S, 3) uint8.
    masks              (PROMPTS, S, S) float32 in [0, 1]; zeros where ``labelled`` is False.
    areas              (FIXED, S, S) float32 in [0, 1].
    own                (OWN,) numbers in the vocabulary of the prompts after the pre-defined ones.
    asked              (PROMPTS,) bool: those that ``target`` lacks.
    labelled           whether ``masks`` are known; those of pairs retouched by hand are not.
    """

    blemished: Image
    target: Image
    masks: Matte
    areas: Matte
    own: NDArray[np.intp]
    asked: NDArray[np.bool_]
    labelled: bool


@dataclass(frozen=True, eq=False)
class Pairs:
    """A batch of pairs, as tensors.

    blemished, target  (B, 3, S, S) in [-1, 1].
    masks              (B, PROMPTS, S, S) in [0, 1].
    areas              (B, FIXED, S, S) in [0, 1].
    own                (B, OWN) int64.
    asked              (B, PROMPTS) float, 0 or 1.
    labelled           (B,) float, 0 or 1.
    """

    blemished: Tensor
    target: Tensor
    masks: Tensor
    areas: Tensor
    own: Tensor
    asked: Tensor
    labelled: Tensor

    def coloured(self, how: AugmentSection, draws: Draws) -> Pairs:
        """With the changes of colour of ``how``, the same in both pictures of a pair."""
        colours = AugmentSection(flip=0, brightness=how.brightness, contrast=how.contrast, saturation=how.saturation)
        both = augment(torch.cat([self.blemished, self.target], 2), colours, draws)
        blemished, target = both.chunk(2, 2)
        return replace(self, blemished=blemished, target=target)


def pack(pair: Pair) -> NDArray[np.uint8]:
    """(COUNT, S, S) uint8."""
    side = len(pair.blemished)
    if side < LEAST_SIDE:
        raise ValueError(f"pairs need at least {LEAST_SIDE} pixels a side, got {side}")
    notes = np.zeros((1, side, side), np.uint8)
    notes[0, 0, :OWN], notes[0, 1, :PROMPTS], notes[0, 2, 0] = pair.own, pair.asked, pair.labelled
    masks = np.round(np.concatenate([pair.masks, pair.areas]) * 255).astype(np.uint8)
    return np.concatenate([pair.blemished.transpose(2, 0, 1), pair.target.transpose(2, 0, 1), masks, notes])


def unpack(planes: Sequence[NDArray[np.uint8]], device: torch.device | str = "cpu") -> Pairs:
    """Pairs out of what ``pack`` made of each, on ``device``."""
    stacked = torch.from_numpy(np.stack(planes)).to(device, non_blocking=True).float()
    images, masks, notes = stacked[:, :6] / 127.5 - 1, stacked[:, 6:-1] / 255, stacked[:, -1]
    return Pairs(
        blemished=images[:, :3],
        target=images[:, 3:],
        masks=masks[:, :PROMPTS],
        areas=masks[:, PROMPTS:],
        own=notes[:, 0, :OWN].long(),
        asked=notes[:, 1, :PROMPTS],
        labelled=notes[:, 2, 0],
    )
