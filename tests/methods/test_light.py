from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from support.perceived import BLINK, Perceived, repainted

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import eye_openness, face_scale
from faceloom.methods.face_look import FaceLooks
from faceloom.methods.light import (
    SKIN_POINTS,
    SMOOTHING_RADIUS,
    Light,
    LightMeter,
    eyeball_colours,
    light_frame,
    part_sharpness,
)
from faceloom.methods.part_reference import cut_reference
from faceloom.types import Face, Frame, Part, Source

EYES = (Part.LEFT_EYE, Part.RIGHT_EYE)


def meter_for(part: Part, source: Source) -> LightMeter:
    reference = cut_reference(part, source)
    return LightMeter(part, reference.skin, reference.eyeball, FaceLooks())


def light_on(part: Part, source: Source, picture: np.ndarray) -> Light:
    """How ``source`` has to be lit to look like ``picture``, in which the same face is at the same place."""
    (light,) = meter_for(part, source).lights([Frame(0, Fraction(0), picture)], [source.face])
    assert light is not None
    return light


def tinted(picture: np.ndarray, factor: Sequence[float]) -> np.ndarray:
    return (picture * np.array(factor)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("part", list(Part))
@pytest.mark.parametrize("factor", [(1, 1, 1), (0.6, 0.6, 0.6), (0.8, 0.7, 0.55), (1, 1.1, 1.2)], ids=str)
def test_a_change_of_light_is_recovered(part: Part, factor: Sequence[float], perceived: Perceived) -> None:
    source = perceived.source("person_05")
    light = light_on(part, source, tinted(source.image, factor))
    np.testing.assert_allclose(np.exp(light.skin[0]), factor, atol=0.02)
    np.testing.assert_allclose(light.skin[1:], 0, atol=0.01)
    np.testing.assert_allclose(np.exp(light.eyeball[0]), factor if part in EYES else 1, atol=0.02)
    assert light.glasses == 0
    assert (light.skin_spread >= (0.25, 0.09, 0.09)).all()


def test_light_that_falls_from_one_side(perceived: Perceived) -> None:
    source = perceived.source("person_05")
    centre, unit = light_frame(source.face.landmarks, Part.MOUTH)
    assert unit == face_scale(source.face.landmarks)
    across = np.exp(0.3 * (np.arange(512) - centre[0]) / unit - 0.3)
    light = light_on(Part.MOUTH, source, (source.image * across[None, :, None]).clip(0, 255).astype(np.uint8))
    np.testing.assert_allclose(light.skin[0], -0.3, atol=0.05)
    # A sixth of it: few points would otherwise make a tilt of their noise.
    assert (light.skin[1] > 0.04).all() and (np.abs(light.skin[2]) < 0.01).all()


def test_one_dark_spot_does_not_colour_the_part(perceived: Perceived) -> None:
    source = perceived.source("person_05")
    picture = source.image.copy()
    for index in SKIN_POINTS[Part.MOUTH][:6]:
        x, y = source.face.landmarks[index, :2]
        cv2.circle(picture, (round(float(x)), round(float(y))), 12, (30, 20, 20), -1)
    np.testing.assert_allclose(light_on(Part.MOUTH, source, picture).skin[0], 0, atol=0.06)


def test_points_beyond_the_edge_hardly_count(perceived: Perceived) -> None:
    source = perceived.source("person_05")
    cut = round(float(source.face.landmarks[4, 0]))
    picture = tinted(source.image[:, :cut], (0.7, 0.7, 0.7))
    picture[:, cut - 2 :] = 0  # what the points outside would see
    np.testing.assert_allclose(np.exp(light_on(Part.MOUTH, source, picture).skin[0]), 0.7, atol=0.1)


def test_a_blink_takes_the_light_on_the_eyeball_from_the_open_eyes_around_it(perceived: Perceived) -> None:
    shot = perceived.example
    meter = meter_for(Part.LEFT_EYE, perceived.source("person_04"))
    gains = np.array([light.eyeball[0] for light in meter.lights(shot.frames, shot.faces) if light is not None])
    open_ = [eye_openness(Part.LEFT_EYE, face.landmarks) > 0.2 for face in shot.faces]
    np.testing.assert_allclose(gains[BLINK], np.median(gains[open_], axis=0)[None].repeat(9, 0), atol=0.16)
    for index in range(16, 20):
        lid = eyeball_colours(meter.part, shot.frames[index].image, shot.faces[index].landmarks.astype(np.float64))
        alone = (np.log(lid + 0.02) - np.log(meter.eyeball + 0.02)).mean(axis=0)
        assert (np.abs(alone - gains[index]) > 0.15).all(), "the lid would say something else"


def test_flicker_of_the_light_is_smoothed(perceived: Perceived) -> None:
    source = perceived.source("person_05")
    factors = 1 + 0.1 * (-1.0) ** np.arange(16)
    frames = [Frame(i, Fraction(i, 25), tinted(source.image, (f, f, f))) for i, f in enumerate(factors)]
    lights = meter_for(Part.MOUTH, source).lights(frames, [source.face] * 16)
    gains = np.array([light.skin[0] for light in lights if light is not None])
    assert np.ptp(gains[4:-4]) < 0.02


def test_frames_without_a_face_have_no_light_and_others_do_not_notice(perceived: Perceived) -> None:
    shot = perceived.example
    meter = meter_for(Part.MOUTH, perceived.source("person_05"))
    assert meter.lights(shot.frames[:3], [None, None, None]) == [None, None, None]
    faces: list[Face | None] = list(shot.faces[:12])
    faces[5] = None
    lights = meter.lights(shot.frames[:12], faces)
    assert [light is None for light in lights] == [index == 5 for index in range(12)]
    assert all(np.isfinite(light.skin).all() for light in lights if light is not None)


@pytest.mark.parametrize("length", [1, 5])
def test_light_does_not_depend_on_the_windows(length: int, perceived: Perceived) -> None:
    shot, source = perceived.example, perceived.source("person_04")
    count = 20
    whole = meter_for(Part.LEFT_EYE, source).lights(shot.frames[:count], shot.faces[:count])
    meter = meter_for(Part.LEFT_EYE, source)
    for start in range(0, count, length):
        low, high = max(0, start - SMOOTHING_RADIUS), min(count, start + length + SMOOTHING_RADIUS)
        lights = meter.lights(shot.frames[low:high], shot.faces[low:high])
        for index in range(start, start + length):
            cut, full = lights[index - low], whole[index]
            assert cut is not None and full is not None
            for name in ("skin", "eyeball", "skin_mean", "skin_spread", "glasses", "sharpness"):
                np.testing.assert_array_equal(getattr(cut, name), getattr(full, name))


def test_two_people_have_their_own_light(perceived: Perceived) -> None:
    source = perceived.source("person_05")
    meter = meter_for(Part.MOUTH, source)
    frame = Frame(0, Fraction(0), source.image)
    meter.lights([frame], [replace(source.face, track=1)])
    (light,) = meter.lights([repainted(frame, tinted(source.image, (0.5, 0.5, 0.5)))], [replace(source.face, track=2)])
    assert light is not None and light.skin[0].max() < -0.5


def test_sharpness_is_that_of_the_part(perceived: Perceived) -> None:
    source = perceived.source("person_01")
    landmarks = source.face.landmarks.astype(np.float64)
    told = part_sharpness(Part.LEFT_EYE, source.image, landmarks)
    soft = source.image.copy()
    soft[:, : round(landmarks[4, 0])] = cv2.GaussianBlur(source.image, (0, 0), 2)[:, : round(landmarks[4, 0])]
    np.testing.assert_allclose(part_sharpness(Part.LEFT_EYE, soft, landmarks), told, atol=1e-6)
    right = part_sharpness(Part.RIGHT_EYE, source.image, landmarks)
    assert (part_sharpness(Part.RIGHT_EYE, soft, landmarks) < right - 0.1).all()
    beyond = landmarks + np.array([5000, 0, 0])
    np.testing.assert_array_equal(part_sharpness(Part.MOUTH, source.image, beyond), [0, 0])


@pytest.mark.parametrize("part", EYES)
def test_the_white_of_the_eye_is_sampled_beside_the_iris(part: Part, perceived: Perceived) -> None:
    source = perceived.source("person_04")
    landmarks = source.face.landmarks.astype(np.float64)
    painted = np.full((512, 512, 3), 40, np.uint8)
    iris, corners = (t.LEFT_IRIS, t.LEFT_EYE_CORNERS) if part == Part.LEFT_EYE else (t.RIGHT_IRIS, t.RIGHT_EYE_CORNERS)
    centre, radius = landmarks[iris[0], :2], np.linalg.norm(landmarks[iris[1], :2] - landmarks[iris[0], :2])
    for corner, grey in zip(corners, (200, 120), strict=True):
        line = np.array([centre, landmarks[corner, :2]]).round().astype(np.int32)
        cv2.line(painted, tuple(map(int, line[0])), tuple(map(int, line[1])), (grey,) * 3, 13)
    cv2.circle(painted, tuple(map(int, centre.round())), round(radius), (0, 0, 0), -1)
    outer, inner = eyeball_colours(part, painted, landmarks).mean(axis=1) * 255
    assert outer == pytest.approx(200, abs=25) and inner == pytest.approx(120, abs=25)
    np.testing.assert_array_equal(eyeball_colours(Part.MOUTH, painted, landmarks), np.ones((2, 3)))
