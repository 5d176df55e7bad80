from __future__ import annotations

import itertools

import numpy as np
import pytest

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import (
    core_matte,
    cover_outline,
    eye_openness,
    eye_opennesses,
    face_scale,
    mouth_openness,
    part_and_core_mattes,
    part_box,
    part_matte,
    visibility,
)
from faceloom.types import Box, Part

PAIRS = list(itertools.permutations((1, 2, 3, 4), 2))
HALF_GREY_LEVEL = 0.5 / 255


def turned(degrees: float, scale: float = 1.0) -> np.ndarray:
    """Head pose turned about the vertical axis: positive angles turn the nose to the subject's left (x right)."""
    a = np.radians(degrees)
    pose = np.eye(4)
    pose[:3, :3] = scale * np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    return pose


@pytest.mark.parametrize("part", list(Part))
@pytest.mark.parametrize("people", PAIRS)
def test_a_matte_has_vanished_at_the_border_of_its_box(part: Part, people, landmarks) -> None:
    target, reference = (landmarks[person] for person in people)
    box = part_box(part, target, 512, 512)
    matte = part_matte(part, target, reference, box)
    assert matte.shape == (box.height, box.width) and matte.dtype == np.float32
    assert matte.min() >= 0 and matte.max() > 0.99
    border = np.concatenate([matte[0], matte[-1], matte[:, 0], matte[:, -1]])
    assert border.max() < HALF_GREY_LEVEL
    beyond = part_matte(part, target, reference, Box(0, 0, 512, 512))
    beyond[box.slices] = 0
    assert beyond.max() < HALF_GREY_LEVEL


@pytest.mark.parametrize("part", list(Part))
def test_a_matte_is_exactly_zero_far_away_and_covers_the_part(part: Part, landmarks) -> None:
    whole = Box(0, 0, 512, 512)
    for points in landmarks.values():
        matte = part_matte(part, points, points, whole)
        inside = Box.around(cover_outline(part, points)).pad(round(0.4 * face_scale(points)))
        matte_far = matte.copy()
        matte_far[inside.clip(512, 512).slices] = 0
        assert not matte_far.any()
        core = masks.dilate(masks.region_mask(part, points, whole), -0.02 * face_scale(points))
        assert matte[core > 0.99].min() > 0.7


def test_a_matte_ends_at_the_silhouette(landmarks) -> None:
    # Squeeze the face's left half so that the left eye reaches over the outline of the face.
    points = landmarks[4].copy()
    points[list(t.FACE_OVAL), 0] = np.minimum(points[list(t.FACE_OVAL), 0], points[263, 0] - 10)
    box = part_box(Part.LEFT_EYE, points, 512, 512)
    matte = part_matte(Part.LEFT_EYE, points, None, box)
    edge = round(points[263, 0] - 10) - box.left
    assert matte[:, edge:].max() < 0.02 and part_matte(Part.LEFT_EYE, landmarks[4], None, box)[:, edge:].max() > 0.9


def test_the_matte_of_a_nose_covers_both_noses(landmarks) -> None:
    whole = Box(0, 0, 512, 512)
    wide = landmarks[2].copy()
    middle = wide[list(t.NOSE_RING), 0].mean()
    ring_only = [i for i in t.NOSE_RING if i not in t.NOSE_POINTS]  # not in the fit, so only the outline grows
    wide[ring_only, 0] += 12 * np.sign(wide[ring_only, 0] - middle)
    plain, both = (part_matte(Part.NOSE, landmarks[1], reference, whole) for reference in (None, wide))
    assert (both >= plain).all() and both.sum() > plain.sum() + 200


def test_boxes_are_clipped_to_the_frame_and_may_be_empty(landmarks) -> None:
    box = part_box(Part.MOUTH, landmarks[1], 512, 512)
    assert 0 < box.left < box.right < 512
    shifted = landmarks[1] - (box.left + 30, 0, 0)
    assert part_box(Part.MOUTH, shifted, 512, 512).left == 0
    assert part_box(Part.MOUTH, landmarks[1] - (2000, 0, 0), 512, 512).area == 0
    empty = part_box(Part.MOUTH, landmarks[1] + (0, 900, 0), 512, 512)
    assert part_matte(Part.MOUTH, landmarks[1], None, empty).size == 0


@pytest.mark.parametrize("part", list(Part))
def test_the_core_lies_inside_the_matte(part: Part, landmarks) -> None:
    whole = Box(0, 0, 512, 512)
    for points in landmarks.values():
        core, matte = core_matte(part, points, whole), part_matte(part, points, None, whole)
        assert core.max() > 0.99 and 0.1 < core.sum() / matte.sum() < 1.05
        assert matte[core > 0.95].min() > 0.3


def test_eyes_cover_their_lids_and_leave_the_eyebrow(landmarks) -> None:
    whole = Box(0, 0, 512, 512)
    for points in landmarks.values():
        for eye, brow in ((Part.LEFT_EYE, Part.LEFT_EYEBROW), (Part.RIGHT_EYE, Part.RIGHT_EYEBROW)):
            cover = masks.polygon_mask(cover_outline(eye, points), whole)
            assert (cover + 1e-5 >= masks.region_mask(eye, points, whole)).all()
            assert cover.sum() > 2 * masks.region_mask(eye, points, whole).sum()
            assert (cover * masks.region_mask(brow, points, whole)).sum() < 0.05 * cover.sum()


def test_the_scale_of_a_face_is_measured_in_space(landmarks) -> None:
    for points in landmarks.values():
        left, right = points[list(t.LEFT_EYE_CORNERS)].mean(axis=0), points[list(t.RIGHT_EYE_CORNERS)].mean(axis=0)
        assert face_scale(points) == pytest.approx(np.linalg.norm(left - right))
        assert face_scale(points * 3 + (7, 8, 9)) == pytest.approx(3 * face_scale(points))
        a = np.radians(50)
        yaw = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        assert face_scale(points @ yaw.T) == pytest.approx(face_scale(points))
    assert face_scale(np.zeros((478, 3))) > 0


@pytest.mark.parametrize("part", list(Part))
def test_all_parts_of_a_frontal_face_are_visible(part: Part, poses) -> None:
    assert visibility(part, np.eye(4)) == 1
    assert all(visibility(part, pose) == 1 for pose in poses.values())
    assert visibility(part, turned(180)) == 0


def test_visibility_by_hand() -> None:
    # The middle parts look straight ahead, so their angle is the head's: half-way from 45 to 70 degrees is 57.5.
    for part in (Part.MOUTH, Part.NOSE):
        for sign in (-1, 1):
            assert visibility(part, turned(sign * 45)) == pytest.approx(1)
            assert visibility(part, turned(sign * 57.5)) == pytest.approx(0.5, abs=1e-6)
            assert visibility(part, turned(sign * 70)) == pytest.approx(0, abs=1e-9)
    # An eye looks atan(0.45) = 24.23 degrees to its side. Turned by 33.27 towards that side it stands at 57.5; turned
    # back by as much it stands at 9.04; turned back by 24.23 + 57.5 it stands at 57.5 again.
    side = np.degrees(np.arctan(0.45))
    assert visibility(Part.LEFT_EYE, turned(57.5 - side)) == pytest.approx(0.5, abs=1e-6)
    assert visibility(Part.RIGHT_EYE, turned(57.5 - side)) == 1
    assert visibility(Part.LEFT_EYE, turned(-57.5 - side)) == pytest.approx(0.5, abs=1e-6)
    assert visibility(Part.RIGHT_EYE, turned(-(57.5 - side))) == pytest.approx(0.5, abs=1e-6)
    # Tipping the head 57.5 degrees forwards tips the mouth as much.
    a = np.radians(57.5)
    nod = np.eye(4)
    nod[1:3, 1:3] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
    assert visibility(Part.MOUTH, nod) == pytest.approx(0.5, abs=1e-6)


def test_visibility_ignores_the_size_of_the_head() -> None:
    for degrees in (20.0, 50.0, 60.0):
        expected = visibility(Part.RIGHT_EYEBROW, turned(degrees))
        assert visibility(Part.RIGHT_EYEBROW, turned(degrees, scale=7)) == pytest.approx(expected)


def eye_with(gap: float) -> np.ndarray:
    points = np.zeros((478, 3))
    for upper, lower in ((t.LEFT_UPPER_LID, t.LEFT_LOWER_LID), (t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID)):
        points[list(upper), 0] = points[list(lower), 0] = np.linspace(0, 40, 9)
        points[list(lower[1:-1]), 1] = gap
    return points


@pytest.mark.parametrize("part", [Part.LEFT_EYE, Part.RIGHT_EYE])
def test_eye_openness_by_hand(part: Part) -> None:
    assert eye_openness(part, eye_with(10)) == pytest.approx(0.25)
    assert eye_openness(part, eye_with(0)) == 0


def test_openness_of_real_faces(landmarks) -> None:
    for points in landmarks.values():
        for part in (Part.LEFT_EYE, Part.RIGHT_EYE):
            assert 0.15 < eye_openness(part, points) < 0.35
            assert eye_openness(part, points * 2.5) == pytest.approx(eye_openness(part, points))
    # Persons 1 to 4 all smile with teeth; person 3 shows most.
    openness = {person: mouth_openness(points) for person, points in landmarks.items()}
    assert max(openness, key=lambda person: openness[person]) == 3 and min(openness.values()) > 0.05


def test_a_mouth_pressed_shut_has_no_opening(landmarks) -> None:
    points = landmarks[1].copy()
    middle = (points[list(t.UPPER_LIP_INNER)] + points[list(t.LOWER_LIP_INNER)]) / 2
    points[list(t.UPPER_LIP_INNER)] = points[list(t.LOWER_LIP_INNER)] = middle
    assert mouth_openness(points) == pytest.approx(0)


@pytest.mark.parametrize("part", list(Part))
@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_matte_and_core_together_are_those_alone(part: Part, scale: float, landmarks) -> None:
    face, other = landmarks[1] * scale, landmarks[2]
    box = part_box(part, face, 512, 512)
    matte, core = part_and_core_mattes(part, face, other, box)
    np.testing.assert_allclose(matte, part_matte(part, face, other, box), atol=1e-6)
    np.testing.assert_allclose(core, core_matte(part, face, box), atol=1e-6)


@pytest.mark.parametrize("part", [Part.LEFT_EYE, Part.RIGHT_EYE])
def test_the_openness_of_many_faces_at_once(part: Part, landmarks) -> None:
    faces = np.stack([landmarks[1], landmarks[1] * (1.0, 0.5, 1.0), landmarks[2]])
    found = eye_opennesses(part, faces)
    np.testing.assert_allclose(found, [eye_openness(part, face) for face in faces])
    assert 0.45 * found[0] < found[1] < 0.65 * found[0]
