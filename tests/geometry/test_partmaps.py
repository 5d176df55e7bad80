from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from faceloom.errors import GeometryError
from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import eye_openness, face_scale, part_box, part_matte
from faceloom.geometry.partmaps import (
    Layer,
    eye_opening_matte,
    eye_trust,
    eye_trusts,
    mouth_opening_matte,
    part_layers,
)
from faceloom.types import Box, Part

PAIRS = list(itertools.permutations((1, 2, 3, 4), 2))
EYES = [Part.LEFT_EYE, Part.RIGHT_EYE]


def layers_of(part: Part, target: np.ndarray, reference: np.ndarray) -> tuple[list[Layer], Box]:
    box = part_box(part, target, 512, 512)
    return part_layers(part, target, reference, box), box


def at(field: np.ndarray, points: np.ndarray, box: Box) -> np.ndarray:
    """A field (H, W) or (H, W, 2) between the pixels of the box, at points of the frame."""
    xy = (points[:, :2] - (box.left, box.top)).astype(np.float32)
    return cv2.remap(field, xy[None, :, 0], xy[None, :, 1], cv2.INTER_LINEAR)[0]


def miss(layer: Layer, indices: tuple[int, ...], target: np.ndarray, reference: np.ndarray, box: Box) -> float:
    """Largest distance, in reference pixels, between where a target's landmark is looked up and its counterpart."""
    chosen = list(indices)
    return float(np.linalg.norm(at(layer.where, target[chosen], box) - reference[chosen, :2], axis=1).max())


def with_shut_eyes(points: np.ndarray, amount: float = 1.0) -> np.ndarray:
    shut = points.copy()
    for upper, lower in ((t.LEFT_UPPER_LID, t.LEFT_LOWER_LID), (t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID)):
        shut[list(upper)] += amount * (shut[list(lower)] - shut[list(upper)])
    return shut


def rotated(points: np.ndarray, degrees: float) -> np.ndarray:
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.column_stack([(points[:, :2] - 255.5) @ turn.T + 255.5, points[:, 2]])


def test_lip_lines_go_to_lip_lines(landmarks) -> None:
    lines = (t.UPPER_LIP_OUTER, t.LOWER_LIP_OUTER, t.UPPER_LIP_MIDDLE[3:-3], t.LOWER_LIP_MIDDLE[3:-3])
    for a, b in PAIRS:
        (layer,), box = layers_of(Part.MOUTH, landmarks[a], landmarks[b])
        for line in lines:
            assert miss(layer, line, landmarks[a], landmarks[b], box) < 1


@pytest.mark.parametrize("part", EYES)
def test_the_skin_around_the_lids_goes_to_the_same_skin(part: Part, landmarks) -> None:
    lines = (
        (t.LEFT_UPPER_LID_SKIN, t.LEFT_LOWER_LID_SKIN)
        if part == Part.LEFT_EYE
        else (t.RIGHT_UPPER_LID_SKIN, t.RIGHT_LOWER_LID_SKIN)
    )
    for a, b in PAIRS:
        (_, lids), box = layers_of(part, landmarks[a], landmarks[b])
        for line in lines:
            assert miss(lids, line[1:-1], landmarks[a], landmarks[b], box) < 1


@pytest.mark.parametrize("part", EYES)
def test_lid_lines_go_to_lid_lines(part: Part, landmarks) -> None:
    left = part == Part.LEFT_EYE
    for line in (t.LEFT_UPPER_LID, t.LEFT_LOWER_LID) if left else (t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID):
        for a, b in PAIRS:
            (_, lids), box = layers_of(part, landmarks[a], landmarks[b])
            assert miss(lids, line[2:-2], landmarks[a], landmarks[b], box) < 1


@pytest.mark.parametrize("part", [Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW])
def test_eyebrows_go_to_eyebrows(part: Part, landmarks) -> None:
    lines = (
        (t.LEFT_EYEBROW_UPPER, t.LEFT_EYEBROW_LOWER)
        if part == Part.LEFT_EYEBROW
        else (t.RIGHT_EYEBROW_UPPER, t.RIGHT_EYEBROW_LOWER)
    )
    for a, b in PAIRS:
        (layer,), box = layers_of(part, landmarks[a], landmarks[b])
        for line in lines:
            assert miss(layer, line, landmarks[a], landmarks[b], box) < 1


def test_a_nose_keeps_its_shape(landmarks) -> None:
    (layer,), _ = layers_of(Part.NOSE, landmarks[1], landmarks[2])
    across, down = np.diff(layer.where, axis=1)[5, 5], np.diff(layer.where, axis=0)[5, 5]
    assert abs(float(across @ down)) < 1e-3 and np.hypot(*across) == pytest.approx(np.hypot(*down), rel=1e-3)
    assert np.abs(np.diff(layer.where, axis=1) - across).max() < 1e-3


@pytest.mark.parametrize("part", list(Part))
def test_a_face_maps_onto_itself(part: Part, landmarks) -> None:
    layers, box = layers_of(part, landmarks[3], landmarks[3])
    here = np.stack(np.meshgrid(np.arange(box.left, box.right), np.arange(box.top, box.bottom)), axis=-1)
    for layer in layers:
        assert layer.where.dtype == np.float32 and layer.matte.shape == layer.where.shape[:2]
        assert np.abs(layer.where - here).max() < 5e-3


@pytest.mark.parametrize("part", list(Part))
def test_a_moved_and_enlarged_reference_is_looked_up_there(part: Part, landmarks) -> None:
    target = landmarks[1]
    (*_, top), _ = layers_of(part, target, landmarks[2])
    (*_, moved), _ = layers_of(part, target, landmarks[2] * 1.5 + (40, -20, 0))
    assert np.abs(moved.where - (top.where * 1.5 + (40, -20))).max() < 0.02


@pytest.mark.parametrize("part", [Part.MOUTH, *EYES])
@pytest.mark.parametrize("degrees", [45, 89, 91, 135, 180, 270])
def test_a_lying_or_upside_down_head_has_the_same_maps(part: Part, degrees: float, landmarks) -> None:
    target = rotated(landmarks[1], degrees)
    (*_, layer), box = layers_of(part, target, landmarks[3])
    lines = {
        Part.MOUTH: (t.UPPER_LIP_OUTER, t.LOWER_LIP_OUTER),
        Part.LEFT_EYE: (t.LEFT_UPPER_LID_SKIN, t.LEFT_LOWER_LID_SKIN),
        Part.RIGHT_EYE: (t.RIGHT_UPPER_LID_SKIN, t.RIGHT_LOWER_LID_SKIN),
    }[part]
    for line in lines:
        assert miss(layer, line[2:-2], target, landmarks[3], box) < 1


@pytest.mark.parametrize("part", [Part.MOUTH, *EYES])
@pytest.mark.parametrize("people", PAIRS)
def test_the_joined_map_is_continuous_beyond_the_corners(part: Part, people, landmarks) -> None:
    target, reference = (landmarks[person] for person in people)
    (*_, layer), box = layers_of(part, target, reference)
    corners = {
        Part.MOUTH: t.MOUTH_CORNERS, Part.LEFT_EYE: t.LEFT_EYE_CORNERS, Part.RIGHT_EYE: t.RIGHT_EYE_CORNERS,
    }[part]  # fmt: skip
    x = target[list(corners), 0]
    columns = np.arange(box.left, box.right)
    margin = 0.08 * face_scale(target)
    outside = (columns < x.min() - margin) | (columns > x.max() + margin)
    steps = np.linalg.norm(np.diff(layer.where, axis=0), axis=-1)[:, outside]
    assert steps.max() < 3.5


def test_the_opening_of_the_mouth_is_left_out(landmarks) -> None:
    for a, b in PAIRS:
        (layer,), box = layers_of(Part.MOUTH, landmarks[a], landmarks[b])
        inside = masks.region_mask(masks.Region.INNER_MOUTH, landmarks[a], box)
        assert layer.matte[masks.dilate(inside, -2) == 1].max() < 0.02
        red = np.concatenate(
            [landmarks[a][list(t.UPPER_LIP_MIDDLE[3:-3])], landmarks[a][list(t.LOWER_LIP_MIDDLE[3:-3])]]
        )
        assert at(layer.matte, red, box).min() > 0.9
        np.testing.assert_allclose(layer.matte, 1 - mouth_opening_matte(landmarks[a], box))


def test_the_line_of_closed_lips_is_left_out(landmarks) -> None:
    target = landmarks[2].copy()
    middle = (target[list(t.UPPER_LIP_INNER)] + target[list(t.LOWER_LIP_INNER)]) / 2
    target[list(t.UPPER_LIP_INNER)] = target[list(t.LOWER_LIP_INNER)] = middle
    (layer,), box = layers_of(Part.MOUTH, target, landmarks[1])
    assert at(layer.matte, middle[1:-1], box).max() < 0.25
    assert layer.matte.mean() > 0.95


def test_teeth_stay_as_the_mouth_opens_and_the_opening_grows_smoothly(landmarks) -> None:
    box = part_box(Part.MOUTH, landmarks[2], 512, 512)
    areas = []
    for amount in np.linspace(0, 1, 21):
        points = landmarks[2].copy()
        points[list(t.LOWER_LIP_INNER)] += (1 - amount) * (
            points[list(t.UPPER_LIP_INNER)] - points[list(t.LOWER_LIP_INNER)]
        )
        areas.append(float(mouth_opening_matte(points, box).sum()))
    assert (np.diff(areas) > 0).all() and np.diff(areas).max() < 0.12 * areas[-1]


@pytest.mark.parametrize("part", EYES)
def test_the_eyeball_goes_iris_to_iris(part: Part, landmarks) -> None:
    iris = t.LEFT_IRIS if part == Part.LEFT_EYE else t.RIGHT_IRIS
    for a, b in PAIRS:
        (ball, _), box = layers_of(part, landmarks[a], landmarks[b])
        assert not ball.skin
        assert miss(ball, iris[:1], landmarks[a], landmarks[b], box) < 0.02
        rim = np.linalg.norm(at(ball.where, landmarks[a][list(iris[1:])], box) - landmarks[b][iris[0], :2], axis=1)
        expected = np.linalg.norm(landmarks[b][list(iris[1:]), :2] - landmarks[b][iris[0], :2], axis=1).mean()
        assert rim.mean() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("part", EYES)
def test_gaze_is_the_targets(part: Part, landmarks) -> None:
    target = landmarks[4].copy()
    iris = list(t.LEFT_IRIS if part == Part.LEFT_EYE else t.RIGHT_IRIS)
    target[iris, 0] += 5
    (straight, _), _ = layers_of(part, landmarks[4], landmarks[3])
    (aside, _), _ = layers_of(part, target, landmarks[3])
    moved = aside.where - straight.where
    across = np.diff(straight.where, axis=1).mean(axis=(0, 1))
    np.testing.assert_allclose(moved, np.broadcast_to(-5 * across, moved.shape), atol=0.02)


@pytest.mark.parametrize("part", EYES)
def test_the_eyeball_shows_between_the_lids_only(part: Part, landmarks) -> None:
    for a, b in PAIRS:
        (ball, lids), box = layers_of(part, landmarks[a], landmarks[b])
        opening = eye_opening_matte(part, landmarks[a], box)
        assert (ball.matte <= opening + 1e-6).all() and ball.matte.sum() > 0.4 * opening.sum()
        centre = landmarks[a][[(t.LEFT_IRIS if part == Part.LEFT_EYE else t.RIGHT_IRIS)[0]]]
        assert at(ball.matte, centre, box)[0] > 0.95 and at(lids.matte, centre, box)[0] < 0.05
        assert (ball.matte + lids.matte).max() < 1 + 1e-5


@pytest.mark.parametrize("part", EYES)
@pytest.mark.parametrize("who", ["target", "reference"])
def test_a_shut_eye_shows_no_eyeball(part: Part, who: str, landmarks) -> None:
    for a, b in PAIRS:
        target, reference = landmarks[a], landmarks[b]
        shut = with_shut_eyes(target if who == "target" else reference)
        assert eye_openness(part, shut) < 0.06
        (ball, _), _ = layers_of(part, *((shut, reference) if who == "target" else (target, shut)))
        assert not ball.matte.any()


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_eye_without_width_is_refused(value: float, landmarks) -> None:
    points = landmarks[3].copy()
    points[[33, 133]] = points[33] + value
    with pytest.raises(GeometryError):
        part_layers(Part.RIGHT_EYE, points, landmarks[4], part_box(Part.RIGHT_EYE, landmarks[3], 512, 512))


def test_a_closing_eye_hides_the_eyeball_step_by_step(landmarks) -> None:
    seen = []
    for amount in np.linspace(0, 1, 31):
        (ball, _), _ = layers_of(Part.LEFT_EYE, with_shut_eyes(landmarks[3], amount), landmarks[4])
        seen.append(float(ball.matte.sum()))
    assert seen[-1] == 0 and (np.diff(seen) <= 1e-3).all() and -np.diff(seen).min() < 0.12 * seen[0]


def test_the_lid_gives_way_when_it_would_be_stretched(landmarks) -> None:
    box = part_box(Part.LEFT_EYE, landmarks[3], 512, 512)
    on_the_lid = with_shut_eyes(landmarks[3], 0.5)[[386]]
    shut = with_shut_eyes(landmarks[3])
    given = [part_layers(Part.LEFT_EYE, target, landmarks[3], box)[1].matte for target in (landmarks[3], shut)]
    below = shut[[253]]
    assert at(given[1], on_the_lid, box)[0] < 0.3 < 0.95 < at(given[0], below, box)[0]
    assert at(given[1], below, box)[0] > 0.9


def test_no_map_folds_where_it_is_shown(landmarks) -> None:
    for (a, b), part in itertools.product(PAIRS, Part):
        layers, box = layers_of(part, landmarks[a], landmarks[b])
        matte = part_matte(part, landmarks[a], landmarks[b], box)
        for layer in layers:
            across, down = (np.gradient(layer.where.astype(np.float64), axis=axis) for axis in (1, 0))
            jacobian = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
            # Under the soft edge of the mouth's opening the two lips' maps meet with a jump that is not seen.
            shown = (matte > 0.05) & (layer.matte > 0.3)
            assert jacobian[shown].min() > 0.05, (a, b, part)


@pytest.mark.parametrize("part", list(Part))
def test_faces_far_outside_and_boxes_of_no_pixels_are_no_error(part: Part, landmarks) -> None:
    for layer in part_layers(part, landmarks[1], landmarks[2], Box(10, 10, 10, 10)):
        assert layer.where.shape == (0, 0, 2) and layer.matte.shape == (0, 0)
    for layer in part_layers(part, landmarks[1] + (5000, 0, 0), landmarks[2], Box(0, 0, 20, 10)):
        assert layer.where.shape == (10, 20, 2) and np.isfinite(layer.where).all()


@pytest.mark.parametrize("part", EYES)
def test_the_trusts_of_many_faces_at_once(part: Part, landmarks) -> None:
    faces = [landmarks[1], with_shut_eyes(landmarks[1], 0.7), landmarks[2]]
    found = eye_trusts(part, np.stack(faces), landmarks[4])
    assert found == [eye_trust(part, face, landmarks[4]) for face in faces]
    assert found[0].lid > found[1].lid and found[0].ball > found[1].ball
