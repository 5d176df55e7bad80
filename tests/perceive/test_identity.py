from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceloom.errors import FaceError
from faceloom.perceive import FaceEmbedder, YuNet, similarity
from faceloom.types import Image
from faceloom.weights import Store

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "perceive" / "real_nets.npz")
PEOPLE = [f"person_{number:02}" for number in range(1, 9)]


@pytest.fixture(scope="module")
def embedder(store: Store) -> FaceEmbedder:
    return FaceEmbedder(store)


@pytest.mark.parametrize("person", PEOPLE)
def test_vector_equals_the_reference(
    person: str, portraits: Mapping[str, Image], store: Store, embedder: FaceEmbedder
) -> None:
    (found,) = YuNet(store).detect(portraits[person])
    vector = embedder.embed(portraits[person], found.keypoints)
    assert vector.shape == (128,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    expected = GOLDEN[f"{person}.sface"]
    assert similarity(vector, expected / np.linalg.norm(expected)) > 0.999


def test_landmarks_serve_as_well_as_five_points(portraits: Mapping[str, Image], embedder: FaceEmbedder) -> None:
    for person in PEOPLE:
        expected = GOLDEN[f"{person}.sface"] / np.linalg.norm(GOLDEN[f"{person}.sface"])
        vector = embedder.embed(portraits[person], GOLDEN[f"{person}.landmarks"])
        assert similarity(vector, expected) > 0.9


def test_one_person_is_like_themselves_and_unlike_others(
    portraits: Mapping[str, Image], embedder: FaceEmbedder
) -> None:
    vectors = {person: embedder.embed(portraits[person], GOLDEN[f"{person}.landmarks"]) for person in PEOPLE}
    turn = cv2.getRotationMatrix2D((256, 256), 20, 0.6)
    for person in PEOPLE:
        moved = cv2.warpAffine(portraits[person], turn, (512, 512))
        points = GOLDEN[f"{person}.landmarks"][:, :2] @ turn[:, :2].T + turn[:, 2]
        vector = embedder.embed(moved, points)
        like = {other: similarity(vector, vectors[other]) for other in PEOPLE}
        own = like.pop(person)
        assert own > 0.9
        assert own - max(like.values()) > 0.3  # generated people look more alike than real ones


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((478, 3), np.nan), np.arange(8.0).reshape(4, 2)])
def test_points_that_are_no_face_are_refused(embedder: FaceEmbedder, points: np.ndarray) -> None:
    with pytest.raises(FaceError, match="define no face"):
        embedder.embed(np.zeros((64, 64, 3), np.uint8), points)
