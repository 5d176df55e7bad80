"""Small marks: acne, spots, freckles, scars, moles."""

from __future__ import annotations

import numpy as np

from faceloom.geometry.masks import smoothstep
from faceloom.methods.langbrt.prompts import Area, Blemish, Side
from faceloom.train.blemishes.canvas import Canvas, along_curve, curve, distance_from, waves, window_of
from faceloom.train.blemishes.optics import BLOOD, GREY, MELANIN, Density, absorb, shade
from faceloom.types import Matte, Points

_WHITE_TIP = np.array([0.75, 0.62, 0.34], np.float32)
"""What a tip full of pus reflects more, as a logarithm: a yellowish white."""


def acne(canvas: Canvas, area: Area, side: Side, severity: float) -> None:
    """Papules with a red halo, pustules, blackheads and the marks that healed ones leave, in clusters."""
    rng = canvas.rng
    count = max(1, round(rng.uniform(3, 26) * severity * _size_of(area)))
    for point in canvas.points_in(area, side, count, clusters=int(rng.integers(1, 4))):
        kind = rng.choice(4, p=(0.42, 0.18, 0.16, 0.24))
        radius = float(np.clip(rng.lognormal(np.log(1.35), 0.38), 0.6, 3.4)) * (0.55 + 0.45 * severity)
        paint = (_papule, _pustule, _blackhead, _mark)[kind]
        place = side if side != Side.BOTH else _side_in(canvas, area, point)
        paint(canvas, area, place, point, radius, rng.uniform(0.55, 1.0) * (0.5 + 0.5 * severity))


def spots(canvas: Canvas, area: Area, side: Side, severity: float) -> None:
    """Flat brown spots of pigment with uneven edges, as age and sun leave them."""
    rng = canvas.rng
    for point in canvas.points_in(area, side, max(1, round(rng.uniform(1, 9) * severity * _size_of(area)))):
        radius = float(np.clip(rng.lognormal(np.log(1.9), 0.45), 0.8, 5.0)) * canvas.mm
        where = canvas.window(point, 2.2 * radius / canvas.mm)
        if where is None:
            continue
        d = distance_from(where, point, radius, waves(rng, 0.32), rng.uniform(1, 1.9), rng.uniform(0, np.pi))
        softness = rng.uniform(0.15, 0.5)
        texture = np.clip(1 + 0.14 * canvas.noise(1.2, d.shape), 0.4, 1.7)
        amount = smoothstep(d, 1 + softness, 1 - softness) * texture
        density = rng.uniform(0.16, 0.5) * (0.6 + 0.4 * severity)
        place = side if side != Side.BOTH else _side_in(canvas, area, point)
        canvas.add(Blemish.SPOTS, area, place, absorb(amount, (MELANIN, density), (BLOOD, 0.12 * density)), where)


def freckles(canvas: Canvas, area: Area, side: Side, severity: float) -> None:
    """Many small dots of pigment, denser here than there, of one colour but not of one strength."""
    rng = canvas.rng
    strength = rng.uniform(0.18, 0.42) * (0.75 + 0.25 * canvas.tone) * (0.6 + 0.4 * severity)
    count = round(rng.uniform(60, 260) * severity * _size_of(area))
    for point in canvas.points_in(area, side, count, clusters=int(rng.integers(4, 10))):
        radius = float(np.clip(rng.lognormal(np.log(0.6), 0.33), 0.35, 1.4)) * canvas.mm
        where = canvas.window(point, 2.6 * radius / canvas.mm)
        if where is None:
            continue
        d = distance_from(where, point, radius, waves(rng, 0.2, 2), rng.uniform(1, 1.5), rng.uniform(0, np.pi))
        amount = np.exp(-(d**2)) * np.float32(np.clip(rng.lognormal(-0.2, 0.5), 0.2, 1.8))
        place = side if side != Side.BOTH else _side_in(canvas, area, point)
        canvas.add(Blemish.FRECKLES, area, place, absorb(amount, (MELANIN, strength)), where)


def scars(canvas: Canvas, area: Area, side: Side, severity: float) -> None:
    """Pits, as acne leaves them, or single lines, raised or sunken, redder or paler than the skin."""
    rng = canvas.rng
    if rng.random() < 0.4:
        for point in canvas.points_in(area, side, int(rng.integers(1, 3))):
            _line_scar(canvas, area, side, point, severity)
        return
    count = max(2, round(rng.uniform(4, 22) * severity * _size_of(area)))
    for point in canvas.points_in(area, side, count, clusters=int(rng.integers(1, 3))):
        deep = rng.random() < 0.6
        radius = rng.uniform(0.5, 1.2) if deep else rng.uniform(1.3, 2.8)
        place = side if side != Side.BOTH else _side_in(canvas, area, point)
        _pit(canvas, area, place, point, radius * canvas.mm, (1.1 if deep else 0.6) * (0.5 + 0.5 * severity))


def moles(canvas: Canvas, area: Area, side: Side, severity: float) -> None:
    """A few round dark dots with sharp edges, some of them raised: darker than any spot of age."""
    rng = canvas.rng
    for point in canvas.points_in(area, side, max(1, round(rng.uniform(0, 3) * _size_of(area)))):
        radius = float(np.clip(rng.lognormal(np.log(1.1), 0.4), 0.6, 3.0)) * (0.7 + 0.3 * severity)
        r, where = radius * canvas.mm, canvas.window(point, 2.2 * radius)
        if where is None:
            continue
        d = distance_from(where, point, r, waves(rng, 0.1, 3), rng.uniform(1, 1.3), rng.uniform(0, np.pi))
        softness = rng.uniform(0.1, 0.3)
        amount = smoothstep(d, 1 + softness, 1 - softness) * np.clip(1 + 0.1 * canvas.noise(0.8, d.shape), 0.6, 1.4)
        density = rng.uniform(0.7, 1.5) * (0.7 + 0.3 * severity)
        change = absorb(amount, (MELANIN, 0.8 * density), (GREY, 0.2 * density))
        if rng.random() < 0.4:
            bump = r * rng.uniform(0.3, 0.7) * np.clip(1 - (d / 1.2) ** 2, 0, None) ** 2
            change += shade(bump.astype(np.float32), canvas.light.light[where])
        place = side if side != Side.BOTH else _side_in(canvas, area, point)
        canvas.add(Blemish.MOLES, area, place, change, where)


def _papule(canvas: Canvas, area: Area, side: Side, point: Points, radius: float, strength: float) -> None:
    _inflamed(canvas, area, side, point, radius, strength, tip=0.0)


def _pustule(canvas: Canvas, area: Area, side: Side, point: Points, radius: float, strength: float) -> None:
    _inflamed(canvas, area, side, point, radius, strength, tip=canvas.rng.uniform(0.4, 0.8))


def _inflamed(
    canvas: Canvas, area: Area, side: Side, point: Points, radius: float, strength: float, tip: float
) -> None:
    """A bump in a red halo. On dark skin blood is hidden behind pigment, of which inflammation makes more."""
    rng, r = canvas.rng, radius * canvas.mm
    where = canvas.window(point, 4.2 * radius)
    if where is None:
        return
    d = distance_from(where, point, r, waves(rng, 0.22), rng.uniform(1, 1.35), rng.uniform(0, np.pi))
    red, brown = strength * (0.35 + 0.65 * canvas.tone), strength * (0.45 - 0.35 * canvas.tone)
    halo = np.exp(-((d / rng.uniform(1.4, 2.1)) ** 2)) * np.clip(1 + 0.25 * canvas.noise(1.5, d.shape), 0.3, 1.8)
    core = smoothstep(d, 1.25, 0.45)
    change = absorb(halo, (BLOOD, 0.26 * red), (MELANIN, 0.25 * brown))
    change += absorb(core, (BLOOD, rng.uniform(0.22, 0.5) * red), (MELANIN, 0.1 * strength + 0.6 * brown))
    bump = r * rng.uniform(0.25, 0.5) * np.clip(1 - (d / 1.25) ** 2, 0, None) ** 2
    change += shade(bump.astype(np.float32), canvas.light.light[where])
    if tip:
        change += _tip(canvas, d, tip * (1.25 - 0.65 * canvas.tone))
    canvas.add(Blemish.ACNE, area, side, change, where)


def _tip(canvas: Canvas, d: Matte, strength: float) -> Density:
    return smoothstep(d, canvas.rng.uniform(0.6, 0.8), 0.2)[..., None] * (strength * _WHITE_TIP)


def _blackhead(canvas: Canvas, area: Area, side: Side, point: Points, radius: float, strength: float) -> None:
    r = float(np.clip(0.32 * radius, 0.3, 0.8)) * canvas.mm
    where = canvas.window(point, 4 * r / canvas.mm)
    if where is not None:
        d = distance_from(where, point, r, waves(canvas.rng, 0.2, 2), canvas.rng.uniform(1, 1.4), 0.0)
        change = absorb(np.exp(-(d**2)), (MELANIN, 0.35 * strength), (GREY, 0.35 * strength))
        canvas.add(Blemish.ACNE, area, side, change, where)


def _mark(canvas: Canvas, area: Area, side: Side, point: Points, radius: float, strength: float) -> None:
    """What is left when it heals: flat, pink on light skin, brown on dark."""
    rng = canvas.rng
    where = canvas.window(point, 3 * radius)
    if where is None:
        return
    d = distance_from(where, point, radius * canvas.mm, waves(rng, 0.3), rng.uniform(1, 1.6), rng.uniform(0, np.pi))
    amount = smoothstep(d, 1.5, 0.3) * np.clip(1 + 0.2 * canvas.noise(1.0, d.shape), 0.3, 1.7)
    brown = strength * (0.42 - 0.32 * canvas.tone)
    change = absorb(amount, (BLOOD, 0.34 * strength * (0.3 + 0.7 * canvas.tone)), (MELANIN, brown))
    canvas.add(Blemish.ACNE, area, side, change, where)


def _pit(canvas: Canvas, area: Area, side: Side, point: Points, r: float, strength: float) -> None:
    rng = canvas.rng
    where = canvas.window(point, 3 * r / canvas.mm)
    if where is None:
        return
    d = distance_from(where, point, r, waves(rng, 0.3), rng.uniform(1, 1.7), rng.uniform(0, np.pi))
    depth = smoothstep(d, 1.25, 0.35)
    change = shade(-r * strength * depth, canvas.light.light[where])
    # Less light gets into a pit, and its skin is a little redder.
    change += absorb(depth, (GREY, 0.16 * strength), (BLOOD, 0.14 * strength))
    canvas.add(Blemish.SCARS, area, side, change, where)


def _line_scar(canvas: Canvas, area: Area, side: Side, point: Points, severity: float) -> None:
    rng = canvas.rng
    turn, length = rng.uniform(0, np.pi), rng.uniform(7, 20) * (0.6 + 0.4 * severity)
    along = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-along[1], along[0]])
    at = np.linspace(-0.5, 0.5, 5)[:, None] * length * canvas.mm
    bend = rng.normal(0, 0.06) * length * canvas.mm * (1 - (2 * np.linspace(-0.5, 0.5, 5)[:, None]) ** 2)
    line = curve(point + at * along + (bend + rng.normal(0, 0.25 * canvas.mm, (5, 1))) * across)
    where = window_of(canvas, line, 3)
    if where is None:
        return
    distance, along_it = along_curve(line, where)
    half = rng.uniform(0.45, 1.0) * canvas.mm * (0.75 + 0.25 * np.sin(np.pi * along_it))
    profile = (
        np.exp(-((distance / np.maximum(half, 0.45)) ** 2))
        * smoothstep(along_it, 0, 0.12)
        * smoothstep(along_it, 1, 0.88)
    )
    pale = rng.random() < 0.5
    colour = (
        absorb(profile, (MELANIN, -rng.uniform(0.1, 0.28)), (BLOOD, -0.08))
        if pale
        else absorb(profile, (BLOOD, rng.uniform(0.15, 0.4)), (MELANIN, 0.22 * (1 - canvas.tone)))
    )
    relief = float(half.max()) * rng.choice([-0.55, 0.4]) * profile
    place = side if side != Side.BOTH else _side_in(canvas, area, point)
    canvas.add(Blemish.SCARS, area, place, colour + shade(relief.astype(np.float32), canvas.light.light[where]), where)


def _side_in(canvas: Canvas, area: Area, point: Points) -> Side:
    """The side that a mark belongs to where both were asked for."""
    return canvas.side_of(point)


def _size_of(area: Area) -> float:
    """How many marks an area holds compared to a cheek."""
    return {Area.NOSE: 0.5, Area.CHIN: 0.5, Area.MOUTH: 0.5, Area.FOREHEAD: 1.1, Area.FACE: 2.5}.get(area, 1.0)
