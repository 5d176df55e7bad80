"""Faces that are small, cut off, turned away or behind glasses."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.multiband import CLOSED, CORAL, EVERYTHING, GREEN_EYED, SMILING, WHOLE, change, still
from support.perceived import Perceived, edited, patches, repainted, touched_by

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.types import Attribute, Face, Frame, Image, Part, Source


def scaled(source: Source, factor: float, shift: tuple[float, float] = (0, 0)) -> tuple[Image, Face]:
    """The picture made smaller and moved, in a frame of the same size, with its face."""
    matrix = np.array([[factor, 0, shift[0]], [0, factor, shift[1]]], np.float64)
    picture = cv2.warpAffine(source.image, matrix, (512, 512), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    landmarks = source.face.landmarks * np.float32(factor) + np.float32([*shift, 0])
    return picture, replace(source.face, landmarks=landmarks)


def turned(face: Face, degrees: float) -> Face:
    """The face with a head pose turned about the vertical axis."""
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[[0, 0, 2, 2], [0, 2, 0, 2]] = np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)
    return replace(face, pose=turn @ np.eye(4))


@pytest.mark.parametrize("factor", [0.6, 0.2, 0.08, 0.03, 0.01])
def test_small_faces(factor: float, perceived: Perceived) -> None:
    picture, face = scaled(perceived.source("person_01"), factor, (200, 150))
    take = {attribute: perceived.source(SMILING) for attribute in EVERYTHING}
    (after,) = edited(take, [still(picture)], [face])
    around = face.box.pad(6).slices
    rest = change(picture, after)
    rest[around] = 0
    assert not rest.any()
    assert factor < 0.1 or change(picture, after).any()


@pytest.mark.parametrize("shift", [(-260, 0), (250, 100), (0, -330), (60, 250), (-2000, 0), (300, 300)])
def test_faces_over_the_edge_of_the_frame(shift: tuple[float, float], perceived: Perceived) -> None:
    picture, face = scaled(perceived.source("person_01"), 1, shift)
    take = {attribute: perceived.source(CLOSED) for attribute in EVERYTHING}
    (after,) = edited(take, [still(picture)], [face])
    assert after.shape == picture.shape
    if shift[0] == -2000:
        np.testing.assert_array_equal(after, picture)


@pytest.mark.parametrize("size", [(40, 30), (3, 200), (1, 1)])
def test_frames_smaller_than_the_face(size: tuple[int, int], perceived: Perceived) -> None:
    source = perceived.source("person_01")
    corner = np.ascontiguousarray(source.image[300 : 300 + size[1], 240 : 240 + size[0]])
    face = replace(source.face, landmarks=source.face.landmarks - np.float32([240, 300, 0]))
    (after,) = edited(dict.fromkeys(EVERYTHING, source), [still(corner)], [face])
    assert after.shape == corner.shape


@pytest.mark.parametrize("degrees", [-80, 80])
def test_a_part_that_cannot_be_seen_is_left(degrees: float, perceived: Perceived) -> None:
    frame, face = perceived.example.frames[0], perceived.example.faces[0]
    take = {attribute: perceived.source(CLOSED) for attribute in (Attribute.MOUTH, Attribute.NOSE)}
    assert patches(take, [frame], [turned(face, degrees)]) == [[]]


def test_of_a_half_turned_face_the_near_eye_is_edited(perceived: Perceived) -> None:
    frame, face = perceived.example.frames[0], perceived.example.faces[0]
    for degrees, near, far in ((60, Part.RIGHT_EYE, Part.LEFT_EYE), (-60, Part.LEFT_EYE, Part.RIGHT_EYE)):
        (after,) = edited({Attribute.EYES: perceived.source(GREEN_EYED)}, [frame], [turned(face, degrees)])
        moved = change(frame.image, after)
        iris = {part: masks.region_mask(part, face.landmarks, WHOLE) > 0.5 for part in (near, far)}
        assert moved[iris[near]].mean() > 10 and not moved[iris[far]].any()


def test_doubtful_landmarks_place_nothing(perceived: Perceived) -> None:
    frame, face = perceived.example.frames[0], perceived.example.faces[0]
    take = {Attribute.MOUTH: perceived.source(CORAL)}
    assert patches(take, [frame], [replace(face, confidence=0.5)]) == [[]]
    full, half = (
        change(frame.image, edited(take, [frame], [replace(face, confidence=value)])[0]).sum() for value in (0.9, 0.65)
    )
    assert half == pytest.approx(0.5 * full, rel=0.05)


def test_nobody(perceived: Perceived) -> None:
    take = {Attribute.MOUTH: perceived.source(CORAL)}
    assert patches(take, perceived.example.frames[:3], [None, None, None]) == [[], [], []]


def with_glasses(frame: Frame, face: Face) -> tuple[Frame, np.ndarray]:
    """Dark wires around the eyes and over the bridge of the nose, and where they are."""
    landmarks, drawn = face.landmarks, np.zeros(frame.image.shape[:2], np.uint8)
    radius = 0.36 * face_scale(landmarks)
    centres = [landmarks[list(pair), :2].mean(axis=0) for pair in (t.RIGHT_EYE_CORNERS, t.LEFT_EYE_CORNERS)]
    for centre in centres:
        cv2.circle(drawn, tuple(map(int, centre.round())), round(radius), 1, 3)
    inner = [centres[0] + (radius, 0), centres[1] - (radius, 0)]
    cv2.line(drawn, *(tuple(map(int, end.round())) for end in inner), 1, 4)
    worn = frame.image.copy()
    worn[drawn > 0] = (25, 20, 20)
    return repainted(frame, worn), drawn > 0


@pytest.mark.parametrize("attribute", [Attribute.EYES, Attribute.EYEBROWS, Attribute.NOSE])
def test_rims_of_glasses_stay(attribute: Attribute, perceived: Perceived) -> None:
    shot = perceived.example
    pairs = [with_glasses(frame, face) for frame, face in zip(shot.frames[:12], shot.faces[:12], strict=True)]
    frames = [frame for frame, _ in pairs]
    take = {attribute: perceived.source(GREEN_EYED)}
    pictures, made = edited(take, frames, shot.faces[:12]), patches(take, frames, shot.faces[:12])
    lost = []
    for (frame, drawn), after, (patch,), face in zip(pairs, pictures, made, shot.faces[:12], strict=True):
        # Inside the eyes no rims are looked for.
        eyes_ = np.maximum(*(masks.region_mask(p, face.landmarks, WHOLE) for p in (Part.LEFT_EYE, Part.RIGHT_EYE)))
        rim = drawn & touched_by(patch) & (masks.dilate(eyes_, 12) == 0)
        beside = masks.dilate(drawn.astype(np.float32), 6) - masks.dilate(drawn.astype(np.float32), 3) > 0
        beside &= masks.dilate(rim.astype(np.float32), 8) > 0
        contrast = [float(image[beside].mean() - image[rim].mean()) for image in (frame.image, after)]
        lost.append(contrast[1] / contrast[0])
    assert np.mean(lost) > 0.8
