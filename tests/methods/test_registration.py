from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.multiband import CLOSED, CORAL, GREEN_EYED, SMILING, still
from support.perceived import Perceived, edited

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.methods import registration
from faceloom.methods.multiband import Multiband
from faceloom.methods.registration import Registrar, _Search
from faceloom.types import Attribute, Face, Image, Part, Source, Window

TURNED = np.array([[0.5, 0, 0.87, 0], [0, 1, 0, 0], [-0.87, 0, 0.5, 0], [0, 0, 0, 1.0]])
"""The pose of a head turned by 60 degrees."""
TINY = np.random.default_rng(2).uniform(0, 10, (478, 3)).astype(np.float32)


def moved(source: Source, x: float, y: float) -> Source:
    """The source with its landmarks off by so many inter-ocular distances."""
    landmarks = source.face.landmarks.copy()
    landmarks[:, :2] += np.float32(face_scale(landmarks)) * np.array([x, y], np.float32)
    return replace(source, face=replace(source.face, landmarks=landmarks))


def registered(attribute: Attribute, source: Source, image: Image, face: Face) -> list[np.ndarray]:
    """By how much each part's landmarks are moved, (478, 2) inter-ocular distances, to be placed on a face."""
    changes = []
    for job in Multiband().prepare({attribute: source}):
        (plan,) = job.plan(Window([still(image)], slice(0, 1), first=True), [face])
        assert plan is not None
        way = (plan.reference.landmarks - job.reference.landmarks)[:, :2]
        changes.append(way / face_scale(job.reference.landmarks))
    return changes


class TestSearch:
    START = np.random.default_rng(1).normal(size=(478, 3)) * 100

    def search(self, offset: tuple[float, float], follows: float, tries: int, part: Part = Part.NOSE) -> np.ndarray:
        """Remaining offsets of the nose where the network follows a part by a share of what it is moved."""
        search, scale = _Search(part, self.START), face_scale(self.START)
        true = self.START[:, :2] + scale * np.array(offset)
        for _ in range(tries):
            after = self.START.copy()
            after[:, :2] += follows * (true - search.tried[:, :2])
            search.learn(self.START, after)
        return (search.best[list(t.NOSE_POINTS), :2] - true[list(t.NOSE_POINTS)]) / scale

    @pytest.mark.parametrize(("tries", "left"), [(1, 0.02), (2, 0.004), (3, 0.004)])
    def test_a_network_that_follows_by_forty_per_cent(self, tries: int, left: float) -> None:
        """Moved by twice what is found, a try leaves a fifth; what the network finds of that is too little to go on."""
        np.testing.assert_allclose(np.abs(self.search((0.0, -0.02), 0.4, tries)[:, 1]), left, rtol=1e-6)

    def test_it_ends_when_the_part_is_in_its_place(self) -> None:
        search = _Search(Part.NOSE, self.START)
        search.learn(self.START, self.START + 0.003 * face_scale(self.START))
        assert not search.done
        search = _Search(Part.NOSE, self.START)
        search.learn(self.START, self.START + 0.002 * face_scale(self.START))
        assert search.done and search.best is self.START

    def test_a_step_that_leads_astray_is_undone(self) -> None:
        """A network that follows by 1.4 times is overshot by twice that; the next step is half as long."""
        search, scale = _Search(Part.NOSE, self.START), face_scale(self.START)
        for found in (0.01, -0.018):
            search.learn(self.START, self.START + found * scale)
        assert search.best is self.START
        np.testing.assert_allclose(search.tried[:, :2] - self.START[:, :2], 0.01 * scale, rtol=1e-9)

    @pytest.mark.parametrize(("part", "most"), [(Part.NOSE, 0.03), (Part.MOUTH, 0.03), (Part.LEFT_EYEBROW, 0.011)])
    def test_no_landmark_looked_for_goes_far(self, part: Part, most: float) -> None:
        search, scale = _Search(part, self.START), face_scale(self.START)
        for _ in range(3):
            found = self.START + np.random.default_rng(0).normal(size=(478, 3)) * 0.1 * scale
            search.learn(self.START, found)
        way = (search.tried - self.START)[registration._POINTS[part], :2]
        assert np.hypot(way[:, 0], way[:, 1]).max() <= most * scale * (1 + 1e-9)

    def test_turned_heads_are_turned_back(self) -> None:
        """What is missed to the right on a head lying on its side is missed downwards in an upright reference."""
        turned = self.START.copy()
        turned[:, 0], turned[:, 1] = -self.START[:, 1], self.START[:, 0]
        after = turned.copy()
        after[:, 0] -= 0.006 * face_scale(turned)
        search = _Search(Part.NOSE, self.START)
        search.learn(turned, after)
        way = (search.tried - self.START)[:, :2] / face_scale(self.START)
        np.testing.assert_allclose(way, np.broadcast_to([0, 0.012], way.shape), atol=1e-9)


@pytest.mark.parametrize("attribute", [Attribute.NOSE, Attribute.MOUTH, Attribute.EYEBROWS])
def test_wrong_landmarks_are_put_right(attribute: Attribute, perceived: Perceived) -> None:
    """The reference is the target itself, and all its landmarks lie too low."""
    source, off = perceived.source(CORAL), 0.012
    found = registered(attribute, moved(source, 0, off), source.image, source.face)
    for part, way in zip(attribute.parts, found, strict=True):
        left = way[registration._POINTS[part]] + (0, off)
        assert np.hypot(left[:, 0], left[:, 1]).mean() < 0.4 * off


@pytest.mark.parametrize("attribute", [Attribute.NOSE, Attribute.MOUTH, Attribute.EYEBROWS, Attribute.EYES])
@pytest.mark.parametrize("name", [CORAL, SMILING])
def test_right_landmarks_stay(name: str, attribute: Attribute, perceived: Perceived) -> None:
    source = perceived.source(name)
    for way in registered(attribute, source, source.image, source.face):
        np.testing.assert_array_equal(way, 0)


def test_eyes_are_never_moved(perceived: Perceived) -> None:
    target = perceived.source(CLOSED)
    for way in registered(Attribute.EYES, moved(perceived.source(GREEN_EYED), 0.02, 0), target.image, target.face):
        np.testing.assert_array_equal(way, 0)


@pytest.mark.parametrize("attribute", [Attribute.NOSE, Attribute.EYEBROWS])
def test_the_part_is_found_nearer_to_its_place(
    attribute: Attribute, perceived: Perceived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a clip, though it is registered in its first frame alone."""
    shot, take = perceived.example, {attribute: perceived.source(SMILING)}
    points = [index for part in attribute.parts for index in registration._POINTS[part]]
    find, missed = perceived.perception.landmarker.from_landmarks, []
    for most in (registration._MOST, {}):
        monkeypatch.setattr(registration, "_MOST", most)
        pictures = edited(take, shot.frames, shot.faces)
        found = [
            (find(after, face.landmarks).landmarks - find(frame.image, face.landmarks).landmarks)[points, :2]
            for frame, face, after in list(zip(shot.frames, shot.faces, pictures, strict=True))[::6]
        ]
        missed.append(np.linalg.norm(np.mean(found, axis=0), axis=1).mean())
    assert missed[0] < 0.7 * missed[1]


class TestWhen:
    @pytest.fixture
    def registrar(self, perceived: Perceived) -> Registrar:
        (job,) = Multiband().prepare({Attribute.NOSE: moved(perceived.source(CLOSED), 0, 0.012)})
        return Registrar(job.reference, perceived.perception)

    def ask(
        self, registrar: Registrar, perceived: Perceived, covered: float = 0.0, **changes: object
    ) -> tuple[bool, int]:
        """Whether a frame registers the part, and how often it was drawn for that."""
        source, drawn = perceived.source(CLOSED), []

        def draw(reference: object) -> Image:
            drawn.append(reference)
            return source.image

        face = replace(source.face, **changes)  # type: ignore[arg-type]
        return registrar.registered(source.image, face, covered, draw) is not registrar.reference, len(drawn)

    def test_once_for_each_person(self, registrar: Registrar, perceived: Perceived) -> None:
        assert self.ask(registrar, perceived) == (True, 1)
        assert self.ask(registrar, perceived) == (True, 0)
        assert self.ask(registrar, perceived, track=7) == (True, 1)
        registrar.forget(7)
        assert self.ask(registrar, perceived) == (True, 0)
        assert self.ask(registrar, perceived, track=7) == (True, 1)

    @pytest.mark.parametrize("changes", [{"confidence": 0.7}, {"pose": TURNED}, {"covered": 0.5}, {"landmarks": TINY}])
    def test_a_frame_that_shows_it_badly_is_passed_over(
        self, changes: dict[str, object], registrar: Registrar, perceived: Perceived
    ) -> None:
        assert self.ask(registrar, perceived, **changes) == (False, 0)  # type: ignore[arg-type]
        assert self.ask(registrar, perceived) == (True, 1)

    @pytest.mark.parametrize("drawn", [None, np.zeros((512, 512, 3), np.uint8)])
    def test_a_drawing_without_the_face_decides_nothing(
        self, drawn: Image | None, registrar: Registrar, perceived: Perceived
    ) -> None:
        source = perceived.source(CLOSED)
        assert registrar.registered(source.image, source.face, 0.0, lambda reference: drawn) is registrar.reference
        assert self.ask(registrar, perceived) == (True, 1)
