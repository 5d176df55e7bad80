from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import core_matte, face_scale
from faceloom.methods.face_look import look_at
from faceloom.methods.light import SKIN_POINTS
from faceloom.methods.surround import part_and_skin, skin_statistics
from faceloom.types import Box, Part, Source

WHOLE = Box(0, 0, 512, 512)
DARK_HAIR, METAL = (40, 30, 25), (150, 170, 200)
CHEEK = 50


def matte(image: np.ndarray, source: Source, part: Part) -> np.ndarray:
    """Of ``image``, in which the face of ``source`` is at the same place, with that face's own skin."""
    landmarks = source.face.landmarks.astype(np.float64)
    skin = skin_statistics(look_at(source.image, landmarks).colours[list(SKIN_POINTS[part])])
    return part_and_skin(image.astype(np.float32) / np.float32(255), part, landmarks, skin, WHOLE)


def test_statistics_are_robust() -> None:
    random = np.random.default_rng(2)
    colours = np.array([0.7, 0.5, 0.4]) * np.exp(random.normal(0, 0.3, (40, 1)))
    middle, spread = skin_statistics(colours)
    dirty = colours.copy()
    dirty[:8] = 0.02
    found, found_spread = skin_statistics(dirty)
    np.testing.assert_allclose(found, middle, atol=0.15)
    np.testing.assert_allclose(found_spread, spread, atol=0.25)
    assert middle[1] == pytest.approx(np.log(0.72 / 0.52), abs=0.03), "log of red over green"


def test_even_skin_is_given_some_room() -> None:
    _, spread = skin_statistics(np.full((20, 3), 0.5))
    np.testing.assert_allclose(spread, [0.25, 0.09, 0.09])


@pytest.mark.parametrize("part", [Part.MOUTH, Part.LEFT_EYE, Part.RIGHT_EYEBROW])
def test_the_part_and_the_skin_around_it_are_1(part: Part, perceived: Perceived) -> None:
    source = perceived.source("person_05")
    landmarks = source.face.landmarks.astype(np.float64)
    found = matte(source.image, source, part)
    assert found.dtype == np.float32 and found.shape == (512, 512)
    assert found.min() >= 0 and found.max() <= 1 + 1e-5
    assert (found[core_matte(part, landmarks, WHOLE) > 0.999] > 0.999).all()
    at = landmarks[list(SKIN_POINTS[part]), :2].round().astype(int)
    assert np.median(found[at[:, 1], at[:, 0]]) > 0.99
    assert found[5:20, 5:20].max() < 0.05, "the wall behind"


@pytest.mark.parametrize("colour", [DARK_HAIR, METAL])
def test_what_lies_over_the_skin_is_0(colour: tuple[int, int, int], perceived: Perceived) -> None:
    source = perceived.source("person_05")
    landmarks = source.face.landmarks.astype(np.float64)
    scale = face_scale(landmarks)
    painted = source.image.copy()
    x, y = (round(float(value)) for value in landmarks[CHEEK, :2])
    cv2.line(painted, (x, y - 40), (x, y + 40), colour, round(0.08 * scale))
    found = matte(painted, source, Part.MOUTH)
    assert found[y - 25 : y + 25, x - 1 : x + 2].max() < 0.05
    clean = matte(source.image, source, Part.MOUTH)
    assert clean[y - 25 : y + 25, x - 1 : x + 2].min() > 0.9
    near = np.zeros((512, 512), bool)
    near[y - 60 : y + 60, x - 20 : x + 20] = True
    np.testing.assert_allclose(found[~near], clean[~near], atol=1e-5)


def test_a_strand_over_the_part_itself_does_not_count(perceived: Perceived) -> None:
    """The part is replaced whatever it looks like: lips may be painted any colour."""
    source = perceived.source("person_05")
    landmarks = source.face.landmarks.astype(np.float64)
    painted = source.image.copy()
    lip = landmarks[list(t.MOUTH_RING), :2].round().astype(np.int32)
    cv2.fillPoly(painted, [lip], (20, 90, 30))
    found = matte(painted, source, Part.MOUTH)
    assert found[core_matte(Part.MOUTH, landmarks, WHOLE) > 0.999].min() > 0.999
