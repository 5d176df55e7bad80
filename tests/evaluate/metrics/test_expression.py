from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'faceloom[torch]'")

from faceloom.errors import FaceError, WeightsError  # noqa: E402
from faceloom.evaluate.expression import FaceExpression, alignment, face_crop  # noqa: E402
from faceloom.evaluate.networks import Networks  # noqa: E402
from faceloom.evaluate.scoring import score_item  # noqa: E402
from faceloom.geometry import topology as t  # noqa: E402
from faceloom.nets.deep3d import EXPRESSION, Deep3DFaceRecon  # noqa: E402
from faceloom.weights import Store  # noqa: E402

MEAN_FACE = np.array(
    [
        [-0.31148657, 0.29036078, 0.13377953],
        [0.30979887, 0.28972036, 0.13179526],
        [0.0032535, -0.04617932, 0.55244243],
        [-0.25216928, -0.38133916, 0.22405732],
        [0.2484662, -0.38128236, 0.22235769],
    ]
)
"""Five points of the mean face in decimetres: eyes, nose and mouth, those to the left of the picture first."""


def landmarks_at(points: np.ndarray) -> np.ndarray:
    """Landmarks whose five points these are; an eye is as wide as a tenth of the distance between them."""
    landmarks = np.zeros((478, 3), np.float32)
    half = 0.05 * (points[1] - points[0])
    for corners, eye in ((t.RIGHT_EYE_CORNERS, points[0]), (t.LEFT_EYE_CORNERS, points[1])):
        landmarks[list(corners), :2] = eye - half, eye + half
    landmarks[4, :2] = points[2]
    landmarks[list(t.MOUTH_CORNERS), :2] = points[3:]
    return landmarks


@pytest.mark.parametrize("angles", [(0, 0, 0), (25, -10, 5)])
def test_the_mean_face_comes_to_the_middle_at_102_pixels_a_decimetre(angles: tuple[float, ...]) -> None:
    turned = MEAN_FACE @ Rotation.from_euler("YXZ", angles, degrees=True).as_matrix().T
    points = np.array([300.0, 220.0]) + 170 * turned[:, :2] * [1, -1]
    matrix = alignment(landmarks_at(points))
    np.testing.assert_allclose(matrix @ [300, 220, 1], [112, 112], atol=1e-3)
    np.testing.assert_allclose(matrix[:, :2], 102 / 170 * np.eye(2), atol=1e-5)


@pytest.mark.parametrize("pixels", [60.0, 250.0])
def test_the_crop_shows_what_the_alignment_says(pixels: float) -> None:
    columns, rows = np.meshgrid(np.arange(800) / 4, np.arange(600) / 3)
    picture = np.stack([columns, rows, columns], axis=-1).round().astype(np.uint8)
    landmarks = landmarks_at(np.array([400.0, 310.0]) + pixels * MEAN_FACE[:, :2] * [1, -1])
    crop = face_crop(picture, landmarks)
    assert crop.shape == (224, 224, 3)
    for row, column in ((5, 5), (112, 112), (200, 40)):
        x, y = np.array([400.0, 310.0]) + (np.array([column, row]) - 112) * pixels / 102
        assert crop[row, column, 0] == pytest.approx(x / 4, abs=1.1)
        assert crop[row, column, 1] == pytest.approx(y / 3, abs=1.1)


def test_a_real_face_fills_the_crop(shot) -> None:
    matrix = alignment(shot.faces[0].landmarks)
    points = shot.faces[0].landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    eyes = points[[33, 133, 263, 362]].mean(axis=0)
    assert eyes == pytest.approx([112, 82], abs=12) and points[152, 1] == pytest.approx(190, abs=20)


def test_landmarks_in_one_place_are_no_face(shot) -> None:
    with pytest.raises(FaceError, match="no face to align"):
        face_crop(shot.frames[0], np.ones((478, 3), np.float32))


def test_the_expression_alone_is_taken_from_what_the_network_says(shot) -> None:
    torch.manual_seed(0)
    net = Deep3DFaceRecon(width=2, blocks=(1, 1, 1, 1)).eval()
    frame, landmarks = shot.frames[0], shot.faces[0].landmarks
    found = FaceExpression(net).coefficients(frame, landmarks)
    batch = torch.from_numpy(face_crop(frame, landmarks).transpose(2, 0, 1)[None] / np.float32(255))
    with torch.inference_mode():
        np.testing.assert_allclose(found, net(batch)[0, EXPRESSION].numpy(), atol=1e-6)
    assert found.shape == (64,)


def test_a_users_checkpoint_gives_the_metric(metric_store: Store, shot, tmp_path: Path) -> None:
    # One number each, seen as a whole tensor, so that the file is small.
    state = {name: torch.zeros(()).expand(value.shape) for name, value in Deep3DFaceRecon().state_dict().items()}
    state["final_layers.1.bias"] = torch.ones(1).expand(64)
    path = tmp_path / "epoch_20.pth"
    torch.save({"net_recon": state, "opt_00": {"state": {}}}, path)
    networks = Networks(metric_store, files={"deep3dfacerecon": path})
    found = networks.face_expression().coefficients(shot.frames[0], shot.faces[0].landmarks)
    np.testing.assert_array_equal(found, np.ones(64))
    assert score_item(shot.first(2).item(), networks, {"expression_deep3d"}).values == {"expression_deep3d": 0}
    torch.save({"opt_00": {"lr": 1.0}}, path)
    with pytest.raises(WeightsError, match=r"epoch_20\.pth: it holds no parameters"):
        Networks(metric_store, files={"deep3dfacerecon": path}).face_expression()
