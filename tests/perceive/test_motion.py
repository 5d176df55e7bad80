from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.perceived import BLINK, Perceived

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import eye_openness, face_scale, mouth_openness
from faceloom.perceive.motion import FOLLOW_SUPPORT, MotionMeter, follow_motion
from faceloom.types import Face, Image, Part

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "perceive" / "real_nets.npz")
STILL = GOLDEN["person_01.landmarks"].astype(np.float32)  # in a portrait of 512 x 512
SCALE = face_scale(STILL)
FRAMES = 40
ALL = np.ones(FRAMES, bool)


def face(landmarks: np.ndarray, track: int = 1) -> Face:
    return Face(landmarks.astype(np.float32), np.zeros(52, np.float32), np.eye(4), 1.0, track)


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    result = points.copy()
    result[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return result


def noise(deviation: float, *shape: int) -> np.ndarray:
    return np.random.default_rng(21).normal(0, deviation, shape).astype(np.float32)


def still(frames: int = FRAMES) -> np.ndarray:
    return np.repeat(STILL[None], frames, axis=0)


def no_motion(frames: int = FRAMES) -> np.ndarray:
    return np.zeros((frames, 478, 2), np.float32)


def moving_face() -> tuple[np.ndarray, np.ndarray]:
    """Landmarks of a face that wanders and nods, and their displacement from frame to frame."""
    time = np.arange(FRAMES)
    course = np.column_stack([30 * np.sin(time / 7), 12 * np.cos(time / 9)])
    landmarks = still()
    landmarks[..., :2] += course[:, None]
    landmarks[..., 1] += 0.02 * np.sin(time / 5)[:, None] * (STILL[:, 1] - STILL[:, 1].mean())
    motion = no_motion()
    motion[1:] = np.diff(landmarks[..., :2], axis=0)
    return landmarks, motion


def step_errors(landmarks: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Root mean squared difference between the landmarks' steps and the motion: (478,) pixels."""
    difference = np.diff(landmarks[..., :2].astype(np.float64), axis=0) - motion[1:]
    return np.sqrt((difference**2).mean(axis=(0, 2)))


def measure(first: Image, second: Image, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    meter = MotionMeter()
    assert meter.update(first, [face(before)]) == {}
    return meter.update(second, [face(after)])[1]


@pytest.mark.parametrize("person", ["person_01", "person_03"])
@pytest.mark.parametrize(
    "matrix",
    [
        np.array([[1, 0, 3.4], [0, 1, -2.2]]),
        np.array([[1, 0, 9.0], [0, 1, 6.0]]),
        np.array([[1.03, 0, -5], [0, 1.03, -5]]),
        cv2.getRotationMatrix2D((128, 128), 2, 1.0),
    ],
    ids=["little", "much", "nearer", "turned"],
)
def test_the_meter_finds_a_known_motion(person: str, matrix: np.ndarray, portraits: Mapping[str, Image]) -> None:
    first = cv2.resize(portraits[person], (256, 256), interpolation=cv2.INTER_AREA)
    second = cv2.warpAffine(first, matrix, (256, 256), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    before = GOLDEN[f"{person}.landmarks"] / 2
    after = moved(before, matrix)
    found = measure(first, second, before, after)
    assert found.shape == (478, 2) and found.dtype == np.float32
    error = np.linalg.norm(found - (after - before)[:, :2], axis=1)
    assert np.median(error) < 0.3 and np.quantile(error, 0.9) < 0.6


def test_a_large_face_is_measured_in_its_own_pixels(portraits: Mapping[str, Image]) -> None:
    """The flow of a large face is computed on a smaller picture, but told in pixels of the frame."""
    matrix = np.array([[1, 0, 8.0], [0, 1, -6.0]])
    second = cv2.warpAffine(portraits["person_01"], matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    found = measure(portraits["person_01"], second, STILL, moved(STILL, matrix))
    np.testing.assert_allclose(np.median(found, axis=0), [8, -6], atol=0.2)


def test_nothing_moves_in_a_still(portraits: Mapping[str, Image]) -> None:
    image = portraits["person_01"]
    assert np.abs(measure(image, image.copy(), STILL, STILL)).max() < 0.01


def test_each_track_has_its_own_motion(portraits: Mapping[str, Image]) -> None:
    image = portraits["person_01"]
    both, meter = np.hstack([image, image]), MotionMeter()
    there = STILL + np.float32([512, 0, 0])
    meter.update(both, [face(STILL, 3), face(there, 8)])
    after = np.hstack([np.roll(image, 4, axis=1), np.roll(image, -3, axis=0)])
    motion = meter.update(after, [face(STILL + np.float32([4, 0, 0]), 3), face(there - np.float32([0, 3, 0]), 8)])
    assert motion.keys() == {3, 8}
    np.testing.assert_allclose(np.median(motion[3], axis=0), [4, 0], atol=0.1)
    np.testing.assert_allclose(np.median(motion[8], axis=0), [0, -3], atol=0.1)


def test_no_motion_without_the_frame_before(portraits: Mapping[str, Image]) -> None:
    image, meter = portraits["person_01"], MotionMeter()
    assert meter.update(image, [face(STILL)]) == {}
    assert meter.update(image, [face(STILL)], new_shot=True) == {}
    assert meter.update(image, [face(STILL, 2)]) == {}, "a track that was not there"
    assert meter.update(image[:500], [face(STILL, 2)]) == {}, "pictures of another size"
    assert meter.update(image[:500], [face(STILL, 1), face(STILL, 2)]).keys() == {2}
    assert meter.update(image[:500], []) == {}
    assert meter.update(image[:500], [face(STILL, 2)]) == {}, "it was away for a frame"


@pytest.mark.parametrize("size", [0.5, 6.0, 14.0])
def test_a_speck_or_a_face_outside_the_picture_does_not_move(size: float, portraits: Mapping[str, Image]) -> None:
    image, meter = portraits["person_01"], MotionMeter()
    speck = (STILL - STILL.mean(axis=0)) * np.float32(size / 512) + np.float32([5, 600, 0])
    meter.update(image, [face(speck)])
    motion = meter.update(np.roll(image, 5, axis=1), [face(speck)])[1]
    assert motion.shape == (478, 2) and not motion.any()


def test_a_still_face_stays_where_it_is() -> None:
    result = follow_motion(still(), ALL, no_motion())
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, still(), atol=1e-3)


def test_a_moving_face_without_jitter_stays_where_it_is() -> None:
    landmarks, motion = moving_face()
    np.testing.assert_allclose(follow_motion(landmarks, ALL, motion), landmarks, atol=2e-3)


@pytest.mark.parametrize("jitter", [0.15, 0.25])
def test_jittering_landmarks_move_as_the_skin_does(jitter: float) -> None:
    landmarks, motion = moving_face()
    noisy = landmarks.copy()
    noisy[..., :2] += noise(jitter, *motion.shape)
    result = follow_motion(noisy, ALL, motion)
    gain = step_errors(noisy, motion) / step_errors(result, motion)
    edges = sorted({*EYES_AND_IRISES, *t.UPPER_LIP_MIDDLE, *t.UPPER_LIP_INNER, *t.LOWER_LIP_MIDDLE, *t.LOWER_LIP_INNER})
    assert (np.delete(gain, edges) > 5).all()
    assert (gain[edges] > 1.8).all(), "lids and lips must close, and are held less tightly"
    assert np.abs(noisy - landmarks).mean() > 2.5 * np.abs(result - landmarks).mean(), "and are nearer to the truth"
    np.testing.assert_array_equal(result[..., 2], noisy[..., 2])


def test_place_is_the_landmarks_own_when_the_flow_drifts() -> None:
    """A flow that says a tenth of a pixel too much in every frame moves nothing."""
    result = follow_motion(still(), ALL, no_motion() + np.float32([0.1, -0.1]))
    assert np.abs(result - still())[FOLLOW_SUPPORT:-FOLLOW_SUPPORT].max() < 0.02


EYES_AND_IRISES = [*t.LEFT_EYE_RING, *t.RIGHT_EYE_RING, *t.LEFT_IRIS, *t.RIGHT_IRIS]
UPPER_LIDS = [*t.RIGHT_UPPER_LID[1:-1], *t.LEFT_UPPER_LID[1:-1]]
LOWER_LIDS = [*t.RIGHT_LOWER_LID[1:-1], *t.LEFT_LOWER_LID[1:-1]]
UPPER_LIP, LOWER_LIP = list(t.UPPER_LIP_INNER[1:-1]), list(t.LOWER_LIP_INNER[1:-1])


@pytest.mark.parametrize("jitter", [0.0, 0.15])
def test_a_blink_keeps_its_depth_though_the_flow_sees_nothing(jitter: float) -> None:
    course = np.zeros(FRAMES)
    course[18:24] = (0.5, 1, 1, 1, 0.6, 0.2)
    clip = still()
    clip[:, UPPER_LIDS, 1] += (0.1 * SCALE * course)[:, None]
    clip[..., :2] += noise(jitter, FRAMES, 478, 2)
    result = follow_motion(clip, ALL, no_motion())

    def opening(points: np.ndarray) -> np.ndarray:
        return (points[:, LOWER_LIDS, 1] - points[:, UPPER_LIDS, 1]).mean(axis=1)

    before, after = opening(clip), opening(result)
    assert np.median(after) - after.min() >= 0.9 * (np.median(before) - before.min())
    assert np.argmin(after) in (19, 20, 21)


def test_lips_close_in_the_frame_in_which_they_close() -> None:
    gap = np.full(FRAMES, 0.12)
    gap[15:22] = (0.08, 0.04, 0, 0, 0, 0.05, 0.1)
    clip = still()
    clip[:, UPPER_LIP, 1] = clip[:, UPPER_LIP, 1].mean()
    clip[:, LOWER_LIP, 1] = clip[:, UPPER_LIP, 1] + (SCALE * gap)[:, None]
    result = follow_motion(clip, ALL, no_motion())
    after = (result[:, LOWER_LIP, 1] - result[:, UPPER_LIP, 1]).mean(axis=1) / SCALE
    np.testing.assert_allclose(after[17:20], 0, atol=0.006)
    assert after.max() > 0.11


def test_frames_without_a_face_are_untouched_and_separate() -> None:
    clip = still()
    clip[20:, :, 0] += 1  # a pixel to the side after the gap: near enough to be mixed if nothing lay between
    valid = ALL.copy()
    valid[[4, 18, 19]] = False
    clip[~valid] = np.nan
    result = follow_motion(clip, valid, no_motion())
    np.testing.assert_array_equal(result[~valid], clip[~valid])
    np.testing.assert_allclose(result[valid], clip[valid], atol=1e-3)


def test_a_pause_in_time_separates() -> None:
    clip = still()
    clip[20:, :, 0] += 1
    times = np.arange(FRAMES) / 25
    mixed = follow_motion(clip, ALL, no_motion(), list(times))
    assert np.abs(mixed - clip)[18:22].max() > 0.1
    apart = follow_motion(clip, ALL, no_motion(), list(times + np.where(np.arange(FRAMES) < 20, 0, 5)))
    np.testing.assert_allclose(apart, clip, atol=1e-3)


def test_nobody_at_all() -> None:
    clip = np.full((5, 478, 3), np.nan, np.float32)
    np.testing.assert_array_equal(follow_motion(clip, np.zeros(5, bool), no_motion(5)), clip)


def test_unknown_motion_falls_back_to_the_landmarks_own_steps() -> None:
    landmarks, motion = moving_face()
    noisy = landmarks + noise(0.15, *landmarks.shape)
    unknown = np.full_like(motion, np.nan)
    result = follow_motion(noisy, ALL, unknown)
    np.testing.assert_allclose(result, noisy, atol=1e-3)
    motion[20] = np.nan
    partly = follow_motion(noisy, ALL, motion)
    assert np.isfinite(partly).all()
    np.testing.assert_allclose(partly[20] - partly[19], noisy[20] - noisy[19], atol=0.6)


@pytest.mark.parametrize(("start", "stop"), [(0, 12), (7, 8), (13, 25), (30, 40)])
def test_a_window_gives_the_same_bits_as_the_clip(start: int, stop: int) -> None:
    landmarks, motion = moving_face()
    noisy = landmarks + noise(0.2, *landmarks.shape)
    noisy[..., :2][14, 380:] += 9  # some landmarks jump
    motion[11] = np.nan
    valid = ALL.copy()
    valid[22] = False
    times = [index / 25 for index in range(FRAMES)]
    whole = follow_motion(noisy, valid, motion, times)
    low, high = max(0, start - FOLLOW_SUPPORT), min(FRAMES, stop + FOLLOW_SUPPORT)
    window = follow_motion(noisy[low:high], valid[low:high], motion[low:high], times[low:high])
    np.testing.assert_array_equal(window[start - low : stop - low], whole[start:stop])


class TestExampleClip:
    """Steadied as an edit has them: ``run.windows.scenes``."""

    def test_blinks_and_speech_stay(self, perceived: Perceived) -> None:
        measured, steady = perceived.example.measured, perceived.example.faces
        for part in (Part.LEFT_EYE, Part.RIGHT_EYE):
            before, after = ([eye_openness(part, one.landmarks) for one in faces] for faces in (measured, steady))
            depth = [np.median(signal) - min(signal[BLINK]) for signal in (before, after)]
            assert depth[1] == pytest.approx(depth[0], rel=0.1)
        before, after = ([mouth_openness(one.landmarks) for one in faces] for faces in (measured, steady))
        assert np.ptp(after) == pytest.approx(np.ptp(before), rel=0.1)
        assert min(after) < 0.005
        assert np.corrcoef(before, after)[0, 1] > 0.99

    def test_points_of_the_skull_are_steadier(self, perceived: Perceived) -> None:
        rough = []
        for faces in (perceived.example.measured, perceived.example.faces):
            points = np.stack([one.landmarks[list(t.RIGID_POINTS), :2] for one in faces]).astype(np.float64)
            rough.append(np.sqrt((np.diff(points, 2, axis=0) ** 2).mean()))
        assert rough[1] < 0.6 * rough[0]

    def test_steps_agree_with_the_flow(self, perceived: Perceived) -> None:
        shot = perceived.example
        motion = np.stack([no_motion(1)[0], *(item.motion[item.faces[0].track] for item in shot.seen[1:])])
        rigid = list(t.RIGID_POINTS)
        before, after = (
            step_errors(np.stack([one.landmarks for one in faces]), motion)[rigid].mean()
            for faces in (shot.measured, shot.faces)
        )
        assert after < 0.5 * before
