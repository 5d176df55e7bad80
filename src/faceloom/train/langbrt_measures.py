"""How well LangBRT retouches pairs that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceloom.methods.langbrt.prompts import PREDEFINED
from faceloom.nets.langbrt import LangBRT
from faceloom.train.blemishes.choose import VOCABULARY
from faceloom.train.blemishes.planes import Pairs
from faceloom.train.langbrt import Given
from faceloom.train.langbrt_losses import difference_map, reduced
from faceloom.types import Image

_FOUND = 0.5
_CEILING = 100.0
"""dB that stand for no difference at all."""


@dataclass(frozen=True)
class RetouchMeasures:
    """Means over pairs.

    pairs                   how many.
    psnr                    of the retouched pictures, dB, of pixels in [0, 1].
    inside, inside_before   the same where the ground truth sees blemishes, after and before retouching; of the pairs
                            that have any.
    outside                 the same where it sees none, against the input.
    overlap                 intersection over union of each prompt's map, by the prompt's words; of pairs that show it.
    """

    pairs: int
    psnr: float
    inside: float
    inside_before: float
    outside: float
    overlap: dict[str, float]


@dataclass(frozen=True, eq=False)
class RetouchedPair:
    """(S, S, 3) uint8 each: for measures of whole pictures."""

    blemished: Image
    target: Image
    retouched: Image


@torch.inference_mode()
def measure_retouching(
    network: LangBRT, batches: Iterable[tuple[Pairs, Given]]
) -> tuple[RetouchMeasures, list[RetouchedPair]]:
    """Retouch pairs and compare.

    Args:
        network: in evaluation mode.
        batches: pairs, and what ``LangBRTTask.examples`` made of them.
    """
    total: list[float] = []
    inside: list[tuple[float, float]] = []
    outside: list[float] = []
    overlaps: dict[str, list[float]] = {}
    pictures: list[RetouchedPair] = []
    for pairs, (blemished, target, own, asked, masks, _, labelled, _) in batches:
        result = network(blemished, own, asked)
        image = _rounded(result.image)
        truth = difference_map(blemished, target) > _FOUND
        still = difference_map(blemished, target) < 0.02
        found, wanted = torch.sigmoid(result.logits) > _FOUND, reduced(masks, result.logits) > _FOUND
        for index in range(len(image)):
            total.append(_psnr(image[index], target[index]))
            if truth[index].any():
                before = _psnr(blemished[index], target[index], truth[index])
                inside.append((_psnr(image[index], target[index], truth[index]), before))
            outside.append(_psnr(image[index], blemished[index], still[index]))
            if labelled[index]:
                names = [prompt.text for prompt in PREDEFINED] + [VOCABULARY[int(n)].text for n in pairs.own[index]]
                _overlap(overlaps, names, found[index], wanted[index])
            pictures.append(RetouchedPair(*(_image(x[index]) for x in (blemished, target, image))))
    after, before_ = (float(np.mean(column)) for column in zip(*inside, strict=True)) if inside else (np.nan, np.nan)
    measures = RetouchMeasures(
        pairs=len(total),
        psnr=float(np.mean(total)),
        inside=after,
        inside_before=before_,
        outside=float(np.mean(outside)),
        overlap={name: float(np.mean(values)) for name, values in sorted(overlaps.items())},
    )
    return measures, pictures


def _overlap(overlaps: dict[str, list[float]], names: list[str], found: Tensor, wanted: Tensor) -> None:
    for name, one, other in zip(names, found, wanted, strict=True):
        if other.any():
            share = (one & other).sum() / (one | other).sum()
            overlaps.setdefault(name, []).append(float(share))


def _psnr(one: Tensor, other: Tensor, where: Tensor | None = None) -> float:
    """Of (3, S, S) in [-1, 1], over ``where`` (1, S, S)."""
    squared = ((one - other) / 2).square().mean(0)
    error = squared.mean() if where is None else squared[where[0]].mean()
    return min(_CEILING, float(-10 * error.clamp(min=1e-12).log10())) if error == error else _CEILING


def _rounded(image: Tensor) -> Tensor:
    """To grey levels, as a file has them."""
    return ((image.float().clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def _image(x: Tensor) -> Image:
    pixels = ((x + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
    return cast(NDArray[np.uint8], pixels)
