"""Wrinkles, where the face folds: forehead, between the brows, crow's feet, under the eyes, beside the mouth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import topology as t
from faceloom.geometry.masks import smoothstep
from faceloom.methods.langbrt.prompts import Area, Blemish, Side
from faceloom.train.blemishes.canvas import Canvas, along_curve, curve, window_of
from faceloom.train.blemishes.optics import BLOOD, GREY, absorb, shade

_FOREHEAD = (71, 68, 104, 69, 108, 151, 337, 299, 333, 298, 301)
_FOLDS = {Side.RIGHT: (129, 203, 206, 216, 212), Side.LEFT: (358, 423, 426, 436, 432)}
_EYE = {
    Side.RIGHT: (t.RIGHT_EYE_CORNERS, t.RIGHT_LOWER_LID_SKIN, t.RIGHT_UNDER_EYE),
    Side.LEFT: (t.LEFT_EYE_CORNERS, t.LEFT_LOWER_LID_SKIN, t.LEFT_UNDER_EYE),
}
Points = NDArray[np.float32]


def wrinkles(canvas: Canvas, area: Area, side: Side, severity: float) -> None:
    """Furrows of an area: darker at the bottom, one wall lit, deeper here than there along their way."""
    rng = canvas.rng
    if area == Area.FOREHEAD:
        for line in _forehead(canvas, severity):
            _furrow(canvas, area, Side.BOTH, line, rng.uniform(0.5, 0.95), severity)
        if rng.random() < 0.4:
            for line in _frown(canvas):
                _furrow(canvas, area, Side.BOTH, line, rng.uniform(0.5, 0.9), severity)
        return
    for one in (Side.LEFT, Side.RIGHT) if side == Side.BOTH else (side,):
        if area == Area.EYES:
            for line in (*_crows_feet(canvas, one, severity), *_under_eye(canvas, one)):
                _furrow(canvas, area, one, line, rng.uniform(0.4, 0.75), severity)
        else:
            _furrow(canvas, area, one, _fold(canvas, one), rng.uniform(0.9, 1.7), severity)


def _furrow(canvas: Canvas, area: Area, side: Side, line: Points, half_width: float, severity: float) -> None:
    """One line; ``half_width`` mm."""
    rng = canvas.rng
    where = window_of(canvas, line, 4)
    if where is None or len(line) < 6:
        return
    distance, along = along_curve(line, where)
    # Strength varies along the line and fades at both ends.
    knots = np.clip(rng.normal(0.85, 0.3, 7), 0.15, 1.3)
    ends = smoothstep(along, 0, rng.uniform(0.12, 0.35)) * smoothstep(along, 1, 1 - rng.uniform(0.12, 0.35))
    depth = (np.interp(along, np.linspace(0, 1, 7), knots) * ends * (0.45 + 0.55 * severity)).astype(np.float32)
    half = np.float32(max(half_width * canvas.mm, 0.5))
    groove = np.exp(-((distance / half) ** 2)) * depth
    wide = np.exp(-((distance / (2.8 * half)) ** 2)) * depth
    change = absorb(groove, (GREY, rng.uniform(0.2, 0.38)), (BLOOD, 0.1)) + absorb(wide, (GREY, 0.07))
    change += shade((-half * (0.5 * groove + 0.55 * wide)).astype(np.float32), canvas.light.light[where])
    canvas.add(Blemish.WRINKLES, area, side, change, where)


def _forehead(canvas: Canvas, severity: float) -> Iterator[Points]:
    rng, mm = canvas.rng, canvas.mm
    base = canvas.anatomy.landmarks[list(_FOREHEAD)]
    height = float((canvas.anatomy.landmarks[10] - canvas.anatomy.landmarks[151]) @ canvas.anatomy.up)
    count = 1 + round(rng.uniform(0.6, 3.4) * severity)
    for level in np.linspace(-0.25, 1.05, count + 2)[1:-1] if count > 1 else [0.3]:
        level = level + rng.normal(0, 0.07)
        # Higher lines are flatter: they run along the skull, not along the brows.
        offset = level * height - (0.06 * np.abs(np.linspace(-1, 1, len(base))) ** 2) * height * max(level, 0)
        wave = np.interp(np.arange(len(base)), [0, 3, 5, 7, 10], rng.normal(0, 0.9, 5)) * mm
        whole = base + (offset + wave)[:, None] * canvas.anatomy.up
        first, last = rng.uniform(0.05, 0.3), rng.uniform(0.7, 0.95)
        line = curve(whole)
        line = line[int(first * len(line)) : int(last * len(line))]
        if rng.random() < 0.35:  # broken in the middle
            gap = rng.uniform(0.35, 0.6)
            yield line[: int((gap - 0.05) * len(line))]
            yield line[int((gap + 0.05) * len(line)) :]
        else:
            yield line


def _frown(canvas: Canvas) -> Iterator[Points]:
    """Upright lines between the brows."""
    rng, mm, up = canvas.rng, canvas.mm, canvas.anatomy.up
    across = np.array([-up[1], up[0]])
    for place in rng.choice([-1, 1], rng.integers(1, 3), replace=False):
        start = canvas.anatomy.landmarks[8] + across * place * rng.uniform(3.5, 6) * mm
        length, lean = rng.uniform(8, 15) * mm, rng.normal(place * 0.12, 0.08)
        at = np.linspace(0, 1, 4)[:, None]
        yield curve(start + at * length * (up + lean * across) + rng.normal(0, 0.3 * mm, (4, 1)) * across)


def _crows_feet(canvas: Canvas, side: Side, severity: float) -> Iterator[Points]:
    rng, mm = canvas.rng, canvas.mm
    outer, inner = (canvas.anatomy.landmarks[index] for index in _EYE[side][0])
    out = (outer - inner) / max(float(np.hypot(*(outer - inner))), 1e-6)
    down = -canvas.anatomy.up
    count = 2 + round(rng.uniform(0, 3) * severity)
    for angle in np.linspace(-0.45, 0.55, count) + rng.normal(0, 0.06, count):
        start = outer + out * rng.uniform(3.5, 6.5) * mm + down * np.sin(angle) * 4 * mm
        length, bend = rng.uniform(7, 15) * mm * (0.6 + 0.4 * severity), rng.normal(0.1, 0.12)
        at = np.linspace(0, 1, 5)[:, None]
        direction = np.cos(angle) * out + np.sin(angle) * down
        yield curve(start + at * length * direction + at**2 * length * bend * down)


def _under_eye(canvas: Canvas, side: Side) -> Iterator[Points]:
    rng = canvas.rng
    lid, ring = (canvas.anatomy.landmarks[list(indices)][1:-1] for indices in _EYE[side][1:])
    for share in rng.uniform(0.15, 1.0, rng.integers(0, 3)):
        line = curve(lid + share * (ring - lid) + rng.normal(0, 0.25 * canvas.mm, lid.shape))
        first = rng.uniform(0.05, 0.4)
        yield line[int(first * len(line)) : int(rng.uniform(first + 0.4, 1.0) * len(line))]


def _fold(canvas: Canvas, side: Side) -> Points:
    """The fold from the wing of the nose to beside the mouth."""
    points = canvas.anatomy.landmarks[list(_FOLDS[side])]
    line = curve(points + canvas.rng.normal(0, 0.5 * canvas.mm, points.shape))
    return line[: int(canvas.rng.uniform(0.65, 1.0) * len(line))]
