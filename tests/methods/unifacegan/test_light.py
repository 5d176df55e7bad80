from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.geometry.partcover import face_scale
from faceloom.methods.face_look import FaceLooks, look_at
from faceloom.methods.unifacegan.light import FaceLight, FaceLightMeter, apply_field, face_sharpness, light_field
from faceloom.methods.unifacegan.skin import SKIN
from faceloom.types import Box


def light(colours: np.ndarray) -> FaceLight:
    return FaceLight(colours, np.ones(len(colours)), np.zeros(3), np.ones(3), 0.0, np.zeros(2))


@pytest.fixture(scope="module")
def face(perceived: Perceived) -> tuple[np.ndarray, np.ndarray]:
    """Colours of skin and landmarks of a portrait."""
    source = perceived.source("person_05")
    landmarks = source.face.landmarks.astype(np.float64)
    return look_at(source.image, landmarks).colours[list(SKIN)], landmarks


BOX = Box(100, 80, 420, 460)


def test_the_same_light_changes_nothing(face: tuple[np.ndarray, np.ndarray]) -> None:
    colours, landmarks = face
    assert np.abs(light_field(colours, np.ones(len(SKIN)), light(colours), landmarks, BOX)).max() < 1e-4


def test_half_the_light_halves_the_picture(face: tuple[np.ndarray, np.ndarray]) -> None:
    colours, landmarks = face
    half = (colours + 0.02) / 2 - 0.02
    field = light_field(colours, np.ones(len(SKIN)), light(half), landmarks, BOX)
    np.testing.assert_allclose(field, np.log(0.5), atol=1e-3)
    picture = np.full((BOX.height, BOX.width, 3), 0.6, np.float32)
    np.testing.assert_allclose(apply_field(picture, field), 0.29, atol=1e-3)


def test_light_from_one_side_is_followed(face: tuple[np.ndarray, np.ndarray]) -> None:
    colours, landmarks = face
    across = (landmarks[list(SKIN), 0] - landmarks[list(SKIN), 0].mean()) / face_scale(landmarks)
    field = light_field(colours, np.ones(len(SKIN)), light(colours * np.exp(0.4 * across)[:, None]), landmarks, BOX)
    left, right = landmarks[50, :2].astype(int), landmarks[280, :2].astype(int)
    there = field[right[1] - BOX.top, right[0] - BOX.left] - field[left[1] - BOX.top, left[0] - BOX.left]
    wanted = 0.4 * (landmarks[280, 0] - landmarks[50, 0]) / face_scale(landmarks)
    np.testing.assert_allclose(there, wanted, rtol=0.3)


def test_a_hand_on_the_cheek_does_not_tint_the_face(face: tuple[np.ndarray, np.ndarray]) -> None:
    colours, landmarks = face
    covered = colours.copy()
    covered[np.isin(SKIN, (280, 330, 425, 411))] = (0.05, 0.4, 0.1)
    field = light_field(colours, np.ones(len(SKIN)), light(covered), landmarks, BOX)
    x, y = landmarks[50, :2].astype(int)
    assert np.abs(field[y - BOX.top, x - BOX.left]).max() < 0.05


def test_the_meter_gives_the_colours_that_are_there(perceived: Perceived) -> None:
    shot = perceived.example
    found = FaceLightMeter(FaceLooks()).lights(shot.frames[:9], shot.faces[:9])
    measured = look_at(shot.frames[4].image, shot.faces[4].landmarks.astype(np.float64)).colours[list(SKIN)]
    assert found[4] is not None
    assert np.abs(found[4].skin - measured).mean() < 0.02
    assert found[4].glasses == 0
    assert FaceLightMeter(FaceLooks()).lights(shot.frames[:2], [None, None]) == [None, None]


def test_blur_lowers_sharpness(perceived: Perceived) -> None:
    source = perceived.source("person_05")
    landmarks = source.face.landmarks.astype(np.float64)
    sharp, soft = (
        face_sharpness(image, landmarks) for image in (source.image, cv2.GaussianBlur(source.image, (0, 0), 2))
    )
    assert (soft < sharp).all()
    np.testing.assert_array_equal(face_sharpness(source.image, landmarks + 4000), 0)
