from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.methods import face_look
from faceloom.methods.face_look import FaceLooks, look_at
from faceloom.types import Frame

CHEEK, LIP = 205, 17


def test_colours_are_those_of_the_picture(perceived: Perceived) -> None:
    source = perceived.source("person_01")
    landmarks = source.face.landmarks.astype(np.float64)
    look = look_at(source.image, landmarks)
    assert look.colours.shape == (478, 3) and look.inside.shape == (478,)
    assert look.inside.all() and 0 <= look.colours.min() <= look.colours.max() <= 1
    for index in (CHEEK, LIP):
        x, y = landmarks[index, :2].round().astype(int)
        around = source.image[y - 3 : y + 4, x - 3 : x + 4].mean(axis=(0, 1)) / 255
        np.testing.assert_allclose(look.colours[index], around, atol=0.06)
    redness = look.colours[:, 0] / look.colours[:, 1]
    assert redness[LIP] > redness[CHEEK], "lips are redder than cheeks"


def test_what_is_outside_the_picture_is_told(perceived: Perceived) -> None:
    source = perceived.source("person_01")
    landmarks = source.face.landmarks.astype(np.float64)
    middle = round(landmarks[4, 0])
    look = look_at(np.ascontiguousarray(source.image[:, :middle]), landmarks)
    np.testing.assert_array_equal(look.inside, landmarks[:, 0] < middle)
    assert np.isfinite(look.colours).all()


def test_grain_does_not_change_a_look(perceived: Perceived) -> None:
    source = perceived.source("person_01")
    landmarks = source.face.landmarks.astype(np.float64)
    grain = np.random.default_rng(5).normal(0, 8, source.image.shape)
    grainy = (source.image + grain).clip(0, 255).astype(np.uint8)
    difference = look_at(grainy, landmarks).colours - look_at(source.image, landmarks).colours
    assert np.abs(difference).mean() < 0.004


def test_glasses_show_on_the_bridge(perceived: Perceived) -> None:
    source = perceived.source("person_01")
    landmarks = source.face.landmarks.astype(np.float64)
    worn = source.image.copy()
    ends = landmarks[[t.RIGHT_EYE_CORNERS[1], t.LEFT_EYE_CORNERS[1]], :2].round().astype(int)
    cv2.line(
        worn, tuple(map(int, ends[0])), tuple(map(int, ends[1])), (20, 20, 20), round(0.03 * face_scale(landmarks))
    )
    assert look_at(source.image, landmarks).bridge < 0.08 < 0.12 < look_at(worn, landmarks).bridge


def test_each_face_is_looked_at_once_per_frame(perceived: Perceived, monkeypatch: pytest.MonkeyPatch) -> None:
    source = perceived.source("person_01")
    calls = []
    monkeypatch.setattr(face_look, "look_at", lambda image, points: calls.append(1) or look_at(image, points))
    looks, frame = FaceLooks(), Frame(5, Fraction(1, 5), source.image)
    first = looks.of(frame, source.face)
    assert looks.of(frame, source.face) is first
    assert looks.of(frame, replace(source.face, track=9)) is not first
    assert len(calls) == 2
    looks.forget_before(6)
    assert looks.of(frame, source.face) is not first
    assert len(calls) == 3
