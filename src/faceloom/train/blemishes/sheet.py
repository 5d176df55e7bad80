"""Pages to look at: clean faces, the same painted, and where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from faceloom.methods.langbrt.prompts import AREAS, Area, Blemish, Prompt
from faceloom.train.blemishes.anatomy import Anatomy
from faceloom.train.blemishes.difference import difference_mask
from faceloom.train.blemishes.paint import Order, paint
from faceloom.types import Image, Matte

_GREEN = np.array([60, 255, 90], np.float32)


def blemish_sheet(
    faces: Iterable[tuple[Image, Anatomy]], seed: int, kinds: Sequence[Blemish] = (), severity: float = 0.8
) -> Image:
    """One row for each face: clean, then painted and mask for each kind, or for a random set without ``kinds``.

    Returns (rows * S, (1 + 2 * max(1, kinds)) * S, 3) uint8 RGB; all faces must be of one size.
    """
    rows = []
    for number, (clean, anatomy) in enumerate(faces):
        row = [clean]
        for kind in kinds or (None,):
            rng = np.random.default_rng((seed, number))
            painting = paint(clean, anatomy, rng, None if kind is None else everywhere(kind, severity))
            row += [painting.blemished, marked(painting.blemished, difference_mask(painting.blemished, clean))]
        rows.append(np.hstack(row))
    return np.vstack(rows)


def everywhere(kind: Blemish, severity: float) -> list[Order]:
    """A kind in all of its areas."""
    return [Order(Prompt(kind, area), severity) for area in AREAS[kind] if area != Area.FACE]


def marked(image: Image, mask: Matte) -> Image:
    """The picture dimmed, with the mask in green."""
    dim = 0.45 * image.astype(np.float32)
    return np.round(dim + mask[..., None] * (_GREEN - dim)).astype(np.uint8)
