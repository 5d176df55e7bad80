from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.meshes import morphable
from support.multiband import WHOLE, change, still
from support.perceived import BLINK, Perceived, repainted, touched_by
from support.windows import in_windows

from faceloom.compose import paste
from faceloom.errors import FaceError, RecipeError
from faceloom.evaluate.motion import eyes_openness
from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale, mouth_openness
from faceloom.methods.contract import choose
from faceloom.methods.unifacegan.anchors import CONTROLS
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.gaze import look_of
from faceloom.methods.unifacegan.identity import read_identity
from faceloom.methods.unifacegan.method import UniFaceGAN
from faceloom.methods.unifacegan.swap import Place, place_surface
from faceloom.perceive.identity import FaceEmbedder
from faceloom.run.performance import ClipPerformance
from faceloom.types import Attribute, Face, Frame, Image, Part, Patch, Source
from faceloom.weights import Store

A, B = "person_17", "person_05"
STOP = 24


@pytest.fixture(scope="module", autouse=True)
def weights(store: Store) -> None:
    morphable(store)


def run(
    take: Mapping[Attribute, Source], frames: Sequence[Frame], faces: Sequence[Face | None], length: int = 1000
) -> list[list[Patch]]:
    return in_windows(UniFaceGAN(), take, frames, faces, length)


@pytest.fixture(scope="module")
def swapped(perceived: Perceived) -> list[Image]:
    shot = perceived.example
    made = run({Attribute.IDENTITY: perceived.source(A)}, shot.frames[:STOP], shot.faces[:STOP])
    return [paste(frame, own).image for frame, own in zip(shot.frames, made, strict=False)]


class TestSwap:
    @pytest.mark.parametrize(("target", "source"), [("person_05", "person_17"), ("person_02", "person_06")])
    def test_it_becomes_like_the_source(self, target: str, source: str, perceived: Perceived, store: Store) -> None:
        """Hair and outline, which stay the target's, count too: less than halfway is all that a blend can do."""
        embedder, (own, wanted) = FaceEmbedder(store), (perceived.source(name) for name in (target, source))
        (made,) = run({Attribute.IDENTITY: wanted}, [still(own.image)], [own.face])
        after = paste(still(own.image), made).image
        one, other = (embedder.embed(each.image, each.face.landmarks) for each in (own, wanted))
        result = embedder.embed(after, perceived.face(after).landmarks)
        assert float(result @ other) > float(one @ other) + 0.15
        assert float(result @ one) < 0.75

    def test_mouth_and_lids_move_as_they_did(self, swapped: list[Image], perceived: Perceived) -> None:
        shot = perceived.example
        found = perceived.shot([repainted(frame, after) for frame, after in zip(shot.frames, swapped, strict=False)])
        for opening in (mouth_openness, eyes_openness):
            before = [opening(face.landmarks) for face in shot.measured[:STOP]]
            after = [opening(face.landmarks) for face in found.measured]
            assert np.corrcoef(before, after)[0, 1] > 0.95
            assert np.ptp(after) > 0.7 * np.ptp(before)

    def test_eyes_are_the_sources_and_look_where_the_target_looks(
        self, swapped: list[Image], perceived: Perceived
    ) -> None:
        shot = perceived.example
        for index in (0, 5, BLINK.stop):
            before, after = shot.measured[index].landmarks, perceived.face(swapped[index]).landmarks
            assert np.abs(look_of(after) - look_of(before)).mean() < 0.03
            landmarks = shot.faces[index].landmarks.astype(np.float64)
            region = masks.outline(masks.Region.LEFT_IRIS, landmarks)
            iris = masks.polygon_mask(masks.offset_outline(region, -0.03 * face_scale(landmarks)), WHOLE) > 0.99
            assert change(shot.frames[index].image, swapped[index])[iris].mean() > 8

    def test_nothing_outside_the_matte_changes(self, perceived: Perceived) -> None:
        frame, face = perceived.example.frames[3], perceived.example.faces[3]
        ((patch,),) = run({Attribute.IDENTITY: perceived.source(A)}, [frame], [face])
        after, touched = paste(frame, [patch]).image, touched_by(patch)
        np.testing.assert_array_equal(after[~touched], frame.image[~touched])
        oval = masks.polygon_mask(masks.outline(masks.Region.FACE_OVAL, face.landmarks), WHOLE) > 0
        assert not (touched & ~oval).any()
        assert change(frame.image, after)[touched].mean() > 5

    def test_the_own_face_changes_little(self, perceived: Perceived) -> None:
        source = perceived.source(B)
        ((patch,),) = run({Attribute.IDENTITY: source}, [still(source.image)], [source.face])
        after = paste(still(source.image), [patch]).image
        assert change(source.image, after)[touched_by(patch)].mean() < 3

    def test_windows_do_not_show(self, perceived: Perceived) -> None:
        shot, take = perceived.example, {Attribute.IDENTITY: perceived.source(A)}
        whole, cut = (run(take, shot.frames[:14], shot.faces[:14], length) for length in (1000, 5))
        for one, other in zip(whole, cut, strict=True):
            np.testing.assert_allclose(one[0].image, other[0].image, atol=1.5 / 255)

    def test_a_covered_face_is_refused(self, perceived: Perceived) -> None:
        source = perceived.source(B)
        below = masks.polygon_mask(source.face.landmarks[[234, 50, 4, 280, 454, 361, 397, 152, 172, 132], :2], WHOLE)
        image = np.where(below[..., None] > 0.5, np.array([120, 170, 210], np.uint8), source.image)
        with pytest.raises(FaceError, match="seems to cover it"):
            UniFaceGAN().prepare({Attribute.IDENTITY: Source(source.path, image, source.face)})

    def test_a_lost_face_is_passed_over(self, perceived: Perceived) -> None:
        shot = perceived.example
        faces: list[Face | None] = [shot.faces[0], None, shot.faces[2]]
        made = run({Attribute.IDENTITY: perceived.source(A)}, shot.frames[:3], faces)
        assert [len(own) for own in made] == [1, 0, 1]


class TestReenactment:
    def test_the_mouth_does_what_the_drivers_does(self, perceived: Perceived) -> None:
        target, driver = perceived.source(B), perceived.source("person_06")
        (made,) = run({Attribute.EXPRESSION: driver}, [still(target.image)], [target.face])
        after = paste(still(target.image), made).image
        opened = mouth_openness(perceived.face(after).landmarks)
        wanted, before = mouth_openness(driver.face.landmarks), mouth_openness(target.face.landmarks)
        assert abs(opened - wanted) < 0.4 * abs(before - wanted)

    def test_the_head_turns_with_the_drivers(self, perceived: Perceived) -> None:
        target, driver = perceived.source("person_06"), perceived.source(B)
        (made,) = run({Attribute.POSE: driver}, [still(target.image)], [target.face])
        after = perceived.face(paste(still(target.image), made).image)
        before, wanted = (target.face.pose[:3, 2], driver.face.pose[:3, 2])
        assert np.linalg.norm(after.pose[:3, 2] - wanted) < 0.6 * np.linalg.norm(before - wanted)

    def test_the_own_expression_changes_little(self, perceived: Perceived) -> None:
        target = perceived.source(B)
        (made,) = run({Attribute.EXPRESSION: target}, [still(target.image)], [target.face])
        after = paste(still(target.image), made).image
        oval = masks.polygon_mask(masks.outline(masks.Region.FACE_OVAL, target.face.landmarks), WHOLE) > 0.5
        assert change(target.image, after)[oval].mean() < 4

    def test_far_from_the_head_nothing_changes(self, perceived: Perceived) -> None:
        frame, face = perceived.example.frames[0], perceived.example.faces[0]
        (made,) = run({Attribute.EXPRESSION: perceived.source("person_06")}, [frame], [face])
        np.testing.assert_array_equal(paste(frame, made).image[:60, :60], frame.image[:60, :60])

    def test_the_gaze_is_the_drivers(self, perceived: Perceived) -> None:
        target = perceived.source(B)
        landmarks = target.face.landmarks.copy()
        landmarks[468:, 0] += 0.1 * face_scale(landmarks) * 0.45
        driver = Source(target.path, target.image, replace(target.face, landmarks=landmarks))
        (made,) = run({Attribute.GAZE: driver}, [still(target.image)], [target.face])
        after = paste(still(target.image), made).image
        before, now = look_of(target.face.landmarks), look_of(perceived.face(after).landmarks)
        assert (now - before)[:, 0].min() > 0.03
        eyes = [masks.outline(part, target.face.landmarks) for part in (Part.LEFT_EYE, Part.RIGHT_EYE)]
        near = np.maximum.reduce([masks.polygon_mask(masks.offset_outline(eye, 4), WHOLE) for eye in eyes]) > 0
        np.testing.assert_array_equal(after[~near], target.image[~near])

    def test_the_first_frame_driven_by_its_own_clip_follows_it(self, perceived: Perceived) -> None:
        """Better than standing still, in pixels and in landmarks."""
        shot, performance = perceived.example, ClipPerformance()
        for frame, face in zip(shot.frames[:STOP], shot.faces[:STOP], strict=True):
            performance.add(frame, face)
        glimpse = performance.glimpse(0)
        assert glimpse is not None
        driver = Source(Path("clip"), glimpse.image, glimpse.face, performance)
        take = dict.fromkeys((Attribute.EXPRESSION, Attribute.POSE, Attribute.GAZE), driver)
        stills = [replace(frame, image=shot.frames[0].image) for frame in shot.frames[:STOP]]
        made = run(take, stills, [shot.faces[0]] * STOP)
        for index in (BLINK.start + 3, STOP - 1):
            truth, first = shot.frames[index].image, shot.frames[0].image
            after = paste(stills[index], made[index]).image
            oval = masks.polygon_mask(masks.outline(masks.Region.FACE_OVAL, shot.faces[index].landmarks), WHOLE) > 0.5
            assert change(truth, after)[oval].mean() < 0.75 * change(truth, first)[oval].mean()

    def test_three_people(self, perceived: Perceived, store: Store) -> None:
        target, smiling, face = perceived.source(B), perceived.source("person_06"), perceived.source(A)
        take = {Attribute.IDENTITY: face, Attribute.EXPRESSION: smiling}
        (made,) = run(take, [still(target.image)], [target.face])
        after = paste(still(target.image), made).image
        landmarks, embedder = perceived.face(after).landmarks, FaceEmbedder(store)
        assert mouth_openness(landmarks) > 0.5 * mouth_openness(smiling.face.landmarks)
        own, wanted = (embedder.embed(source.image, source.face.landmarks) for source in (target, face))
        result = embedder.embed(after, landmarks)
        assert float(result @ wanted) > float(own @ wanted) + 0.1


def test_a_face_that_looks_away_is_refused(perceived: Perceived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceloom.methods.unifacegan.identity.MOST_YAW", 0.01)
    with pytest.raises(FaceError, match=r"turned by \d+ degrees"):
        UniFaceGAN().prepare({Attribute.IDENTITY: perceived.source("person_06")})


def test_it_is_the_method_for_identity() -> None:
    assert choose([Attribute.IDENTITY, Attribute.POSE]) is UniFaceGAN
    assert "blend" in UniFaceGAN.status()


@pytest.mark.parametrize(("options", "told"), [({"proportion": 1}, "proportions"), ({"light": 2}, "light")])
def test_unknown_options_are_refused(options: dict[str, float], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        UniFaceGAN(options)


def test_it_is_imported_without_torch_and_numba() -> None:
    code = "import sys, faceloom.methods.unifacegan.method; print({'torch', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path("/"))
    assert done.stdout.strip() == "set()"


def test_lids_that_shut_do_not_take_the_nose_along(perceived: Perceived, fitter: FaceFitter) -> None:
    source, target = perceived.source(A), perceived.source(B)
    worn, landmarks = read_identity(source, fitter), target.face.landmarks.astype(np.float64)
    motion = fitter.fit(target.image, landmarks)
    shut = landmarks.copy()
    for upper, lower in ((t.LEFT_UPPER_LID, t.LEFT_LOWER_LID), (t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID)):
        shut[list(upper)] = landmarks[list(lower)]
    no_brows = np.zeros((len(CONTROLS), 2))
    noses = []
    for points in (landmarks, shut):
        place = Place(points, motion, None, [], None, None, no_brows)  # type: ignore[arg-type]
        noses.append(place_surface(place, worn, fitter.model, 0.6)[1][[1, 4, 98, 327], :2])
    np.testing.assert_allclose(noses[0], noses[1], atol=1e-9)
