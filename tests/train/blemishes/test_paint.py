"""Painted blemishes: where they are, what they do to skin of any tone, and that each can be left out again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from faceloom.methods.langbrt.prompts import AREAS, Area, Blemish, Prompt, Side
from faceloom.train.blemishes.anatomy import Anatomy, parsed_skin
from faceloom.train.blemishes.difference import difference_mask
from faceloom.train.blemishes.maker import mirrored
from faceloom.train.blemishes.optics import BLOOD, MELANIN, absorb, measure, render, shade, to_gamma, to_linear
from faceloom.train.blemishes.paint import Order, Painting, draw_orders, paint
from faceloom.train.blemishes.sheet import blemish_sheet, everywhere
from faceloom.types import Image


def painted(face: Image, anatomy: Anatomy, *prompts: Prompt, seed: int = 0, severity: float = 1.0) -> Painting:
    return paint(face, anatomy, np.random.default_rng(seed), [Order(prompt, severity) for prompt in prompts])


def change(painting: Painting) -> np.ndarray:
    """(H, W) greatest change of a channel, grey levels."""
    return np.abs(painting.blemished.astype(int) - painting.clean.astype(int)).max(-1)


@pytest.mark.parametrize("blemish", list(Blemish))
def test_every_kind_shows_on_skin_and_nowhere_else(face: Image, anatomy: Anatomy, blemish: Blemish) -> None:
    painting = painted(face, anatomy, *(order.prompt for order in everywhere(blemish, 1.0)))
    seen = change(painting)
    assert seen.max() >= 12, "it can be seen"
    assert seen[anatomy.skin == 0].max() == 0
    assert (seen > 2).mean() < 0.3
    assert {prompt.blemish for prompt in painting.layers} == {blemish}


@pytest.mark.parametrize("blemish", list(Blemish))
def test_it_lies_where_it_was_ordered(face: Image, anatomy: Anatomy, blemish: Blemish) -> None:
    area = AREAS[blemish][-1]
    side = Side.RIGHT if area in (Area.CHEEKS, Area.EYES) else Side.BOTH
    seen = change(painted(face, anatomy, *[Prompt(blemish, area, side)] * 3)) > 2
    # Marks reach a little beyond the area that their centre is in.
    near = cv2.dilate(anatomy.areas[area] * anatomy.sides[side], np.ones((25, 25), np.uint8)) > 0.5
    assert seen.sum() > 5 and near[seen].mean() > 0.97


def test_the_same_seed_gives_the_same_painting(face: Image, anatomy: Anatomy) -> None:
    one, again, other = (paint(face, anatomy, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.blemished, again.blemished)
    assert (one.blemished != other.blemished).any()


def test_leaving_out(face: Image, anatomy: Anatomy) -> None:
    right, left = Prompt(Blemish.ACNE, Area.CHEEKS, Side.RIGHT), Prompt(Blemish.ACNE, Area.CHEEKS, Side.LEFT)
    spots = Prompt(Blemish.SPOTS, Area.FOREHEAD)
    painting = painted(face, anatomy, right, left, spots)
    np.testing.assert_array_equal(painting.without([Prompt(kind) for kind in Blemish]), face)
    half = painting.without([right])
    gone = np.abs(half.astype(int) - painting.blemished.astype(int)).max(-1) > 0
    assert gone.any() and anatomy.sides[Side.LEFT][gone].max() < 0.9
    np.testing.assert_array_equal(half[~gone], painting.blemished[~gone])
    np.testing.assert_array_equal(painting.without([Prompt(Blemish.FRECKLES)]), painting.blemished)


def test_masks_are_equation_5(face: Image, anatomy: Anatomy) -> None:
    prompt = Prompt(Blemish.ACNE, Area.CHEEKS, Side.LEFT)
    painting = painted(face, anatomy, prompt, Prompt(Blemish.REDNESS, Area.NOSE))
    mask = painting.mask(prompt)
    np.testing.assert_array_equal(mask, difference_mask(painting.blemished, painting.without([prompt])))
    assert mask.max() > 0.9 and anatomy.sides[Side.RIGHT][mask > 0.3].max() < 0.9
    assert painting.mask(Prompt(Blemish.ACNE)).sum() == pytest.approx(mask.sum())
    assert painting.mask(Prompt(Blemish.SCARS)).max() == 0
    assert painting.mask(prompt.mirrored()).max() == 0


def test_difference_mask_by_hand() -> None:
    black = np.zeros((1, 4, 3), np.uint8)
    other = black.copy()
    other[0, 1] = 1
    other[0, 2] = (27, 0, 0)
    other[0, 3] = 255
    np.testing.assert_allclose(difference_mask(black, other)[0], [0, 0, np.tanh(1), 1], atol=1e-6)


def test_pores_and_grain_stay(face: Image, anatomy: Anatomy) -> None:
    """Spots scale what is there: fine detail keeps its contrast relative to the skin."""
    grain = np.random.default_rng(0).normal(0, 4, face.shape[:2])[..., None]
    rough = np.clip(face + grain, 0, 255).astype(np.uint8)
    painting = painted(rough, anatomy, Prompt(Blemish.REDNESS, Area.CHEEKS))
    inside = (difference_mask(rough, painting.blemished) > 0.8) & (anatomy.skin > 0.9)
    before, after = (
        cv2.Laplacian(image[..., 0].astype(np.float32), cv2.CV_32F) for image in (rough, painting.blemished)
    )
    assert inside.sum() > 200
    assert np.corrcoef(before[inside], after[inside])[0, 1] > 0.95
    assert after[inside].std() / before[inside].std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("factor", [1.0, 0.45, 0.15])
def test_any_skin_tone(face: Image, anatomy: Anatomy, factor: float) -> None:
    """Relative to the skin's own light, pigment takes the same share away whatever the tone."""
    toned = np.round(to_gamma(factor * to_linear(face.astype(np.float32) / 255)) * 255).astype(np.uint8)
    light = measure(toned, anatomy.skin, anatomy.mm)
    amount = (anatomy.skin > 0.9).astype(np.float32)
    changed = render(light, absorb(amount, (MELANIN, 0.3)))
    lit = (anatomy.skin > 0.9) & (toned.min(-1) > 30)
    ratio = to_linear(changed)[lit] / to_linear(toned.astype(np.float32) / 255)[lit]
    np.testing.assert_allclose(np.median(ratio, axis=0), np.exp(-0.3 * MELANIN), rtol=0.05)
    painting = painted(toned, anatomy, *(order.prompt for order in everywhere(Blemish.ACNE, 1.0)))
    assert change(painting).max() > 25 * factor**0.45


def test_tone_is_ordered(face: Image, anatomy: Anatomy) -> None:
    tones = [
        measure(np.round(face * factor).astype(np.uint8), anatomy.skin, anatomy.mm).tone for factor in (1, 0.6, 0.3)
    ]
    assert tones[0] > tones[1] > tones[2]


def test_blood_is_red_and_pigment_brown() -> None:
    assert BLOOD[1] > BLOOD[2] > BLOOD[0] and MELANIN[2] > MELANIN[1] > MELANIN[0]


@pytest.mark.parametrize("direction", [(0.6, 0.0), (0.0, -0.6), (-0.4, 0.4)])
def test_bumps_are_lit_from_where_the_light_is(direction: tuple[float, float]) -> None:
    y, x = np.mgrid[-20:21, -20:21].astype(np.float32)
    bump = 4 * np.exp(-(x**2 + y**2) / 60).astype(np.float32)
    light = np.broadcast_to(np.float32(direction), (41, 41, 2))
    lit = shade(bump, light).mean(-1)
    towards = x * direction[0] + y * direction[1]
    assert lit[towards > 2].mean() > 0.01 and lit[towards < -2].mean() < -0.01
    np.testing.assert_allclose(shade(np.zeros_like(bump), light), 0, atol=1e-7)


def test_light_of_a_shaded_face(face: Image, anatomy: Anatomy) -> None:
    across = []
    for dim in (np.linspace(1.0, 0.35, 256), np.ones(256), np.linspace(0.35, 1.0, 256)):
        shaded = np.round(face * dim[None, :, None]).astype(np.uint8)
        light = measure(shaded, anatomy.skin, anatomy.mm).light[anatomy.skin > 0.5]
        assert np.linalg.norm(light, axis=1).max() < 1
        across.append(float(light[:, 0].mean()))
    assert across[0] < across[1] - 0.1 and across[1] < across[2] - 0.1


def test_gamma_round_trip() -> None:
    values = np.linspace(0, 1, 256, dtype=np.float32)
    np.testing.assert_allclose(to_gamma(to_linear(values)), values, atol=1e-5)


def test_mirrored(face: Image, anatomy: Anatomy) -> None:
    prompt = Prompt(Blemish.ACNE, Area.CHEEKS, Side.LEFT)
    painting = painted(face, anatomy, prompt)
    turned = mirrored(painting)
    np.testing.assert_array_equal(turned.blemished, painting.blemished[:, ::-1])
    np.testing.assert_array_equal(turned.mask(prompt.mirrored()), painting.mask(prompt)[:, ::-1])
    assert turned.mask(prompt).max() == 0


def test_orders() -> None:
    orders = [order for seed in range(200) for order in draw_orders(np.random.default_rng(seed))]
    assert {order.prompt.blemish for order in orders} == set(Blemish)
    assert all(order.prompt.area in AREAS[order.prompt.blemish] and 0 < order.severity <= 1 for order in orders)
    assert Area.FACE not in {order.prompt.area for order in orders}
    moles = [any(o.prompt.blemish == Blemish.MOLES for o in draw_orders(np.random.default_rng(k))) for k in range(200)]
    assert 0.35 < np.mean(moles) < 0.75, "so that what is not asked for is often there"


def test_scales(portraits: dict[str, Image], anatomy: Anatomy) -> None:
    """Twice the picture, twice the millimetre, about the same part of the face."""
    large = portraits["person_04"]
    twice = Anatomy(anatomy.landmarks * 2 + 0.5, cv2.resize(anatomy.skin, (512, 512)))
    assert twice.mm == pytest.approx(2 * anatomy.mm, rel=1e-4)
    prompts = [order.prompt for order in everywhere(Blemish.REDNESS, 1.0)]
    small = cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA)
    parts = [(change(painted(image, one, *prompts)) > 2).mean() for image, one in ((small, anatomy), (large, twice))]
    assert parts[1] == pytest.approx(parts[0], rel=0.35)


def test_sheet(face: Image, anatomy: Anatomy) -> None:
    sheet = blemish_sheet([(face, anatomy)] * 2, 0, [Blemish.ACNE, Blemish.SHINE])
    assert sheet.shape == (512, 5 * 256, 3) and sheet.dtype == np.uint8
    np.testing.assert_array_equal(sheet[:256, :256], face)
    assert blemish_sheet([(face, anatomy)], 0).shape == (256, 3 * 256, 3)


def test_skin(face: Image, anatomy: Anatomy, perception, store) -> None:  # type: ignore[no-untyped-def]
    store.ensure(["bisenet_celebamask"])
    parsed = parsed_skin(face, anatomy.landmarks, perception)
    both = np.minimum(parsed, anatomy.skin).sum() / np.maximum(parsed, anatomy.skin).sum()
    assert both > 0.6, "parser and colour agree about most of the skin"
    for index in (468, 473, 13):  # irises, lips
        x, y = np.round(anatomy.landmarks[index]).astype(int)
        assert parsed[y, x] < 0.1 and anatomy.skin[y, x] < 0.1
