"""Large soft changes: redness and shine."""

from __future__ import annotations

import cv2
import numpy as np

from faceloom.methods.langbrt.prompts import Area, Blemish, Side
from faceloom.train.blemishes.canvas import Canvas, distance_from, waves
from faceloom.train.blemishes.optics import BLOOD, MELANIN, absorb, gloss

_APPLE = {Side.RIGHT: 205, Side.LEFT: 425}
_CONVEX: dict[tuple[Area, Side], tuple[tuple[int, float, float], ...]] = {
    (Area.FOREHEAD, Side.BOTH): ((151, 13, 2.0), (9, 7, 1.3)),
    (Area.NOSE, Side.BOTH): ((197, 4, 0.35), (4, 4.5, 1.0)),
    (Area.CHIN, Side.BOTH): ((199, 6, 1.4),),
    (Area.CHEEKS, Side.LEFT): ((280, 9, 1.6), (425, 7, 1.2)),
    (Area.CHEEKS, Side.RIGHT): ((50, 9, 1.6), (205, 7, 1.2)),
}
"""Where skin shines: landmark, radius in mm, width over height."""


def redness(canvas: Canvas, area: Area, side: Side, severity: float) -> None:
    """Blood under the skin in uneven patches, without an edge."""
    rng = canvas.rng
    sides = (Side.LEFT, Side.RIGHT) if area == Area.CHEEKS and side == Side.BOTH else (side,)
    strength = rng.uniform(0.16, 0.42) * (0.45 + 0.55 * severity) * (0.55 + 0.45 * canvas.tone)
    for one in sides:
        soft = cv2.GaussianBlur(canvas.anatomy.areas[area] * canvas.anatomy.sides[one], (0, 0), 2.5 * canvas.mm)
        if area == Area.CHEEKS:
            centre = canvas.anatomy.landmarks[_APPLE[one]] + rng.normal(0, 3, 2) * canvas.mm
            everywhere = (slice(0, soft.shape[0]), slice(0, soft.shape[1]))
            radius = rng.uniform(13, 22) * canvas.mm
            d = distance_from(everywhere, centre, radius, waves(rng, 0.3), rng.uniform(1, 1.5), rng.uniform(0, np.pi))
            soft = soft * np.exp(-(d**2))
        patches = np.clip(1 + 0.3 * canvas.noise(8) + 0.2 * canvas.noise(2.5) + 0.1 * canvas.noise(0.8), 0.1, 2.2)
        amount = (soft * patches).astype(np.float32)
        change = absorb(amount, (BLOOD, strength), (MELANIN, 0.3 * strength * (1 - canvas.tone)))
        canvas.add(Blemish.REDNESS, area, one, change)


def shine(canvas: Canvas, area: Area, side: Side, severity: float) -> None:
    """Light mirrored by oily skin where it bulges towards the light, broken up by its pores."""
    rng = canvas.rng
    # Skin mirrors a few hundredths of the light, whatever its own colour; cameras expose for the skin.
    strength = rng.uniform(0.12, 0.42) * (0.45 + 0.55 * severity) * (canvas.light.level + 0.04)
    sides = (Side.LEFT, Side.RIGHT) if area == Area.CHEEKS and side == Side.BOTH else (side,)
    for one in sides:
        for landmark, radius, wide in _CONVEX[area, one]:
            _highlight(canvas, area, one, landmark, radius, wide, strength * rng.uniform(0.6, 1.1))


def _highlight(
    canvas: Canvas, area: Area, side: Side, landmark: int, size: float, wide: float, strength: float
) -> None:
    rng, mm = canvas.rng, canvas.mm
    point = canvas.anatomy.landmarks[landmark]
    where = canvas.window(point, 3.2 * size)
    if where is None:
        return
    x, y = (int(np.clip(v, 0, limit - 1)) for v, limit in zip(point, canvas.anatomy.skin.T.shape, strict=True))
    centre = point + canvas.light.light[y, x] * size * 0.5 * mm + rng.normal(0, 0.12 * size, 2) * mm
    up = canvas.anatomy.up
    turn = float(np.arctan2(up[0], -up[1])) + rng.normal(0, 0.15)
    d = distance_from(where, centre, size * mm * rng.uniform(0.7, 1.1), waves(rng, 0.22), wide, turn)
    # Pores and fine lines break the highlight up as they break up the light that is there.
    log = canvas.light.log[where][..., 1]
    detail = np.clip(log - cv2.GaussianBlur(log, (0, 0), max(1.2 * mm, 0.8)), -0.2, 0.2)
    grain = np.clip(1 + 2.2 * detail + 0.1 * canvas.noise(1.1, d.shape) + 0.14 * canvas.noise(4.5, d.shape), 0.15, 2)
    amount = strength * (0.7 * np.exp(-(d**2)) + 0.5 * np.exp(-((d / 0.5) ** 2))) * grain
    canvas.add(Blemish.SHINE, area, side, gloss(amount.astype(np.float32), canvas.light, where), where)
