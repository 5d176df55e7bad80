from __future__ import annotations

import cv2
import numpy as np
import pytest

from faceloom.evaluate.metrics.regions import cells, edit_region, part_view
from faceloom.evaluate.motion import outside_parts
from faceloom.geometry.similarity import transform
from faceloom.types import Attribute


@pytest.mark.parametrize("attribute", [Attribute.MOUTH, Attribute.EYES, Attribute.NOSE, Attribute.LEFT_EYEBROW])
def test_the_region_holds_the_part_and_not_the_landmarks_outside_it(shot, attribute: Attribute) -> None:
    landmarks = shot.faces[0].landmarks
    region = edit_region(attribute, landmarks, 160, 160)
    assert region.dtype == bool
    assert 0.002 < region.mean() < 0.25
    outside = landmarks[outside_parts(attribute.parts, landmarks, ring=0.23), :2]
    inside = outside[((outside >= 0) & (outside < 159)).all(axis=1)].round().astype(int)
    assert not region[inside[:, 1], inside[:, 0]].any()


def test_the_ring_widens_the_region(shot) -> None:
    sizes = [edit_region(Attribute.MOUTH, shot.faces[0].landmarks, 160, 160, ring).sum() for ring in (0, 0.1, 0.2, 0.4)]
    assert sizes == sorted(set(sizes))


def test_what_is_no_part_is_the_whole_face(shot) -> None:
    face = edit_region(Attribute.IDENTITY, shot.faces[0].landmarks, 160, 160)
    for attribute in (Attribute.MOUTH, Attribute.EYES, Attribute.NOSE):
        assert face[edit_region(attribute, shot.faces[0].landmarks, 160, 160)].mean() > 0.99


def test_a_view_shows_the_part_upright_in_the_middle(shot) -> None:
    face = shot.faces[0]
    view = part_view(shot.frames[0], face.landmarks, Attribute.MOUTH, 64)
    assert view.image.shape == (64, 64, 3)
    corners = transform(view.matrix, face.landmarks[[61, 291], :2])
    assert corners[0, 0] < 10 < 54 < corners[1, 0]
    rows, columns = np.nonzero(view.mask > 0.5)
    assert abs(rows.mean() - 31.5) < 6
    assert abs(columns.mean() - 31.5) < 6
    assert np.ptp(columns) == pytest.approx(64 / 1.15, abs=3)


def test_a_view_does_not_depend_on_roll_and_size(shot) -> None:
    frame, landmarks = shot.frames[0], shot.faces[0].landmarks
    matrix = cv2.getRotationMatrix2D((80, 80), 20, 1.5)
    turned = cv2.warpAffine(frame, matrix, (160, 160), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    moved = landmarks.copy()
    moved[:, :2] = transform(matrix, landmarks[:, :2])
    moved[:, 2] *= 1.5
    one = part_view(frame, landmarks, Attribute.NOSE, 48)
    other = part_view(turned, moved, Attribute.NOSE, 48)
    assert np.abs(one.image.astype(float) - other.image).mean() < 3
    assert np.abs(one.mask - other.mask).mean() < 0.02


def test_cells_are_means_of_luminance() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 16:] = 255
    found = cells(image, np.float64([[1, 0, 0], [0, 1, 0]]), 32, 4)
    np.testing.assert_allclose(found, np.tile([0, 0, 1, 1], (4, 1)), atol=1e-6)
