from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceloom.perceive import YuNet
from faceloom.types import Image
from faceloom.weights import Store

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "perceive" / "real_nets.npz")


@pytest.fixture(scope="module")
def yunet(store: Store) -> YuNet:
    return YuNet(store)


@pytest.mark.parametrize("person", [f"person_{number:02}" for number in range(1, 9)])
def test_box_and_points_equal_the_reference(person: str, portraits: Mapping[str, Image], yunet: YuNet) -> None:
    (found,) = yunet.detect(portraits[person])
    left, top, width, height, *points = GOLDEN[f"{person}.yunet"][:14]
    np.testing.assert_allclose(found.box, [left, top, left + width, top + height], atol=0.05)
    np.testing.assert_allclose(found.keypoints, np.reshape(points, (5, 2)), atol=0.05)
    assert found.score == pytest.approx(GOLDEN[f"{person}.yunet"][14], abs=1e-3)


def test_large_pictures_are_reduced_and_mapped_back(portraits: Mapping[str, Image], store: Store) -> None:
    large = cv2.resize(portraits["person_01"], (2048, 2048))[97:]
    (found,) = YuNet(store, longest=512).detect(np.ascontiguousarray(large))
    left, top, width, height, *points = 4 * GOLDEN["person_01.yunet"][:14]
    expected = np.array([left, top - 97, left + width, top - 97 + height])
    assert np.abs(found.box - expected).max() < 60
    assert np.abs(found.keypoints - np.reshape(points, (5, 2)) - (-1.5, -98.5)).max() < 30


def test_many_small_faces(portraits: Mapping[str, Image], yunet: YuNet) -> None:
    small = [cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA) for image in portraits.values()]
    crowd = np.concatenate([np.concatenate(small[row * 4 :][:4], axis=1) for row in (0, 1)])
    found = yunet.detect(crowd)
    assert len(found) == 8
    cells = {(int(d.box[[0, 2]].mean() // 96), int(d.box[[1, 3]].mean() // 96)) for d in found}
    assert len(cells) == 8
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (3, 5), (64, 64)])
def test_nothing_in_an_empty_picture(yunet: YuNet, size: tuple[int, int]) -> None:
    assert yunet.detect(np.zeros((*size, 3), np.uint8)) == []
