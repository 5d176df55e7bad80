from __future__ import annotations

import cv2
import numpy as np
import pytest

from faceloom.geometry import glasses, masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale, part_box
from faceloom.types import Box, Part

WHOLE = Box(0, 0, 512, 512)


def with_glasses(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The portrait with a dark wire around each eye and across the bridge of the nose."""
    worn = image.copy()
    centres = [points[list(pair), :2].mean(axis=0) for pair in (t.RIGHT_EYE_CORNERS, t.LEFT_EYE_CORNERS)]
    radius = 0.36 * face_scale(points)
    for centre in centres:
        cv2.circle(worn, tuple(centre.round().astype(int)), round(radius), (25, 20, 20), 3, cv2.LINE_AA)
    inner = [(centres[0] + (radius, 0)).round().astype(int), (centres[1] - (radius, 0)).round().astype(int)]
    cv2.line(worn, tuple(inner[0]), tuple(inner[1]), (25, 20, 20), 4, cv2.LINE_AA)
    return worn


def test_a_line_stands_out_and_an_edge_does_not() -> None:
    image = np.full((80, 100, 3), 200, np.uint8)
    image[:, 60:] = 90
    image[:, 20:23] = (200, 50, 200)
    lines = glasses.thin_lines(image, 100.0)
    np.testing.assert_allclose(lines[40, 20:23], 150 / 255, atol=1e-6)
    assert not lines[:, 30:].any() and not lines[:, :18].any()
    assert not glasses.thin_lines(image, 5.0).any()


@pytest.mark.parametrize("person", [1, 2, 3, 4])
def test_the_bridge_tells_who_wears_glasses(person: int, portraits, landmarks) -> None:
    image, points = portraits[f"person_0{person}"], landmarks[person]
    assert glasses.bridge_contrast(image, points) < 0.08
    assert glasses.bridge_contrast(with_glasses(image, points), points) > 0.12


@pytest.mark.parametrize("person", [1, 3])
def test_rims_are_found_outside_the_eyes(person: int, portraits, landmarks) -> None:
    image, points = portraits[f"person_0{person}"], landmarks[person]
    worn = with_glasses(image, points)
    drawn = np.abs(worn.astype(int) - image).max(axis=2) > 60
    found = glasses.rims(worn, points, WHOLE)
    assert found.dtype == np.float32 and 0 <= float(found.min()) <= float(found.max()) <= 1
    for eye in (Part.LEFT_EYE, Part.RIGHT_EYE):
        assert found[masks.region_mask(eye, points, WHOLE) > 0.5].max() < 0.01
    rows, columns = np.nonzero(drawn)
    cheek = rows > points[list(t.LEFT_EYE_CORNERS), 1].mean()
    assert np.mean(found[rows[cheek], columns[cheek]] > 0.5) > 0.8


def test_rims_do_not_depend_on_the_box(portraits, landmarks) -> None:
    image = with_glasses(portraits["person_02"], landmarks[2])
    box = part_box(Part.LEFT_EYE, landmarks[2], 512, 512)
    inside = glasses.rims(image, landmarks[2], box)
    np.testing.assert_allclose(inside, glasses.rims(image, landmarks[2], WHOLE)[box.slices], atol=1e-5)
