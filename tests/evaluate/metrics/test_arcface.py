"""ArcFace with a model of one operation, written by hand in the ONNX format: the mean of each channel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceloom.errors import WeightsError
from faceloom.evaluate.arcface import ArcFace


def field(number: int, content: bytes | str | int) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    data = content.encode() if isinstance(content, str) else content
    assert len(data) < 1 << 14
    size = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
    return bytes([number << 3 | 2]) + size + data


def value(name: str, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(field(1, field(1, side)) for side in shape)
    tensor = field(1, 1) + field(2, dimensions)
    return field(1, name) + field(2, field(1, tensor))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    node = field(1, "x") + field(2, "y") + field(4, "GlobalAveragePool")
    graph = (
        field(1, node) + field(2, "g") + field(11, value("x", (1, 3, 112, 112))) + field(12, value("y", (1, 3, 1, 1)))
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)))
    return path


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
