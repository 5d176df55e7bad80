from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.methods.unifacegan.skin_motion import SkinMotion

PERSON = "person_05"


@pytest.fixture(scope="module")
def face(perceived: Perceived) -> tuple[np.ndarray, np.ndarray]:
    source = perceived.source(PERSON)
    return source.image, source.face.landmarks.astype(np.float64)


def test_the_same_picture_needs_no_correction(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, landmarks = face
    assert np.abs(SkinMotion(image, landmarks).correction(image, landmarks)).max() < 0.02


@pytest.mark.parametrize("brightness", [1.0, 0.7])
def test_landmarks_that_slid_are_brought_back(face: tuple[np.ndarray, np.ndarray], brightness: float) -> None:
    """The head turned in the picture and got larger; all landmarks of the middle of the face err in the same way."""
    image, landmarks = face
    turn = cv2.getRotationMatrix2D((256, 256), 8, 1.1)
    moved = cv2.warpAffine(image, turn, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    true = landmarks[:, :2] @ turn[:, :2].T + turn[:, 2]
    slid = true.copy()
    # Points of the skull are those by which the pictures are laid on one another.
    free = np.setdiff1d(np.arange(478), t.RIGID_POINTS)
    slid[free] += 0.02 * face_scale(landmarks) * np.array([0.6, -0.8])
    seen = (moved * brightness).astype(np.uint8)
    found = slid + SkinMotion(image, landmarks).correction(seen, slid)
    cheeks = [50, 280, 205, 425, 187, 411]
    before, after = (np.linalg.norm((points - true)[cheeks], axis=1).mean() for points in (slid, found))
    assert after < 0.5 * before


def test_another_face_is_not_followed(face: tuple[np.ndarray, np.ndarray], perceived: Perceived) -> None:
    image, landmarks = face
    other = perceived.source("person_02")
    found = SkinMotion(image, landmarks).correction(other.image, other.face.landmarks)
    assert np.linalg.norm(found, axis=1).max() < 0.06 * face_scale(other.face.landmarks)
    blank = np.full_like(image, 128)
    np.testing.assert_allclose(SkinMotion(image, landmarks).correction(blank, landmarks), 0, atol=1e-6)
