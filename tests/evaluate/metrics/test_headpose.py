from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'faceloom[torch]'")

from faceloom.errors import FaceError, WeightsError  # noqa: E402
from faceloom.evaluate.headpose import HeadPose, head_crop  # noqa: E402
from faceloom.evaluate.networks import Networks  # noqa: E402
from faceloom.evaluate.scoring import score_item  # noqa: E402
from faceloom.geometry import topology as t  # noqa: E402
from faceloom.nets.hopenet import HopeNet  # noqa: E402
from faceloom.perceive.morphable import keypoints_of_landmarks  # noqa: E402
from faceloom.weights import Store  # noqa: E402


@pytest.fixture
def places() -> np.ndarray:
    """(480, 640, 3): red is the column, green the row, halved."""
    columns, rows = np.meshgrid(np.arange(640) / 4, np.arange(480) / 2)
    return np.stack([columns, rows, np.zeros_like(rows)], axis=-1).round().astype(np.uint8)


def test_the_crop_is_the_authors_box_cut_to_a_square(places: np.ndarray, shot) -> None:
    landmarks = shot.faces[0].landmarks.copy()
    landmarks[:, :2] += (250, 150)
    jaw = landmarks[list(t.FACE_OVAL[8:29]), :2]
    assert {234, 152, 454} <= set(t.FACE_OVAL[8:29]), "the jaw runs from ear to ear"
    points = np.concatenate([keypoints_of_landmarks(landmarks), jaw])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    width, height = right - left, bottom - top
    # 0.4 of the width on either side, 0.4 of the height above and 0.12 below, as for AFLW2000.
    box = np.array([left - 0.4 * width, top - 0.4 * height, right + 0.4 * width, bottom + 0.12 * height])
    side, middle = min(box[2] - box[0], box[3] - box[1]), (box[:2] + box[2:]) / 2
    crop = head_crop(places, landmarks)
    assert crop.shape == (224, 224, 3)
    for row, column in ((2, 2), (2, 221), (111, 111), (221, 60)):
        x, y = middle + side * (np.array([column, row]) + 0.5 - 112) / 224
        assert crop[row, column, 0] == pytest.approx(x / 4, abs=1.2)
        assert crop[row, column, 1] == pytest.approx(y / 2, abs=1.2)


def test_the_crop_follows_the_face_and_is_black_beyond_the_picture(shot) -> None:
    frame, landmarks = shot.frames[0], shot.faces[0].landmarks
    moved = np.pad(frame, ((20, 0), (30, 0), (0, 0)))
    one, other = head_crop(frame, landmarks), head_crop(moved, landmarks + np.float32([30, 20, 0]))
    assert np.abs(one.astype(int) - other).mean() < 0.5
    aside = head_crop(frame, landmarks - np.float32([100, 0, 0]))
    assert not aside[:, :40].any() and aside[:, -40:].any()


def test_landmarks_in_one_place_are_no_head(shot) -> None:
    with pytest.raises(FaceError, match="no head"):
        head_crop(shot.frames[0], np.zeros((478, 3), np.float32))


def test_the_network_sees_normalised_colours(shot) -> None:
    seen = []

    class Eye(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dummy = torch.nn.Parameter(torch.zeros(1))

        def forward(self, image):
            seen.append(image)
            return torch.tensor([[1.0, 2.0, 3.0]])

    plain = np.tile(np.uint8([255, 0, 128]), (600, 600, 1))
    found = HeadPose(Eye()).angles(plain, shot.faces[0].landmarks + np.float32([200, 200, 0]))
    assert found.tolist() == [1, 2, 3] and seen[0].shape == (1, 3, 224, 224)
    colour = seen[0][0, :, 112, 112].tolist()
    assert colour == pytest.approx([(1 - 0.485) / 0.229, -0.456 / 0.224, (128 / 255 - 0.406) / 0.225], abs=1e-5)


def test_a_users_checkpoint_gives_the_metric(metric_store: Store, shot, tmp_path: Path) -> None:
    # One number each, seen as a whole tensor, so that the file is small: every angle is the middle of all bins.
    state = {name: torch.zeros(()).expand(value.shape) for name, value in HopeNet().state_dict().items()}
    state["fc_finetune.weight"] = torch.zeros(1).expand(3, 2051)
    path = tmp_path / "hopenet.pkl"
    torch.save(state, path)
    networks = Networks(metric_store, files={"hopenet": path})
    assert networks.head_pose().angles(shot.frames[0], shot.faces[0].landmarks).tolist() == pytest.approx([-1.5] * 3)
    found = score_item(shot.first(3).item(), networks, {"pose_hopenet"})
    assert found.values == {"pose_hopenet": 0} and found.about["pose_hopenet frames"] == "3"
    del state["layer2.0.conv1.weight"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"(?s)hopenet\.pkl does not fit HopeNet.*layer2\.0\.conv1"):
        Networks(metric_store, files={"hopenet": path}).head_pose()
