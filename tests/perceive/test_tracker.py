"""The tracker's decisions, on scripted faces: no network runs here."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from faceloom.perceive.association import landmark_box
from faceloom.perceive.detector import Detection
from faceloom.perceive.landmarker import LandmarkResult
from faceloom.perceive.tracker import FaceTracker
from faceloom.types import Face, Frame, Image, Points

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "perceive" / "real_nets.npz")
SHAPE = GOLDEN["person_01.landmarks"].astype(np.float32)
SCENES = np.random.default_rng(5).integers(0, 256, (4, 6, 8, 3), np.uint8).repeat(120, 1).repeat(160, 2)
"""Four backgrounds, (720, 1280, 3)."""


@dataclass(frozen=True)
class Actor:
    """Someone at (x, y) with a face ``size`` pixels wide; ``covered`` hides them from every network."""

    look: int
    x: float
    y: float = 300.0
    size: float = 100.0
    covered: bool = False
    strange: float = 0.0
    """Share of another person's look in this one's."""

    @property
    def landmarks(self) -> np.ndarray:
        box = landmark_box(SHAPE)
        centre = (box[:2] + box[2:]) / 2
        points = (SHAPE - [*centre, 0]) * (self.size / (box[2] - box[0])) + [self.x, self.y, 0]
        return points.astype(np.float32)

    @property
    def embedding(self) -> np.ndarray:
        vector = np.zeros(128, np.float32)
        vector[self.look], vector[100] = 1 - self.strange, self.strange
        return vector / np.linalg.norm(vector)


@dataclass
class World:
    """Networks that see the actors now on the stage; the last actor stands in front."""

    stage: list[Actor] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    blind: bool = False

    detector = property(lambda self: self)
    landmarker = property(lambda self: self)
    embedder = property(lambda self: self)

    @property
    def yunet(self) -> World:
        self.calls["yunet"] = self.calls.get("yunet", 0) + 1
        return self

    def _count(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1

    def _nearest(self, points: Points) -> Actor | None:
        centre, side = points[:, :2].mean(axis=0), np.ptp(points[:, 0])
        seen = [actor for actor in self.stage if not actor.covered]
        near = [a for a in seen if np.linalg.norm(a.landmarks[:, :2].mean(axis=0) - centre) < 0.6 * side]
        return min(near, key=lambda a: float(np.linalg.norm(a.landmarks[:, :2].mean(axis=0) - centre)), default=None)

    def detect(self, image: Image) -> list[Detection]:
        self._count("detect")
        visible = [] if self.blind else [actor for actor in self.stage if not actor.covered]
        return [Detection(landmark_box(a.landmarks), a.landmarks[[468, 473], :2], 0.9) for a in visible]

    def from_detection(self, image: Image, detection: Detection) -> LandmarkResult | None:
        box = detection.box.reshape(2, 2)
        actor = self._nearest(np.vstack([box, box.mean(axis=0)]))
        return None if actor is None else LandmarkResult(actor.landmarks, 1.0)

    def from_landmarks(self, image: Image, landmarks: Points) -> LandmarkResult:
        actor = self._nearest(landmarks)
        if actor is None:
            return LandmarkResult(np.asarray(landmarks, np.float32), 0.01)
        return LandmarkResult(actor.landmarks, 1.0)

    def blendshapes(self, landmarks: Points, width: int, height: int) -> np.ndarray:
        return np.zeros(52, np.float32)

    def head_pose(self, landmarks: Points, width: int, height: int) -> np.ndarray:
        return np.eye(4)

    def embed(self, image: Image, landmarks: Points) -> np.ndarray:
        self._count("embed")
        actor = self._nearest(landmarks)
        assert actor is not None
        return actor.embedding


Scene = tuple[int, list[Actor]]


def play(scenes: list[Scene], tracker: FaceTracker, world: World) -> list[list[Face]]:
    """Show the tracker each scene: (background, actors)."""
    result = []
    start = tracker.counts.frames
    for index, (background, actors) in enumerate(scenes, start=start):
        world.stage = actors
        result.append(tracker.update(Frame(index, Fraction(index, 25), SCENES[background])))
    return result


def ids(result: list[list[Face]]) -> list[list[int]]:
    return [[face.track for face in faces] for faces in result]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def tracker(world: World) -> FaceTracker:
    return FaceTracker(world)


def walk(look: int, start: float, speed: float, frames: int) -> list[Actor]:
    return [Actor(look, start + speed * index) for index in range(frames)]


def test_one_walking_face_is_one_track_with_few_searches(world: World, tracker: FaceTracker) -> None:
    result = play([(0, [actor]) for actor in walk(0, 200, 8, 100)], tracker, world)
    assert ids(result) == [[1]] * 100
    (track,) = tracker.tracks()
    assert (track.id, track.frames, track.first, track.last) == (1, 100, 0, Fraction(99, 25))
    assert track.mean_size == pytest.approx(np.ptp(result[0][0].landmarks[:, :2], axis=0).mean(), rel=1e-3)
    assert tracker.counts.searches == 7
    assert tracker.counts.embeddings == world.calls["embed"] <= 5
    assert tracker.counts.frames_without_face == 0


def test_fast_motion_is_followed_by_its_velocity(world: World, tracker: FaceTracker) -> None:
    course = [300 + 0.9 * index**2 for index in range(30)]  # up to half a face a frame
    result = play([(0, [Actor(0, x)]) for x in course], tracker, world)
    assert ids(result) == [[1]] * 30


def test_faces_are_numbered_from_the_largest(world: World, tracker: FaceTracker) -> None:
    actors = [Actor(0, 200, size=60), Actor(1, 600, size=150), Actor(2, 1000, size=90)]
    (faces,) = play([(0, actors)], tracker, world)
    assert [np.ptp(face.landmarks[:, 0]).round() for face in faces] == [150, 90, 60]
    assert [face.track for face in faces] == [1, 2, 3]


def test_most_faces_at_a_time(world: World) -> None:
    tracker = FaceTracker(world, max_faces=2)
    actors = [Actor(look, 150 + 300 * look, size=80 + 10 * look) for look in range(4)]
    result = play([(0, actors)] * 20, tracker, world)
    assert ids(result) == [[1, 2]] * 20
    assert result[-1][0].landmarks[:, 0].mean() > 1000


def test_a_lost_face_is_absent_and_comes_back_as_itself(world: World, tracker: FaceTracker) -> None:
    here, hidden = Actor(0, 400), Actor(0, 400, covered=True)
    result = play([(0, [here])] * 10 + [(0, [hidden])] * 40 + [(0, [Actor(0, 900)])] * 5, tracker, world)
    assert ids(result) == [[1]] * 10 + [[]] * 40 + [[1]] * 5
    assert tracker.counts.frames_without_face == 40


def test_someone_else_in_the_same_place_is_someone_else(world: World, tracker: FaceTracker) -> None:
    result = play([(0, [Actor(0, 400)])] * 10 + [(0, [])] * 3 + [(0, [Actor(1, 400)])] * 5, tracker, world)
    assert ids(result) == [[1]] * 10 + [[]] * 3 + [[2]] * 5


def test_cut_away_and_back_keeps_names(world: World, tracker: FaceTracker) -> None:
    one, two = [Actor(0, 300), Actor(1, 900)], [Actor(2, 300)]
    result = play([(0, one)] * 5 + [(1, two)] * 5 + [(2, [Actor(1, 300)])] * 5 + [(0, one)] * 5, tracker, world)
    assert ids(result) == [[1, 2]] * 5 + [[3]] * 5 + [[2]] * 5 + [[1, 2]] * 5
    assert tracker.counts.shots == 4
    assert [track.frames for track in tracker.tracks()] == [10, 15, 5]


def test_new_shot_is_announced(world: World, tracker: FaceTracker) -> None:
    announced = []
    for background in (0, 0, 1, 1):
        play([(background, [Actor(0, 300)])], tracker, world)
        announced.append(tracker.new_shot)
    assert announced == [True, False, True, False]


def test_unseen_replacement_is_noticed(world: World, tracker: FaceTracker) -> None:
    # A dissolve: no cut, no loss, but another person.
    result = play([(0, [Actor(0, 400)])] * 70 + [(0, [Actor(1, 400)])] * 80, tracker, world)
    assert ids(result)[:70] == [[1]] * 70
    assert ids(result)[-10:] == [[2]] * 10


def test_a_bad_look_for_a_while_does_not_rename(world: World, tracker: FaceTracker) -> None:
    grimace = Actor(0, 400, strange=0.85)  # cosine 0.17 to the usual look
    result = play([(0, [Actor(0, 400)])] * 30 + [(0, [grimace])] * 80 + [(0, [Actor(0, 400)])] * 30, tracker, world)
    assert ids(result) == [[1]] * 140


def test_crossing_faces_keep_their_names(world: World, tracker: FaceTracker) -> None:
    scenes: list[Scene] = []
    for index in range(80):
        behind, front = 200 + 10 * index, 1000 - 10 * index
        scenes.append((0, [Actor(0, behind, covered=abs(behind - front) < 90), Actor(1, front)]))
    result = play(scenes, tracker, world)
    first, last = result[0], result[-1]
    by_look = {face.track: face.landmarks[:, 0].mean() for face in last}
    start = {face.track: face.landmarks[:, 0].mean() for face in first}
    assert set(by_look) == set(start) == {1, 2}
    for track in (1, 2):  # who began on the left ends on the right
        assert (start[track] < 600) == (by_look[track] > 600)
    assert {track for faces in ids(result) for track in faces} == {1, 2}


def test_tracks_exchanged_in_a_meeting_are_exchanged_back(world: World, tracker: FaceTracker) -> None:
    # Both touch, and in one frame they change places, as a landmark network may see it.
    near = [(0, [Actor(0, 500), Actor(1, 590)])] * 5
    swapped = [(0, [Actor(1, 500), Actor(0, 590)])] * 2
    apart = [(0, [Actor(1, 500 - 15 * step), Actor(0, 590 + 15 * step)]) for step in range(1, 12)]
    result = play(near + swapped + apart, tracker, world)
    left = {face.landmarks[:, 0].mean() < 545: face.track for face in result[0]}
    end = {face.landmarks[:, 0].mean() < 545: face.track for face in result[-1]}
    assert end == {True: left[False], False: left[True]}


def test_two_tracks_on_one_face_become_one(world: World, tracker: FaceTracker) -> None:
    scenes: list[Scene] = [(0, [Actor(0, 400), Actor(1, 480)])] * 3
    scenes += [(0, [Actor(0, 420), Actor(1, 440, covered=True)])] * 10
    result = play(scenes, tracker, world)
    assert ids(result)[3:] == [[1]] * 10


def test_absurd_or_tiny_faces_are_not_reported(world: World, tracker: FaceTracker) -> None:
    assert ids(play([(0, [Actor(0, 400, size=10), Actor(1, 1400)])] * 5, tracker, world)) == [[]] * 5


def test_same_face_twice_in_the_picture_gets_two_names(world: World, tracker: FaceTracker) -> None:
    actors = [Actor(0, 300, size=200), Actor(0, 900, size=60)]
    result = play([(0, actors)] * 100 + [(1, [])] * 3 + [(0, actors)] * 5, tracker, world)
    assert ids(result) == [[1, 2]] * 100 + [[]] * 3 + [[1, 2]] * 5
    assert np.ptp(result[-1][0].landmarks[:, 0]) > 150


def test_new_faces_are_found_soon(world: World, tracker: FaceTracker) -> None:
    result = play([(0, [Actor(0, 300)])] * 20 + [(0, [Actor(0, 300), Actor(1, 900)])] * 20, tracker, world)
    assert ids(result)[35:] == [[1, 2]] * 5


def test_embedding_is_on_the_face_only_where_it_was_computed(world: World, tracker: FaceTracker) -> None:
    result = play([(0, [Actor(0, 300)])] * 10, tracker, world)
    assert [faces[0].embedding is not None for faces in result] == [index in (0, 5) for index in range(10)]


def test_memory_is_bounded(world: World) -> None:
    tracker = FaceTracker(world, capacity=5)
    scenes: list[Scene] = []
    for look in range(20):
        scenes += [(look % 2, [Actor(look, 400)])] * (6 if look == 0 else 2)
    result = play(scenes, tracker, world)
    assert max(ids(result)) == [20]
    tracks = tracker.tracks()
    assert len(tracks) == 5
    assert tracks[0].id == 1  # seen longest


def test_same_frames_give_the_same_result() -> None:
    scenes: list[Scene] = [
        (index // 30, [Actor(0, 200 + 9 * index), Actor(1, 1000 - 9 * index)]) for index in range(80)
    ]
    results = []
    for _ in range(2):
        world = World()
        results.append(play(scenes, FaceTracker(world), world))
    assert ids(results[0]) == ids(results[1])
    for one, two in zip(*results, strict=True):
        assert all(np.array_equal(a.landmarks, b.landmarks) for a, b in zip(one, two, strict=True))


def test_best_frame_is_the_largest_and_most_frontal(world: World, tracker: FaceTracker) -> None:
    play([(0, [Actor(0, 500, size=100 - abs(index - 12))]) for index in range(30)], tracker, world)
    assert tracker.tracks()[0].best_frame == 12


def test_bad_settings_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="max_faces"):
        FaceTracker(world, max_faces=0)
