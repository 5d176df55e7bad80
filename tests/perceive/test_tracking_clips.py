"""Tracking and smoothing on real clips, in the folder ``videos`` of ``FACELOOM_MEDIA``."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from faceloom.media import open_clip
from faceloom.perceive import Perception
from faceloom.perceive.smooth import smooth_landmarks
from faceloom.perceive.tracker import FaceTracker
from faceloom.types import Frame
from faceloom.weights import Store

MEDIA = os.environ.get("FACELOOM_MEDIA")
CLIPS = sorted((Path(MEDIA) / "videos").glob("*.mp4")) if MEDIA else []
pytestmark = pytest.mark.skipif(not CLIPS, reason="FACELOOM_MEDIA is not set to a folder with videos/*.mp4")


@pytest.fixture(scope="module")
def perception(store: Store) -> Perception:
    return Perception(store)


def eye_opening(landmarks: np.ndarray) -> np.ndarray:
    """Mean opening of both eyes over their width, one number a frame."""
    pairs = ((159, 145, 33, 133), (386, 374, 263, 362))
    return np.mean([distance(landmarks, a, b) / distance(landmarks, c, d) for a, b, c, d in pairs], axis=0)


def mouth_opening(landmarks: np.ndarray) -> np.ndarray:
    """Gap between the inner lips over the distance of the pupils."""
    return distance(landmarks, 13, 14) / distance(landmarks, 468, 473)


def distance(landmarks: np.ndarray, one: int, two: int) -> np.ndarray:
    return np.linalg.norm(landmarks[:, one, :2] - landmarks[:, two, :2], axis=1)


def roughness(landmarks: np.ndarray) -> np.ndarray:
    """Root mean square of the second difference over the landmarks, one number a frame."""
    return np.sqrt((np.diff(landmarks[..., :2], 2, axis=0) ** 2).sum(axis=-1).mean(axis=-1))


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_one_person_is_one_track_and_smoothing_keeps_the_face_alive(path: Path, perception: Perception) -> None:
    tracker = FaceTracker(perception)
    with open_clip(path) as clip:
        faces = [tracker.update(frame) for frame in clip]
    assert tracker.counts.shots == 1
    assert tracker.tracks()[0].frames == len(faces) == tracker.counts.frames
    assert len(tracker.tracks()) <= 2  # some clips have a small picture in the corner
    raw = np.stack([found[0].landmarks for found in faces]).astype(np.float64)
    smooth = smooth_landmarks(raw, np.ones(len(raw), bool)).astype(np.float64)
    # Over all frames: choosing those in which the raw landmarks happen to be calm would favour the raw ones.
    assert np.median(roughness(smooth)) < 0.95 * np.median(roughness(raw))
    for opening, tolerance in ((eye_opening, 0.05), (mouth_opening, 0.03)):
        before, after = opening(raw), opening(smooth)
        span = max(np.ptp(before), 0.25)  # a closed mouth has no span to keep
        assert abs(after.min() - before.min()) < tolerance * span
        assert abs(after.max() - before.max()) < tolerance * span
        if np.ptp(before) > 0.1:
            assert np.corrcoef(before, after)[0, 1] > 0.99


@pytest.mark.skipif(len(CLIPS) < 2, reason="needs two clips")
def test_splicing_two_people_gives_two_tracks(perception: Perception) -> None:
    def cut(path: Path, start: int) -> list[Frame]:
        with open_clip(path) as clip:
            return list(islice(clip, start, start + 10))

    for one, two in zip(CLIPS, CLIPS[1:] + CLIPS[:1], strict=True):
        tracker = FaceTracker(perception, max_faces=1)
        spliced = cut(one, 0) + cut(two, 60) + cut(one, 120)
        names = [[face.track for face in tracker.update(frame)] for frame in spliced]
        assert names == [[1]] * 10 + [[2]] * 10 + [[1]] * 10, (one.stem, two.stem)
