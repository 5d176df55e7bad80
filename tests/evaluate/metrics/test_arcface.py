"""ArcFace with a model of one operation: the mean of each channel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.onnx import channel_means

from faceloom.errors import WeightsError
from faceloom.evaluate.arcface import ArcFace


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return channel_means(tmp_path / "model.onnx")


def test_the_face_is_aligned_normalised_and_the_vector_has_length_one(model: Path, shot) -> None:
    colour = np.tile(np.uint8([255, 127, 0]), (160, 160, 1))
    landmarks = shot.faces[0].landmarks.copy()
    landmarks[:, :2] = 80 + 0.3 * (landmarks[:, :2] - 80)  # far from the border, so that the crop is one colour
    vector = ArcFace(model).embed(cv2.copyMakeBorder(colour, 0, 0, 0, 0, cv2.BORDER_REPLICATE), landmarks)
    expected = np.array([127.5, -0.5, -127.5]) / 127.5
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-4)
    assert vector.dtype == np.float32


def test_alignment_follows_the_face(model: Path, shot) -> None:
    frame, landmarks = shot.frames[0], shot.faces[0].landmarks
    shifted = np.roll(frame, 4, axis=1)
    moved = landmarks + np.float32([4, 0, 0])
    net = ArcFace(model)
    same = net.embed(frame, landmarks) @ net.embed(shifted, moved)
    assert same == pytest.approx(1, abs=1e-3)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"model\.onnx"):
        ArcFace(path)
