"""The tracker with the real networks, on portraits of synthetic people that are moved about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import cv2
import numpy as np
import pytest

from faceloom.perceive import Perception
from faceloom.perceive.tracker import FaceTracker
from faceloom.types import Face, Frame, Image
from faceloom.weights import Store


@pytest.fixture(scope="module")
def perception(store: Store) -> Perception:
    return Perception(store)


def track(frames: Sequence[Image], perception: Perception) -> tuple[list[list[Face]], FaceTracker]:
    tracker = FaceTracker(perception)
    pictures = (Frame(index, Fraction(index, 25), image) for index, image in enumerate(frames))
    return [tracker.update(frame) for frame in pictures], tracker


def ids(result: list[list[Face]]) -> list[list[int]]:
    return [[face.track for face in faces] for faces in result]


def swaying(portrait: Image, frames: int, phase: float = 0.0) -> list[Image]:
    """The head swings, tilts and comes nearer, 6 pixels a frame at most."""
    pictures = []
    for index in range(frames):
        angle = np.sin(index / 7 + phase)
        matrix = cv2.getRotationMatrix2D((256, 256), 12 * float(angle), 0.9 + 0.1 * float(angle))
        matrix[:, 2] += (40 * angle, 10 * angle)
        pictures.append(cv2.warpAffine(portrait, matrix, (512, 512), borderMode=cv2.BORDER_REFLECT))
    return pictures


def cut_out(portrait: Image, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The head of a portrait in a soft oval: picture and matte (side, side, 3 or 1)."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    matte = np.clip((1 - np.hypot(x / 0.8, y / 0.95)) * 8, 0, 1)[..., None]
    return cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32), matte


def scene(heads: Sequence[tuple[tuple[np.ndarray, np.ndarray], int, int]]) -> Image:
    """(400, 720, 3): cut-out heads with their top-left corners, the last one in front."""
    picture = np.full((400, 720, 3), 110, np.float32) + np.linspace(-30, 30, 720)[:, None]
    for (head, matte), x, y in heads:
        side = head.shape[0]
        left, right = max(0, x), min(720, x + side)
        if left < right:
            area = picture[y : y + side, left:right]
            part = slice(left - x, right - x)
            area += (head[:, part] - area) * matte[:, part]
    return picture.astype(np.uint8)


def test_cut_to_another_person_and_back(portraits: Mapping[str, Image], perception: Perception) -> None:
    one, two = portraits["person_01"], portraits["person_03"]
    frames = swaying(one, 12) + swaying(two, 12) + swaying(one, 12, 2.0)
    result, tracker = track(frames, perception)
    assert ids(result) == [[1]] * 12 + [[2]] * 12 + [[1]] * 12
    assert tracker.counts.shots == 3


def test_eight_people_are_eight_tracks(portraits: Mapping[str, Image], perception: Perception) -> None:
    people = [portraits[f"person_{number:02}"] for number in range(1, 9)]
    frames = [frame for phase in (0.0, 1.5) for portrait in people for frame in swaying(portrait, 4, phase)]
    result, _ = track(frames, perception)
    assert ids(result) == [[person] for _ in range(2) for person in range(1, 9) for _ in range(4)]


@pytest.mark.parametrize("pair", [("person_02", "person_05"), ("person_04", "person_07"), ("person_01", "person_06")])
def test_people_who_cross_keep_their_ids(
    pair: tuple[str, str], portraits: Mapping[str, Image], perception: Perception
) -> None:
    behind, front = cut_out(portraits[pair[0]], 240), cut_out(portraits[pair[1]], 225)
    frames = [scene([(behind, 20 + 9 * step, 80), (front, 460 - 9 * step, 90)]) for step in range(50)]
    result, _ = track(frames, perception)
    start = {face.track: face.landmarks[:, 0].mean() for face in result[0]}
    end = {face.track: face.landmarks[:, 0].mean() for face in result[-1]}
    assert set(start) == set(end) == {1, 2}
    for person in (1, 2):
        assert (start[person] < 360) == (end[person] > 360)


def test_leaving_the_picture_and_coming_back(portraits: Mapping[str, Image], perception: Perception) -> None:
    head = cut_out(portraits["person_05"], 240)
    course = [*range(300, 740, 20), *([740] * 10), *range(720, 300, -20)]
    result, tracker = track([scene([(head, x, 80)]) for x in course], perception)
    assert {track for faces in ids(result) for track in faces} == {1}
    assert ids(result)[0] == ids(result)[-1] == [1]
    empty = [index for index, faces in enumerate(result) if not faces]
    assert set(range(22, 32)) <= set(empty)
    assert tracker.counts.frames_without_face == len(empty)


def test_small_moving_face_is_followed(portraits: Mapping[str, Image], perception: Perception) -> None:
    head = cut_out(portraits["person_06"], 60)  # a face of about 36 pixels
    result, _ = track([scene([(head, 40 + 12 * step, 150 + step)]) for step in range(50)], perception)
    assert ids(result) == [[1]] * 50


def test_pictures_without_faces(perception: Perception) -> None:
    random = np.random.default_rng(1)
    noise = [cv2.resize(random.integers(0, 256, (9, 16, 3), np.uint8), (640, 360)) for _ in range(10)]
    result, tracker = track([*noise, np.zeros((1, 1, 3), np.uint8)], perception)
    assert ids(result) == [[]] * 11
    assert tracker.tracks() == []
    assert tracker.counts.frames_without_face == 11
