from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceloom.geometry import topology
from faceloom.perceive.smooth import SUPPORT, smooth_faces, smooth_landmarks
from faceloom.types import Face

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "perceive" / "real_nets.npz")
STILL = GOLDEN["person_01.landmarks"].astype(np.float64)  # inter-ocular distance 129 px
SEED = 11
JITTER = 0.15  # pixels, what the landmark network has at this size

UPPER_LIDS = list(topology.RIGHT_UPPER_LID[1:-1] + topology.LEFT_UPPER_LID[1:-1])
LOWER_LIP = list(topology.LOWER_LIP_OUTER[1:-1] + topology.LOWER_LIP_MIDDLE[1:-1] + topology.LOWER_LIP_INNER[1:-1])


def still(frames: int) -> np.ndarray:
    return np.repeat(STILL[None], frames, axis=0)


def jittered(landmarks: np.ndarray, deviation: float = JITTER, common: float = 0.0) -> np.ndarray:
    """White noise on each landmark, and noise that moves the whole face."""
    random = np.random.default_rng(SEED)
    noise = random.normal(0, deviation, landmarks.shape) + random.normal(0, common, (len(landmarks), 1, 3))
    return landmarks + noise


def smooth(landmarks: np.ndarray) -> np.ndarray:
    return smooth_landmarks(landmarks, np.ones(len(landmarks), bool)).astype(np.float64)


def roughness(landmarks: np.ndarray) -> float:
    return float(np.sqrt((np.diff(landmarks[..., :2], 2, axis=0) ** 2).mean()))


def opening(landmarks: np.ndarray, upper: int, lower: int) -> np.ndarray:
    return np.linalg.norm(landmarks[:, upper, :2] - landmarks[:, lower, :2], axis=1)


@pytest.mark.parametrize(("deviation", "common"), [(0.05, 0.0), (0.15, 0.0), (0.3, 0.0), (0.15, 0.07)])
def test_jitter_is_reduced_at_least_threefold(deviation: float, common: float) -> None:
    noisy = jittered(still(150), deviation, common)
    assert roughness(noisy) > 3.0 * roughness(smooth(noisy))


@pytest.mark.parametrize("closing", [(0.5,), (0.5, 1.0), (0.3, 0.8, 1.0, 1.0)])
@pytest.mark.parametrize("deviation", [0.0, JITTER])
def test_blink_keeps_its_depth(closing: tuple[float, ...], deviation: float) -> None:
    lids = np.zeros(60)
    course = np.array([*closing, 1.0, *closing[::-1]])
    lids[30 : 30 + len(course)] = course
    clip = still(60)
    eye_height = opening(clip[:1], 159, 145)[0]
    clip[:, UPPER_LIDS, 1] += 0.9 * eye_height * lids[:, None]
    wanted = opening(clip, 159, 145)
    result = opening(smooth(jittered(clip, deviation)), 159, 145)
    assert np.median(result) - result.min() >= 0.95 * (np.median(wanted) - wanted.min())
    assert result.argmin() in range(30, 30 + len(course))


def test_shallow_blink_keeps_its_depth() -> None:
    # The lids go by 8 % of the width of the eye in two frames, and back.
    clip = jittered(still(60))
    depth = 0.08 * np.linalg.norm(STILL[33, :2] - STILL[133, :2])
    for frame, share in ((30, 0.5), (31, 1.0), (32, 0.5)):
        clip[frame, UPPER_LIDS, 1] += share * depth
    lids = smooth(clip)[:, UPPER_LIDS, 1].mean(axis=1)
    assert lids[31] - np.median(lids) >= 0.9 * depth


def test_lip_closure_keeps_its_minimum() -> None:
    clip = still(60)
    mouth = 12.0 + 8.0 * np.sin(2 * np.pi * np.arange(60) / 12)
    mouth[28:31] = (6.0, 0.0, 6.0)
    base = STILL[13, 1] - STILL[LOWER_LIP, 1].min()
    clip[:, LOWER_LIP, 1] += mouth[:, None] + base
    wanted = opening(clip, 13, 14)
    result = opening(smooth(jittered(clip)), 13, 14)
    assert result.argmin() == wanted.argmin() == 29
    assert abs(result.min() - wanted.min()) < 0.05 * np.ptp(wanted)
    assert abs(result.max() - wanted.max()) < 0.05 * np.ptp(wanted)


def test_constant_velocity_has_no_lag() -> None:
    moving = still(40) + np.arange(40)[:, None, None] * np.array([3.3, -1.2, 0.4])
    assert np.abs(smooth(moving) - moving).max() < 0.02
    error = (smooth(jittered(moving)) - moving)[..., :2].mean(axis=(0, 1))
    assert np.abs(error).max() < 0.02


@pytest.mark.parametrize("amplitude", [5.0, 15.0])
@pytest.mark.parametrize("moving", [list(range(478)), LOWER_LIP], ids=["head", "lip"])
def test_motion_at_three_hertz_keeps_its_amplitude(amplitude: float, moving: list[int]) -> None:
    swing = np.sin(2 * np.pi * 3 * np.arange(125) / 25)
    clip = still(125)
    clip[:, moving, 1] += amplitude * swing[:, None]
    course = smooth(jittered(clip, 0.1))[:, moving, 1].mean(axis=1)
    gain = (course - course.mean()) @ swing / (swing @ swing) / amplitude
    assert 0.97 <= gain <= 1.03


def test_rotation_and_scaling_of_the_head_pass() -> None:
    angles, scales = np.linspace(-0.4, 0.4, 40), np.linspace(0.8, 1.25, 40)
    turn = scales[:, None, None] * np.stack(
        [np.stack([np.cos(angles), -np.sin(angles)], -1), np.stack([np.sin(angles), np.cos(angles)], -1)], -2
    )
    clip = still(40)
    clip[..., :2] = (clip[..., :2] - 256) @ turn.transpose(0, 2, 1) + 256
    assert np.abs(smooth(clip) - clip)[..., :2].max() < 0.05


def lively_clip(frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks with noise, head motion and speech, with gaps and a cut."""
    time = np.arange(frames)
    clip = jittered(still(frames))
    clip[..., 0] += (20 * np.sin(time / 9))[:, None]
    clip[:, LOWER_LIP, 1] += (6 * np.sin(time / 2))[:, None]
    valid = np.ones(frames, bool)
    valid[[0, 17, 18, 40]] = False
    return clip, valid, time == 29


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("length", [1, 2, 5, 16])
def test_windows_give_the_same_bits_as_the_clip(length: int, timed: bool) -> None:
    clip, valid, cuts = lively_clip(60)
    times = list(np.cumsum(np.random.default_rng(SEED).uniform(0.03, 0.05, 60))) if timed else None
    whole = smooth_landmarks(clip, valid, times, cuts)
    for start in range(0, 60, length):
        stop = min(60, start + length)
        low, high = max(0, start - SUPPORT), min(60, stop + SUPPORT)
        part = smooth_landmarks(clip[low:high], valid[low:high], times and times[low:high], cuts[low:high])
        assert np.array_equal(part[start - low : stop - low], whole[start:stop])


def test_gaps_and_cuts_are_never_mixed() -> None:
    clip, valid, cuts = lively_clip(60)
    whole = smooth_landmarks(clip, valid, cuts=cuts)
    parts = [slice(1, 17), slice(19, 29), slice(29, 40), slice(41, 60)]
    for part in parts:
        alone = smooth_landmarks(clip[part], valid[part])
        assert np.array_equal(alone, whole[part])
    assert np.array_equal(whole[~valid], clip[~valid].astype(np.float32))


def test_invalid_frames_may_hold_anything() -> None:
    clip, valid, _ = lively_clip(60)
    wild = clip.copy()
    wild[~valid] = np.nan
    assert np.array_equal(smooth_landmarks(wild, valid)[valid], smooth_landmarks(clip, valid)[valid])
    assert np.isnan(smooth_landmarks(wild, valid)[~valid]).all()


def test_given_noise_level_is_used() -> None:
    clip = jittered(still(60))
    assert roughness(smooth_landmarks(clip, np.ones(60, bool), noise=1e-6)) > 0.9 * roughness(clip)


def test_short_and_empty_clips() -> None:
    assert smooth_landmarks(np.zeros((0, 478, 3)), np.zeros(0, bool)).shape == (0, 478, 3)
    for frames in (1, 2, 3):
        clip = jittered(still(frames))
        np.testing.assert_allclose(smooth(clip), clip, atol=1e-3)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(T, 478, 3\)"):
        smooth_landmarks(np.zeros((5, 468, 3)), np.ones(5, bool))
    with pytest.raises(ValueError, match="valid"):
        smooth_landmarks(still(5), np.ones(4, bool))


def face(landmarks: np.ndarray, track: int = 1) -> Face:
    return Face(landmarks.astype(np.float32), np.zeros(52, np.float32), np.eye(4), 1.0, track)


def test_faces_keep_everything_but_their_landmarks() -> None:
    clip = jittered(still(20)).astype(np.float32)
    faces: list[Face | None] = [face(points) for points in clip]
    faces[9] = None
    result = smooth_faces(faces)
    valid = np.arange(20) != 9
    expected = smooth_landmarks(clip, valid)
    assert result[9] is None
    for index in np.flatnonzero(valid):
        before, after = faces[index], result[index]
        assert before is not None
        assert after is not None
        assert np.array_equal(after.landmarks, expected[index])
        assert after.blendshapes is before.blendshapes
    assert smooth_faces([None, None]) == [None, None]


def test_another_track_is_another_person() -> None:
    clip = jittered(still(20))
    faces = [face(points, 1 if index < 10 else 2) for index, points in enumerate(clip)]
    result = smooth_faces(faces)
    alone = smooth_faces(faces[:10]) + smooth_faces(faces[10:])
    for one, two in zip(result, alone, strict=True):
        assert one is not None
        assert two is not None
        assert np.array_equal(one.landmarks, two.landmarks)
