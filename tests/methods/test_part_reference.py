from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import cover_outline, face_scale, mouth_openness
from faceloom.methods.light import part_sharpness
from faceloom.methods.part_reference import ZOOMS, PartReference, cut_reference, lips_only
from faceloom.types import Box, Part, Source

WHOLE = Box(0, 0, 512, 512)
SMILING, CLOSED = ("person_01", "person_03", "person_06"), ("person_05", "person_08", "person_17")


def between_middle_lines(landmarks: np.ndarray) -> np.ndarray:
    ring = np.vstack([landmarks[list(t.UPPER_LIP_MIDDLE), :2], landmarks[list(t.LOWER_LIP_MIDDLE[::-1]), :2]])
    return masks.polygon_mask(ring, WHOLE) > 0.5


def like_teeth(image: np.ndarray) -> np.ndarray:
    """Bright and hardly coloured."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    return (hsv[..., 2] > 140) & (hsv[..., 1] < 70)


@pytest.mark.parametrize("name", SMILING)
def test_a_smile_loses_its_teeth(name: str, perceived: Perceived) -> None:
    source = perceived.source(name)
    landmarks = source.face.landmarks.astype(np.float64)
    assert mouth_openness(landmarks) > 0.1
    inside = between_middle_lines(landmarks)
    assert like_teeth(source.image)[inside].mean() > 0.1
    cleaned = lips_only(source.image, landmarks)
    assert like_teeth(cleaned)[inside].mean() < 0.003
    dark = cleaned.max(axis=2) < 45
    assert dark[inside].mean() < 0.01, "nor is the dark of the mouth left"


@pytest.mark.parametrize("name", CLOSED)
def test_closed_lips_change_along_their_line_alone(name: str, perceived: Perceived) -> None:
    source = perceived.source(name)
    landmarks = source.face.landmarks.astype(np.float64)
    assert mouth_openness(landmarks) < 0.02
    difference = np.abs(lips_only(source.image, landmarks).astype(int) - source.image).max(axis=2)
    line = 0.5 * (landmarks[list(t.UPPER_LIP_INNER), :2] + landmarks[list(t.LOWER_LIP_INNER), :2])
    strip = masks.line_mask(line, 0.08 * face_scale(landmarks), WHOLE) > 0
    lips = masks.region_mask(masks.Region.LIPS, landmarks, WHOLE) > 0.5
    # A glint on a wet lip may go too: it is as bright and grey as a tooth.
    assert (difference[lips & ~strip] > 12).mean() < 0.12


@pytest.mark.parametrize("name", [*SMILING, *CLOSED])
def test_skin_around_the_lips_is_not_touched(name: str, perceived: Perceived) -> None:
    source = perceived.source(name)
    landmarks = source.face.landmarks.astype(np.float64)
    mouth = masks.dilate(masks.region_mask(Part.MOUTH, landmarks, WHOLE), 0.015 * face_scale(landmarks)) > 0
    cleaned = lips_only(source.image, landmarks)
    np.testing.assert_array_equal(cleaned[~mouth], source.image[~mouth])


@pytest.fixture(scope="module")
def mouth(perceived: Perceived) -> PartReference:
    return cut_reference(Part.MOUTH, perceived.source("person_03"))


def test_a_reference_has_the_part_and_room_around_it(mouth: PartReference, perceived: Perceived) -> None:
    source = perceived.source("person_03")
    height, width = mouth.levels[0].shape[:2]
    assert mouth.levels[0].dtype == np.float32 and mouth.clean.shape == (height, width)
    outline, scale = cover_outline(Part.MOUTH, mouth.landmarks), face_scale(mouth.landmarks)
    assert outline.min() > scale and outline[:, 0].max() < width - scale, "below is the end of the picture"
    shift = (source.face.landmarks - mouth.landmarks)[0]
    np.testing.assert_allclose(source.face.landmarks - mouth.landmarks, np.tile(shift, (478, 1)), atol=1e-3)
    x, y = round(float(shift[0])), round(float(shift[1]))
    np.testing.assert_allclose(mouth.levels[0][0] * 255, source.image[y, x : x + width], atol=1e-3)
    for fine, coarse in zip(mouth.levels, mouth.levels[1:], strict=False):
        assert coarse.shape[0] == (fine.shape[0] + 1) // 2
    assert (mouth.eyeball == 1).all()


def test_the_picture_of_the_source_is_not_modified(perceived: Perceived) -> None:
    source = perceived.source("person_03")
    before = source.image.copy()
    cut_reference(Part.MOUTH, source)
    np.testing.assert_array_equal(source.image, before)


def test_skin_is_measured_before_the_teeth_are_painted_over(perceived: Perceived, mouth: PartReference) -> None:
    source = perceived.source("person_03")
    plain = cut_reference(Part.MOUTH, replace(source, image=lips_only(source.image, source.face.landmarks)))
    np.testing.assert_allclose(mouth.skin, plain.skin, atol=0.01)


@pytest.mark.parametrize("name", ["person_03", "person_05", "person_17"])
@pytest.mark.parametrize("part", [Part.MOUTH, Part.LEFT_EYE, Part.NOSE])
def test_a_reference_looks_sharper_the_more_it_is_reduced(part: Part, name: str, perceived: Perceived) -> None:
    reference = cut_reference(part, perceived.source(name))
    zooms = np.geomspace(ZOOMS[0], 4, 30)
    told = np.array([reference.sharpness_at(zoom) for zoom in zooms])
    assert told.shape == (30, 2)
    falls = np.maximum.accumulate(told, axis=0) - told
    assert falls.max() < 0.35, "a reduction by exactly 1 or 2 hits the pixels and looks a little too sharp"
    assert (told[-1] > told[0] + 0.2).all()


def test_sharpness_beyond_what_was_measured_is_that_of_the_ends(mouth: PartReference) -> None:
    np.testing.assert_array_equal(mouth.sharpness_at(1e-3), mouth.sharpness[0])
    np.testing.assert_array_equal(mouth.sharpness_at(500), mouth.sharpness[-1])
    np.testing.assert_allclose(mouth.sharpness_at(float(ZOOMS[4])), mouth.sharpness[4], atol=1e-9)


def test_a_soft_reference_is_told_from_a_sharp_one(perceived: Perceived) -> None:
    source = perceived.source("person_05")
    soft = replace(source, image=cv2.GaussianBlur(source.image, (0, 0), 2))
    for zoom in (0.5, 1.0, 1.5):
        sharp_told, soft_told = (cut_reference(Part.MOUTH, one).sharpness_at(zoom) for one in (source, soft))
        assert (soft_told < sharp_told - 0.1).all()


def test_sharpness_is_that_of_a_picture_of_that_size(perceived: Perceived) -> None:
    """What is measured of the reference is what the same face shows in a frame of that size."""
    source = perceived.source("person_05")
    reference = cut_reference(Part.LEFT_EYE, source)
    for zoom in (1.5, 2.5):
        size = round(512 / zoom)
        frame = cv2.resize(source.image, (size, size), interpolation=cv2.INTER_AREA)
        own = part_sharpness(Part.LEFT_EYE, frame, source.face.landmarks.astype(np.float64) * size / 512)
        assert np.abs(reference.sharpness_at(zoom) - own).max() < 0.5


def test_hair_over_the_skin_of_a_reference_is_not_clean(perceived: Perceived) -> None:
    source = perceived.source("person_05")
    landmarks = source.face.landmarks
    painted = source.image.copy()
    x, y = (round(float(value)) for value in landmarks[450, :2])
    cv2.line(painted, (x - 30, y + 12), (x + 30, y + 12), (40, 30, 25), 9)
    worn = cut_reference(Part.LEFT_EYE, replace(source, image=painted))
    bare = cut_reference(Part.LEFT_EYE, source)
    left, top = (source.face.landmarks[0, :2] - bare.landmarks[0, :2]).round().astype(int)
    assert bare.clean[y + 12 - top, x - left] > 0.8 and worn.clean[y + 12 - top, x - left] < 0.1


def test_a_reference_that_fills_the_picture(perceived: Perceived) -> None:
    """The room around the part ends where the picture does."""
    source = perceived.source("person_01")
    box = Box.around(source.face.landmarks[list(t.MOUTH_RING)]).pad(6)
    face = replace(source.face, landmarks=source.face.landmarks - np.float32([box.left, box.top, 0]))
    tight = Source(source.path, np.ascontiguousarray(source.image[box.slices]), face)
    reference = cut_reference(Part.MOUTH, tight)
    assert reference.levels[0].shape[:2] == (box.height, box.width)
    assert np.isfinite(reference.sharpness).all()
