"""Against MediaPipe 1.2.2 on the same pixels, in ``tests/data/perceive/real_nets.npz``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from faceloom.errors import WeightsError
from faceloom.perceive import BLENDSHAPES, FaceDetector, FaceLandmarker
from faceloom.perceive.litert import read_bundle
from faceloom.types import Image
from faceloom.weights import Store

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "perceive" / "real_nets.npz")
PEOPLE = [f"person_{number:02}" for number in range(1, 9)]


@pytest.fixture(scope="module")
def detector(store: Store) -> FaceDetector:
    return FaceDetector(store)


@pytest.fixture(scope="module")
def landmarker(store: Store) -> FaceLandmarker:
    return FaceLandmarker(store)


def landmarks_of(image: Image, detector: FaceDetector, landmarker: FaceLandmarker) -> np.ndarray:
    (detection,) = detector.detect(image)
    result = landmarker.from_detection(image, detection)
    assert result is not None
    return result.landmarks


@pytest.mark.parametrize("person", PEOPLE)
def test_landmarks_equal_the_reference(
    person: str, portraits: Mapping[str, Image], detector: FaceDetector, landmarker: FaceLandmarker
) -> None:
    landmarks = landmarks_of(portraits[person], detector, landmarker)
    assert landmarks.shape == (478, 3)
    assert landmarks.dtype == np.float32
    difference = landmarks - GOLDEN[f"{person}.landmarks"]
    assert np.linalg.norm(difference[:, :2], axis=1).mean() < 0.1
    assert np.linalg.norm(difference[:, :2], axis=1).max() < 0.5
    assert np.abs(difference[:, 2]).mean() < 0.2


@pytest.mark.parametrize("person", PEOPLE)
def test_blendshapes_equal_the_reference(
    person: str, portraits: Mapping[str, Image], detector: FaceDetector, landmarker: FaceLandmarker
) -> None:
    landmarks = landmarks_of(portraits[person], detector, landmarker)
    values = landmarker.blendshapes(landmarks, 512, 512)
    assert values.shape == (52,)
    assert values.dtype == np.float32
    assert np.abs(values - GOLDEN[f"{person}.blendshapes"]).max() < 0.02
    exact = landmarker.blendshapes(GOLDEN[f"{person}.landmarks"], 512, 512)
    assert np.abs(exact - GOLDEN[f"{person}.blendshapes"]).max() < 1e-4


def test_blendshape_names_are_in_the_order_of_the_reference() -> None:
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    assert (BLENDSHAPES[0], BLENDSHAPES[9], BLENDSHAPES[25], BLENDSHAPES[51]) == (
        "_neutral",
        "eyeBlinkLeft",
        "jawOpen",
        "noseSneerRight",
    )
    assert list(BLENDSHAPES[1:]) == sorted(BLENDSHAPES[1:])


@pytest.mark.parametrize("person", PEOPLE)
def test_head_pose_equals_the_reference(
    person: str, portraits: Mapping[str, Image], detector: FaceDetector, landmarker: FaceLandmarker
) -> None:
    landmarks = landmarks_of(portraits[person], detector, landmarker)
    pose, expected = landmarker.head_pose(landmarks, 512, 512), GOLDEN[f"{person}.pose"].astype(np.float64)
    assert pose.shape == (4, 4)
    assert pose.dtype == np.float64
    assert rotation_between(pose, expected) < 0.2
    assert np.linalg.norm(pose[:3, 3] - expected[:3, 3]) < 0.005 * np.linalg.norm(expected[:3, 3])
    exact = landmarker.head_pose(GOLDEN[f"{person}.landmarks"], 512, 512)
    np.testing.assert_allclose(exact, expected, atol=2e-4)


def rotation_between(one: np.ndarray, other: np.ndarray) -> float:
    """Angle between the rotations of two similarities in space, degrees."""
    a, b = (matrix[:3, :3] / np.cbrt(np.linalg.det(matrix[:3, :3])) for matrix in (one, other))
    return float(np.degrees(np.arccos(np.clip((np.trace(a @ b.T) - 1) / 2, -1, 1))))


def test_tracking_from_the_previous_frame_equals_the_reference(
    portraits: Mapping[str, Image], detector: FaceDetector, landmarker: FaceLandmarker
) -> None:
    # The reference tracked two faces side by side (no detection, no smoothing) while the picture was shifted.
    picture = np.concatenate([portraits["person_01"], portraits["person_02"]], axis=1)
    detections = sorted(detector.detect(picture), key=lambda detection: detection.box[0])
    assert len(detections) == 2
    for person, detection in zip(("person_01", "person_02"), detections, strict=True):
        first = landmarker.from_detection(picture, detection)
        assert first is not None
        landmarks = first.landmarks
        for number, shift in ((1, (4, 7)), (2, (12, -9))):
            result = landmarker.from_landmarks(np.roll(picture, shift, (0, 1)), landmarks)
            landmarks = result.landmarks
            expected = GOLDEN[f"tracked.{person}.{number}"]
            assert np.linalg.norm((landmarks - expected)[:, :2], axis=1).mean() < 0.15
            assert result.confidence > 0.99


def test_confidence_falls_where_there_is_no_face(portraits: Mapping[str, Image], landmarker: FaceLandmarker) -> None:
    landmarks = GOLDEN["person_01.landmarks"]
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    assert landmarker.from_landmarks(portraits["person_01"], landmarks).confidence > 0.99
    assert landmarker.from_landmarks(noise, landmarks).confidence < 0.1
    assert landmarker.from_landmarks(np.zeros_like(noise), landmarks).confidence < 0.1


def test_detection_without_a_face_gives_none(
    portraits: Mapping[str, Image], detector: FaceDetector, landmarker: FaceLandmarker
) -> None:
    (detection,) = detector.detect(portraits["person_01"])
    assert landmarker.from_detection(np.zeros((512, 512, 3), np.uint8), detection) is None


def test_a_second_call_does_not_change_the_first_result(
    portraits: Mapping[str, Image], detector: FaceDetector, landmarker: FaceLandmarker
) -> None:
    first = landmarks_of(portraits["person_01"], detector, landmarker)
    kept = first.copy()
    landmarks_of(portraits["person_02"], detector, landmarker)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(first, landmarks_of(portraits["person_01"], detector, landmarker))


def test_missing_weights_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="faceloom weights pull face_landmarker"):
        FaceLandmarker(Store(tmp_path))


def test_what_is_not_a_bundle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "not.task"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(WeightsError, match=r"not\.task is not a readable model bundle"):
        read_bundle(path)
