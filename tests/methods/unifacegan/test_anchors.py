from __future__ import annotations

import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.methods.unifacegan.anchors import CONTROLS, LIDS, Anchors, find_anchors
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.perceive.morphable import MorphableParameters

Placed = tuple[Anchors, MorphableParameters, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def placed(fitter: FaceFitter, perceived: Perceived) -> Placed:
    """Anchors, parameters, vertices and landmarks of a portrait with closed lips."""
    source = perceived.source("person_05")
    landmarks = source.face.landmarks.astype(np.float64)
    parameters = fitter.fit(source.image, landmarks)
    anchors = find_anchors(fitter.model, parameters, landmarks, fitter.deviation)
    return anchors, parameters, fitter.model.vertices(parameters), landmarks


def test_on_the_picture_they_were_found_in_they_give_its_landmarks(placed: Placed) -> None:
    anchors, parameters, vertices, landmarks = placed
    np.testing.assert_allclose(anchors.landmarks(vertices, parameters)[:, :2], landmarks[:, :2], atol=1e-3)


def test_what_landmarks_and_vertices_are_off_by_is_little(placed: Placed) -> None:
    anchors, _, vertices, landmarks = placed
    off = np.linalg.norm(vertices[anchors.vertices, :2] - landmarks[:, :2], axis=1)
    inner = list(LIDS + t.NOSE_POINTS + t.UPPER_LIP_OUTER)
    assert np.median(off[inner]) < 0.015 * face_scale(landmarks)


def test_a_pull_of_all_moves_everything_by_it(placed: Placed) -> None:
    anchors, _, vertices, _ = placed
    pulled = anchors.pulled(vertices, np.tile([3.0, -2.0], (len(CONTROLS), 1)))
    np.testing.assert_allclose(pulled - vertices, np.tile([3.0, -2.0, 0.0], (len(vertices), 1)), atol=0.05)


def test_landmarks_go_where_they_are_pulled(placed: Placed) -> None:
    anchors, parameters, vertices, landmarks = placed
    pull = 0.03 * face_scale(landmarks) * np.sin(landmarks[list(CONTROLS), :2] / 25)
    after = anchors.landmarks(anchors.pulled(vertices, pull), parameters)[list(CONTROLS), :2]
    missed = np.linalg.norm(after - landmarks[list(CONTROLS), :2] - pull, axis=1)
    assert np.median(missed) < 0.3


def test_the_lower_lip_does_not_drag_the_upper_one_along(placed: Placed) -> None:
    anchors, parameters, vertices, landmarks = placed
    pull = np.zeros((len(CONTROLS), 2))
    lower = [*t.LOWER_LIP_INNER[1:-1], *t.LOWER_LIP_MIDDLE[1:-1], *t.LOWER_LIP_OUTER[1:-1]]
    pull[np.isin(CONTROLS, lower), 1] = 12.0
    moved = anchors.landmarks(anchors.pulled(vertices, pull), parameters)[:, 1] - landmarks[:, 1]
    assert np.abs(moved[list(t.UPPER_LIP_INNER[2:-2])]).max() < 1.5
    assert moved[list(t.LOWER_LIP_INNER[2:-2])].min() > 9


def test_anchors_of_another_picture_of_the_face_give_its_landmarks(placed: Placed) -> None:
    anchors, parameters, vertices, landmarks = placed
    other = landmarks + np.random.default_rng(1).normal(0, 1, landmarks.shape)
    again = anchors.moved_to(vertices, parameters, other)
    np.testing.assert_allclose(again.landmarks(vertices, parameters)[:, :2], other[:, :2], atol=1e-3)
    np.testing.assert_array_equal(again.vertices, anchors.vertices)
