from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import pytest

from faceloom.perceive import Perception, perceive_image, similarity, still_weights
from faceloom.types import Image
from faceloom.weights import Store


@pytest.fixture(scope="module")
def perception(store: Store) -> Perception:
    return Perception(store)


def test_a_portrait_has_one_face_with_everything(portraits: Mapping[str, Image], perception: Perception) -> None:
    (face,) = perceive_image(portraits["person_01"], perception, embeddings=True)
    assert face.landmarks.shape == (478, 3)
    assert face.blendshapes.shape == (52,)
    assert face.pose.shape == (4, 4)
    assert face.confidence > 0.99
    assert face.track == 0
    assert face.embedding is not None
    assert face.embedding.shape == (128,)
    (plain,) = perceive_image(portraits["person_01"], perception)
    assert plain.embedding is None


def test_faces_of_all_sizes_largest_first(portraits: Mapping[str, Image], perception: Perception) -> None:
    canvas = np.full((720, 1280, 3), 100, np.uint8)
    places = {"person_02": (10, 10, 512), "person_03": (700, 300, 128), "person_04": (1000, 100, 64)}
    for name, (left, top, side) in places.items():
        picture = cv2.resize(portraits[name], (side, side), interpolation=cv2.INTER_AREA)
        canvas[top : top + side, left : left + side] = picture
    faces = perceive_image(canvas, perception)
    assert len(faces) == 3
    for face, (left, top, side) in zip(faces, places.values(), strict=True):
        middle = face.landmarks[:, :2].mean(axis=0)
        assert left < middle[0] < left + side
        assert top < middle[1] < top + side
        assert 0.4 * side < face.box.width < 0.8 * side


@pytest.mark.parametrize("trim", [0, 25, 50])
def test_a_face_that_fills_the_picture(portraits: Mapping[str, Image], perception: Perception, trim: int) -> None:
    (whole,) = perceive_image(portraits["person_05"], perception)
    box = whole.box.pad(-trim)
    (face,) = perceive_image(np.ascontiguousarray(portraits["person_05"][box.slices]), perception)
    moved = face.landmarks[:, :2] + (box.left, box.top)
    assert np.linalg.norm(moved - whole.landmarks[:, :2], axis=1).mean() < 0.04 * whole.box.width


def test_two_people_cheek_to_cheek_stay_two(portraits: Mapping[str, Image], perception: Perception) -> None:
    pair = np.concatenate([portraits["person_06"][:, 90:420], portraits["person_07"][:, 100:430]], axis=1)
    faces = perceive_image(np.ascontiguousarray(pair), perception, embeddings=True)
    assert len(faces) == 2
    one, other = (face.embedding for face in faces)
    assert one is not None
    assert other is not None
    assert similarity(one, other) < 0.5


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 2000), (2160, 3840)])
def test_no_face_gives_an_empty_list(perception: Perception, size: tuple[int, int]) -> None:
    assert perceive_image(np.full((*size, 3), 127, np.uint8), perception) == []


def test_networks_are_loaded_only_when_used(store: Store, portraits: Mapping[str, Image]) -> None:
    fresh = Perception(store)
    perceive_image(portraits["person_01"], fresh)
    assert {"detector", "landmarker", "yunet"} <= vars(fresh).keys()
    assert not {"embedder", "parser", "flow"} & vars(fresh).keys()


def test_weights_by_need() -> None:
    assert still_weights() == ("face_landmarker", "yunet")
    assert "sface" in still_weights(embeddings=True)
