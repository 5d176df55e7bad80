from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from support.footage import Picture

from faceloom.errors import FaceError
from faceloom.evaluate.benchmark.align import crop_at, smooth_alignment, to_crop
from faceloom.evaluate.benchmark.cutting import cut
from faceloom.geometry.similarity import face_crop
from faceloom.perceive import Perception, perceive_image
from faceloom.types import Crop, Face
from faceloom.weights import Store


@pytest.fixture(scope="module")
def face(portraits: Mapping[str, Picture], store: Store) -> Face:
    return perceive_image(portraits["person_01"], Perception(store, threads=1))[0]


def moved(face: Face, x: float) -> Face:
    return replace(face, landmarks=face.landmarks + np.array([x, 0, 0], np.float32))


def test_a_still_face_has_the_ffhq_crop_in_every_frame(face: Face) -> None:
    matrices = smooth_alignment([face] * 9, 128, 25)
    assert np.allclose(matrices, face_crop(face.landmarks, 128).matrix)


def test_steady_motion_is_followed_and_jitter_is_not(face: Face) -> None:
    steady = smooth_alignment([moved(face, 2.0 * i) for i in range(41)], 128, 25)
    centre = face.landmarks[4]
    places = [to_crop(moved(face, 2.0 * i).landmarks, crop_at(steady, i, 128))[4] for i in range(41)]
    assert np.allclose(places[12:29], to_crop(face.landmarks, face_crop(face.landmarks, 128))[4], atol=1e-3)
    jitter = np.random.default_rng(0).normal(0, 2, 41)
    shaken = smooth_alignment([moved(face, x) for x in jitter], 128, 25)
    shift = (shaken[:, :, :2] @ centre[:2] + shaken[:, :, 2])[:, 0]
    raw = np.array([face_crop(moved(face, x).landmarks, 128).matrix for x in jitter])
    assert np.std(shift) < 0.4 * np.std((raw[:, :, :2] @ centre[:2] + raw[:, :, 2])[:, 0])


def test_frames_without_a_face_lie_between_their_neighbours(face: Face) -> None:
    faces: list[Face | None] = [moved(face, 2.0 * i) for i in range(31)]
    whole = smooth_alignment(faces, 128, 25)
    faces[14:17] = [None] * 3
    assert np.allclose(smooth_alignment(faces, 128, 25), whole)


def test_nobody_at_all(face: Face) -> None:
    with pytest.raises(FaceError, match="no face"):
        smooth_alignment([None, None], 128, 25)


def test_a_whole_pixel_cut_is_exact_and_a_smaller_one_does_not_alias() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    crop = Crop(np.array([[1.0, 0, -20], [0, 1.0, -30]]), 64, 64)
    assert np.array_equal(cut(image, crop), image[30:94, 20:84])
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    quarter = Crop(np.array([[0.25, 0, -0.375], [0, 0.25, -0.375]]), 64, 64)
    assert cut(stripes, quarter)[8:-8, 8:-8].std() < 4


def test_beyond_the_border_the_edge_is_repeated() -> None:
    image = np.full((50, 50, 3), 90, np.uint8)
    crop = Crop(np.array([[1.0, 0, 25], [0, 1.0, 25]]), 100, 100)
    assert (cut(image, crop) == 90).all()
