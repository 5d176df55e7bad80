from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from faceloom.perceive import FaceDetector
from faceloom.perceive.detector import _anchors, _weighted_suppression, box_overlaps
from faceloom.types import Image
from faceloom.weights import Store


@pytest.fixture(scope="module")
def detector(store: Store) -> FaceDetector:
    return FaceDetector(store)


def test_finds_the_one_face_of_each_portrait(portraits: Mapping[str, Image], detector: FaceDetector) -> None:
    for name, image in portraits.items():
        (found,) = detector.detect(image)
        assert found.box.shape == (4,)
        assert found.keypoints.shape == (6, 2)
        assert 0.8 < found.score <= 1, name
        left, top, right, bottom = found.box
        assert 200 < right - left < 350
        right_eye, left_eye, nose, mouth, _, _ = found.keypoints
        assert left < right_eye[0] < nose[0] < left_eye[0] < right
        assert top < right_eye[1] < nose[1] < mouth[1] < bottom


def test_position_follows_the_picture(portraits: Mapping[str, Image], detector: FaceDetector) -> None:
    """Letterboxing, in both directions, is taken back."""
    (alone,) = detector.detect(portraits["person_01"])
    for rows, columns in ((0, 300), (300, 0)):
        canvas = np.zeros((512 + rows, 512 + columns, 3), np.uint8)
        canvas[rows:, columns:] = portraits["person_01"]
        (found,) = detector.detect(canvas)
        assert np.abs(found.box - alone.box - [columns, rows, columns, rows]).max() < 15
        assert np.abs(found.keypoints - alone.keypoints - [columns, rows]).max() < 15


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (512, 512)])
def test_nothing_in_an_empty_picture(detector: FaceDetector, size: tuple[int, int]) -> None:
    assert detector.detect(np.full((*size, 3), 128, np.uint8)) == []


def test_anchors_are_the_centres_of_two_grids() -> None:
    anchors = _anchors()
    assert anchors.shape == (896, 2)
    np.testing.assert_allclose(anchors[0], [1 / 32, 1 / 32])
    np.testing.assert_allclose(anchors[2], [3 / 32, 1 / 32])
    np.testing.assert_allclose(anchors[512], [1 / 16, 1 / 16])
    np.testing.assert_allclose(anchors[-1], [15 / 16, 15 / 16])


def test_overlaps_by_hand() -> None:
    box = np.array([[0, 0], [2, 2]], np.float32)
    others = np.array([[[0, 0], [2, 2]], [[1, 0], [3, 2]], [[5, 5], [6, 6]], [[1, 1], [1, 1]]], np.float32)
    np.testing.assert_allclose(box_overlaps(box, others), [1, 1 / 3, 0, 0])


def test_suppression_averages_by_score() -> None:
    def points(left: float) -> np.ndarray:
        return np.array([[left, 0], [left + 10, 10], *[[left, 5]] * 6], np.float32)

    stack = np.stack([points(0), points(2), points(50)])
    merged = _weighted_suppression(stack, np.array([0.6, 0.9, 0.7], np.float32), 0.5)
    assert [round(score, 3) for _, score in merged] == [0.9, 0.7]
    assert merged[0][0][0, 0] == pytest.approx((0.6 * 0 + 0.9 * 2) / 1.5)
    assert merged[1][0][0, 0] == 50
