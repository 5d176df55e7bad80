"""Under the eyes: dark circles and bags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceloom.geometry import topology as t
from faceloom.geometry.masks import smoothstep
from faceloom.methods.langbrt.prompts import Area, Blemish, Side
from faceloom.train.blemishes.canvas import Canvas, Slices, along_curve, curve, window_of
from faceloom.train.blemishes.optics import BLOOD, GREY, MELANIN, absorb, shade
from faceloom.types import Matte

_LINES = {
    Side.RIGHT: (t.RIGHT_LOWER_LID_SKIN, t.RIGHT_UNDER_EYE),
    Side.LEFT: (t.LEFT_LOWER_LID_SKIN, t.LEFT_UNDER_EYE),
}


@dataclass(frozen=True, eq=False)
class _Hollow:
    """Coordinates under one eye: 0 at the lid to 1 at the hollow's lower edge; 0 at the outer to 1 at the inner corner.

    below  1 below the lid, 0 above it.
    """

    where: Slices
    down: Matte
    inward: Matte
    below: Matte


def dark_circles(canvas: Canvas, area: Area, side: Side, severity: float) -> None:
    """Vessels seen through thin skin, and pigment: bluish brown, strongest towards the nose."""
    rng = canvas.rng
    density, reach, bluish = rng.uniform(0.45, 0.95) * (0.4 + 0.6 * severity), rng.uniform(0.9, 1.9), rng.uniform()
    for one in _sides(side):
        if (hollow := _hollow(canvas, one, reach)) is None:
            continue
        fall = smoothstep(hollow.down, 1.3, 0.45) * smoothstep(hollow.down, -0.2, 0.12)
        ends = smoothstep(hollow.inward, 0.0, 0.45) * smoothstep(hollow.inward, 1.0, 0.93)
        amount = fall * ends * (0.55 + 0.45 * hollow.inward) * hollow.below
        amount = amount * np.clip(1 + 0.12 * canvas.noise(4.0, amount.shape), 0.4, 1.6)
        mixture = ((BLOOD, 0.45 * density), (MELANIN, (0.55 - 0.25 * bluish) * density), (GREY, 0.3 * density))
        canvas.add(Blemish.DARK_CIRCLES, area, one, absorb(amount.astype(np.float32), *mixture), hollow.where)


def eye_bags(canvas: Canvas, area: Area, side: Side, severity: float) -> None:
    """A bulge below the lower lid, with a crease under it."""
    rng = canvas.rng
    height, reach = rng.uniform(0.9, 1.6) * (0.4 + 0.6 * severity), rng.uniform(0.3, 0.9)
    for one in _sides(side):
        if (hollow := _hollow(canvas, one, reach)) is None:
            continue
        ends = smoothstep(hollow.inward, 0.05, 0.35) * smoothstep(hollow.inward, 1.0, 0.75)
        down = np.clip(hollow.down, 0, 1.6)
        # Steep at its lower edge, where it hangs.
        bulge = smoothstep(down, 0.05, 0.6) * smoothstep(down, 1.1, 0.7) * ends * hollow.below
        crease = np.exp(-(((down - 1.02) / 0.27) ** 2)) * ends * hollow.below
        relief = (bulge - 0.4 * crease) * 1.9 * height * canvas.mm
        change = shade(relief.astype(np.float32), canvas.light.light[hollow.where])
        change += absorb(crease, (GREY, 0.11 * height), (BLOOD, 0.12 * height))
        # The lit top of the bulge, whatever the light's side: it faces upwards.
        change += (
            0.07 * height * (smoothstep(down, 0.1, 0.4) * smoothstep(down, 0.8, 0.5) * ends * hollow.below)[..., None]
        )
        canvas.add(Blemish.EYE_BAGS, area, one, change.astype(np.float32), hollow.where)


def _hollow(canvas: Canvas, side: Side, reach: float) -> _Hollow | None:
    """``reach``: how far below the landmarks' ring it goes, in distances from the lid to the ring."""
    lid, ring = (canvas.anatomy.landmarks[list(indices)] for indices in _LINES[side])
    low = ring + reach * (ring - lid)
    # The ring's own corners lie level with the lid's.
    upper, lower = curve(lid), curve(low)
    where = window_of(canvas, np.vstack([upper, lower]), 4)
    if where is None:
        return None
    from_lid, inward = along_curve(upper, where)
    from_low, along_low = along_curve(lower, where)
    y, x = np.mgrid[where[0], where[1]].astype(np.float32)
    nearest = upper[np.round(inward * (len(upper) - 1)).astype(int)]
    up = canvas.anatomy.up
    signed = (nearest[..., 0] - x) * up[0] + (nearest[..., 1] - y) * up[1]
    below = smoothstep(signed, -0.6 * canvas.mm, 0.6 * canvas.mm)
    lower_at = lower[np.round(along_low * (len(lower) - 1)).astype(int)]
    past = (lower_at[..., 0] - x) * up[0] + (lower_at[..., 1] - y) * up[1] > 0
    within = from_lid / np.maximum(from_lid + from_low, 1e-3)
    beyond = 1 + from_low / (3.5 * canvas.mm)
    return _Hollow(where, np.where(past, beyond, within).astype(np.float32), inward, below)


def _sides(side: Side) -> tuple[Side, ...]:
    return (Side.LEFT, Side.RIGHT) if side == Side.BOTH else (side,)
