"""Areas of the face from landmarks of a real portrait."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from faceloom.methods.langbrt.prompts import Area, Side
from faceloom.methods.langbrt.regions import area_masks, region_of, side_mask
from faceloom.perceive import Perception, perceive_image
from faceloom.types import Box, Image
from faceloom.weights import Store

BOX = Box(0, 0, 512, 512)
# Landmarks in the middle of what they are named for.
INSIDE = {
    Area.FOREHEAD: (151, 9, 69, 299),
    Area.NOSE: (4, 195, 197),
    Area.CHIN: (199, 200),
    Area.EYES: (230, 450, 27, 257),
    Area.MOUTH: (0, 17, 61, 291),
    Area.CHEEKS: (50, 280, 205, 425, 213, 433),
}


@pytest.fixture(scope="module")
def landmarks(store: Store, portraits: Mapping[str, Image]) -> NDArray[np.float32]:
    return perceive_image(portraits["person_04"], Perception(store))[0].landmarks


def at(mask: NDArray[np.float32], point: NDArray[np.float32]) -> float:
    return float(mask[round(float(point[1])), round(float(point[0]))])


def test_landmarks_lie_in_their_areas(landmarks: NDArray[np.float32]) -> None:
    masks = area_masks(landmarks, BOX)
    for area, indices in INSIDE.items():
        assert all(at(masks[area], landmarks[index]) > 0.95 for index in indices), area


def test_areas_share_out_the_face(landmarks: NDArray[np.float32]) -> None:
    masks = area_masks(landmarks, BOX)
    assert set(masks) == set(Area)
    together = sum(mask for area, mask in masks.items() if area != Area.FACE)
    np.testing.assert_allclose(together, masks[Area.FACE], atol=1e-5)
    assert all(mask.min() >= 0 and mask.max() <= 1 and mask.dtype == np.float32 for mask in masks.values())


def test_sides_are_the_subjects(landmarks: NDArray[np.float32]) -> None:
    left, right = (side_mask(side, landmarks, BOX) for side in (Side.LEFT, Side.RIGHT))
    np.testing.assert_allclose(left + right, 1, atol=1e-6)
    assert at(left, landmarks[263]) == 1 and at(right, landmarks[33]) == 1
    cheek = region_of(Area.CHEEKS, Side.RIGHT, landmarks, BOX)
    assert at(cheek, landmarks[205]) > 0.95 and at(cheek, landmarks[425]) == 0
    assert side_mask(Side.BOTH, landmarks, BOX).min() == 1


def test_areas_move_with_the_face(landmarks: NDArray[np.float32]) -> None:
    larger = area_masks(landmarks[:, :2] * 2 + 0.5, Box(0, 0, 1024, 1024))
    for area, mask in area_masks(landmarks, BOX).items():
        reduced = larger[area].reshape(512, 2, 512, 2).mean((1, 3))
        assert np.abs(reduced - mask).mean() < 0.003, area
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = (landmarks[:, :2] - 256) @ turn.T + 256
    masks = area_masks(turned, BOX)
    for area, indices in INSIDE.items():
        assert all(at(masks[area], turned[index]) > 0.9 for index in indices), area
