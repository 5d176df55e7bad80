from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.multiband import CLOSED, SMILING, still
from support.perceived import Perceived, patches

from faceloom.compose import paste
from faceloom.geometry import colour, masks
from faceloom.geometry.partcover import core_matte, face_scale
from faceloom.methods.face_look import FaceLook, FaceLooks, look_at
from faceloom.methods.light import SKIN_POINTS, Light, LightMeter, part_shading
from faceloom.methods.part_reference import PartReference, cut_reference
from faceloom.methods.tone import on_other_skin
from faceloom.types import Attribute, Box, Image, Part, Source

WHOLE = Box(0, 0, 512, 512)
DARK_SKIN = np.array([0.36, 0.22, 0.15])


def darkened(source: Source) -> Source:
    """The same face with dark skin: light and shade twice as strong, and sheen on the nose and under the eyes."""
    picture = source.image.astype(np.float64) / 255
    landmarks = source.face.landmarks.astype(np.float64)
    skin = np.median(look_at(source.image, landmarks).colours[list(SKIN_POINTS[Part.NOSE])], axis=0)
    dark = DARK_SKIN * (picture / skin) ** 2
    for index in (5, 4, 50, 280, 205, 425):
        x, y = landmarks[index, :2]
        apart = np.hypot(*np.meshgrid(np.arange(512) - x, np.arange(512) - y))
        dark += 0.35 * np.exp(-0.5 * (apart / (0.1 * face_scale(landmarks))) ** 2)[..., None]
    return replace(source, image=(dark.clip(0, 1) * 255).round().astype(np.uint8))


def lit_by(reference: PartReference, source: Source) -> Light:
    """The light of a picture for a part of another."""
    meter = LightMeter(reference.part, reference.skin, reference.eyeball, FaceLooks())
    (light,) = meter.lights([still(source.image)], [source.face])
    assert light is not None
    return light


def nose_of(image: Image, source: Source) -> np.ndarray:
    return image[core_matte(Part.NOSE, source.face.landmarks.astype(np.float64), WHOLE) > 0.9].astype(np.float64) / 255


@pytest.mark.parametrize("name", [CLOSED, SMILING])
def test_a_dark_nose_on_light_skin_has_its_tone(name: str, perceived: Perceived) -> None:
    target = perceived.source(name)
    ((patch,),) = patches({Attribute.NOSE: darkened(target)}, [still(target.image)], [target.face])
    after = paste(still(target.image), [patch]).image
    goal, found = nose_of(target.image, target), nose_of(after, target)
    around = look_at(target.image, target.face.landmarks.astype(np.float64)).colours[list(SKIN_POINTS[Part.NOSE])]
    np.testing.assert_allclose(np.median(found, axis=0), np.median(around, axis=0), atol=0.06)
    assert np.quantile(found.mean(axis=1), 0.98) < np.quantile(goal.mean(axis=1), 0.98) + 0.1, "no glare"
    tints = [np.log(nose[:, 0] / nose[:, 2].clip(0.05)) for nose in (goal, found)]
    assert np.quantile(tints[1], 0.95) < np.quantile(tints[0], 0.95) + 0.1, "no orange shadows"


@pytest.mark.parametrize("part", [Part.NOSE, Part.LEFT_EYE, Part.RIGHT_EYEBROW, Part.MOUTH])
def test_on_its_own_skin_a_part_stays_as_it_is(part: Part, perceived: Perceived) -> None:
    source = perceived.source("person_01")
    reference = cut_reference(part, source)
    kept = on_other_skin(reference.levels[0], reference.bare, reference, lit_by(reference, source))
    np.testing.assert_allclose(kept, reference.levels[0], atol=0.02)


def test_the_change_sets_in_smoothly(perceived: Perceived) -> None:
    """From frame to frame a light changes a little, and nothing may jump then."""
    source = perceived.source(CLOSED)
    reference = cut_reference(Part.NOSE, source)
    light = lit_by(reference, source)
    before = None
    for amount in np.linspace(0, 1.2, 241):
        gain = light.skin - np.array([[amount, 1.3 * amount, 1.6 * amount], [0, 0, 0], [0, 0, 0]])
        picture = on_other_skin(reference.levels[0], reference.bare, reference, replace(light, skin=gain))
        if before is not None:
            assert np.abs(picture - before).max() < 0.02
        before = picture


def test_lips_of_dark_skin_are_no_brighter_than_the_light_skin_around_them(perceived: Perceived) -> None:
    target = perceived.source(CLOSED)
    dark = darkened(target)
    landmarks = target.face.landmarks.astype(np.float64)
    lips = masks.region_mask(masks.Region.LIPS, landmarks, WHOLE) > 0.9
    glossy = dark.image.copy()
    glossy[lips] = (150, 110, 105)
    ((patch,),) = patches({Attribute.MOUTH: replace(dark, image=glossy)}, [still(target.image)], [target.face])
    after = paste(still(target.image), [patch]).image / 255
    around = look_at(target.image, landmarks).colours[list(SKIN_POINTS[Part.MOUTH])] @ colour.LUMINANCE
    assert np.median(after[lips] @ colour.LUMINANCE) < 0.9 * np.median(around)


class TestShading:
    def look(self, values: np.ndarray) -> FaceLook:
        return FaceLook(np.repeat(values[:, None], 3, axis=1), np.ones(478, bool), 0.0)

    def test_even_skin_has_none(self) -> None:
        for part in Part:
            assert part_shading(part, self.look(np.full(478, 0.5))) == pytest.approx(0, abs=1e-9)

    def test_a_face_lit_from_one_side_has_much(self, perceived: Perceived) -> None:
        source = perceived.source(CLOSED)
        across = source.face.landmarks[:, 0].astype(np.float64) / 512
        assert part_shading(Part.MOUTH, self.look(0.5 * np.exp(6 * (across - 0.5)))) > 0.3

    def test_sheen_on_a_nose_alone_counts(self) -> None:
        values = np.full(478, 0.3)
        values[[195, 5, 4, 1, 51, 281, 45, 275, 220, 440, 196, 419]] = 0.8
        assert part_shading(Part.NOSE, self.look(values)) > 0.4
        assert part_shading(Part.MOUTH, self.look(values)) == pytest.approx(0, abs=1e-9)
