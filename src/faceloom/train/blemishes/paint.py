"""Paint a random set of blemishes onto a clean face, each kept apart, so that any of them can be left out again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from faceloom.methods.langbrt.prompts import AREAS, Area, Blemish, Prompt, Side
from faceloom.train.blemishes.anatomy import Anatomy
from faceloom.train.blemishes.canvas import Canvas
from faceloom.train.blemishes.difference import difference_mask
from faceloom.train.blemishes.eyes import dark_circles, eye_bags
from faceloom.train.blemishes.glow import redness, shine
from faceloom.train.blemishes.lines import wrinkles
from faceloom.train.blemishes.marks import acne, freckles, moles, scars, spots
from faceloom.train.blemishes.optics import Density, SkinLight, measure, render
from faceloom.types import Image, Matte

_NOTHING = 1e-4
"""Change of the logarithm of light that no grey level shows."""
Painter = Callable[[Canvas, Area, Side, float], None]
PAINTERS: Mapping[Blemish, Painter] = {
    Blemish.ACNE: acne,
    Blemish.SPOTS: spots,
    Blemish.FRECKLES: freckles,
    Blemish.SCARS: scars,
    Blemish.WRINKLES: wrinkles,
    Blemish.DARK_CIRCLES: dark_circles,
    Blemish.EYE_BAGS: eye_bags,
    Blemish.REDNESS: redness,
    Blemish.SHINE: shine,
    Blemish.MOLES: moles,
}
_MOLES = 0.35
"""Part of the faces that get moles, whatever else they get: most requests must leave them alone."""


@dataclass(frozen=True)
class Order:
    """One thing to paint: what, where, and how severe in (0, 1]."""

    prompt: Prompt
    severity: float


@dataclass(frozen=True, eq=False)
class Painting:
    """A face and what was painted onto it.

    clean    (H, W, 3) uint8, the face as it was.
    layers   by kind and place, the change of the logarithm of light (``optics.Density``).
    """

    clean: Image
    light: SkinLight
    layers: Mapping[Prompt, Density]

    @cached_property
    def blemished(self) -> Image:
        """(H, W, 3) uint8 with everything that was painted."""
        return self.without(())

    def without(self, prompts: Iterable[Prompt]) -> Image:
        """(H, W, 3) uint8 without what the prompts ask for, everything else left; exactly ``clean`` without all."""
        asked = tuple(prompts)
        left = [layer for prompt, layer in self.layers.items() if not any(one.covers(prompt) for one in asked)]
        if not left:
            return self.clean
        change = np.asarray(sum(left[1:], left[0]))
        painted = np.round(render(self.light, change) * 255).astype(np.uint8)
        red, green, blue = (np.abs(change[..., channel]) > _NOTHING for channel in range(3))
        return np.where((red | green | blue)[..., None], painted, self.clean)

    def mask(self, prompt: Prompt) -> Matte:
        """Where the picture shows what a prompt asks for, (H, W) float32 in [0, 1]: equation (5)'s ground truth."""
        if not any(prompt.covers(painted) for painted in self.layers):
            return np.zeros(self.clean.shape[:2], np.float32)
        return difference_mask(self.blemished, self.without((prompt,)))


def paint(clean: Image, anatomy: Anatomy, rng: np.random.Generator, orders: Iterable[Order] | None = None) -> Painting:
    """Paint blemishes.

    Args:
        clean: (H, W, 3) uint8 RGB.
        anatomy: of the face in it.
        rng: everything random; the same generator state gives the same painting.
        orders: what to paint; None draws it.
    """
    canvas = Canvas(anatomy, measure(clean, anatomy.skin, anatomy.mm), rng)
    for order in draw_orders(rng) if orders is None else orders:
        prompt = order.prompt
        PAINTERS[prompt.blemish](canvas, prompt.area, prompt.side, order.severity)
    return Painting(clean, canvas.light, canvas.layers)


def draw_orders(rng: np.random.Generator) -> list[Order]:
    """One to five kinds, each in one to three of its areas, mild ones more often; and often moles."""
    kinds = [list(PAINTERS)[kind] for kind in rng.choice(len(PAINTERS), size=rng.integers(1, 6), replace=False)]
    if rng.random() < _MOLES and Blemish.MOLES not in kinds:
        kinds.append(Blemish.MOLES)
    return [order for kind in kinds for order in _somewhere(kind, rng)]


def _somewhere(blemish: Blemish, rng: np.random.Generator) -> list[Order]:
    areas = [area for area in AREAS[blemish] if area != Area.FACE]
    chosen = rng.choice(len(areas), size=min(len(areas), int(rng.integers(1, 4))), replace=False)
    severity = float(rng.uniform(0.3, 1.0))
    orders = []
    for index in chosen:
        area, side = areas[index], Side.BOTH
        if area in (Area.CHEEKS, Area.EYES) and rng.random() < 0.4:
            side = (Side.LEFT, Side.RIGHT)[int(rng.integers(2))]
        orders.append(Order(Prompt(blemish, area, side), float(np.clip(severity + rng.normal(0, 0.1), 0.2, 1))))
    return orders
