from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.multiband import CLOSED, CORAL, EVERYTHING, GREEN_EYED, SMILING, WHOLE, change, still
from support.perceived import BLINK, Perceived, edited, patches, repainted, touched_by

from faceloom.compose import paste
from faceloom.errors import RecipeError
from faceloom.evaluate.motion import eyes_openness
from faceloom.geometry import colour, masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import core_matte, face_scale, mouth_openness, part_box
from faceloom.methods import multiband
from faceloom.methods.light import part_sharpness
from faceloom.methods.multiband import Multiband
from faceloom.types import Attribute, Face, Image, Part, Source, Window


@pytest.fixture(scope="module")
def mouths(perceived: Perceived) -> list[Image]:
    """The example clip with the lips of a smiling reference."""
    shot = perceived.example
    return edited({Attribute.MOUTH: perceived.source(SMILING)}, shot.frames, shot.faces)


@pytest.fixture(scope="module")
def eyes(perceived: Perceived) -> list[Image]:
    shot = perceived.example
    return edited({Attribute.EYES: perceived.source(GREEN_EYED)}, shot.frames, shot.faces)


class TestWhatIsTouched:
    @pytest.mark.parametrize("attribute", sorted(Multiband.takes))
    def test_pixels_outside_the_matte_stay(self, attribute: Attribute, perceived: Perceived) -> None:
        frame, face = perceived.example.frames[24], perceived.example.faces[24]
        ((patch,),) = patches({attribute: perceived.source(SMILING)}, [frame], [face])
        after = paste(frame, [patch])
        touched = touched_by(patch)
        np.testing.assert_array_equal(after.image[~touched], frame.image[~touched])
        assert change(frame.image, after.image)[touched].mean() > 1, "and something is edited"
        room = np.zeros((512, 512), bool)
        for part in attribute.parts:
            room[part_box(part, face.landmarks, 512, 512).slices] = True
        assert not touched[~room].any()
        assert touched.mean() < 0.1

    def test_the_matte_ends_before_the_crop_does(self, perceived: Perceived) -> None:
        shot = perceived.example
        ((patch,),) = patches({Attribute.MOUTH: perceived.source(CORAL)}, shot.frames[:1], shot.faces[:1])
        border = np.concatenate([patch.matte[0], patch.matte[-1], patch.matte[:, 0], patch.matte[:, -1]])
        assert not border.any()

    def test_the_left_eye_alone_leaves_the_right_half(self, perceived: Perceived) -> None:
        """The subject's left: on the right of the picture."""
        frame, face = perceived.example.frames[0], perceived.example.faces[0]
        (after,) = edited({Attribute.LEFT_EYE: perceived.source(GREEN_EYED)}, [frame], [face])
        middle = round(float(face.landmarks[168, 0]))
        np.testing.assert_array_equal(after[:, :middle], frame.image[:, :middle])
        iris = masks.region_mask(masks.Region.LEFT_IRIS, face.landmarks, WHOLE) > 0.5
        assert change(frame.image, after)[iris].mean() > 15

    def test_the_frame_and_the_source_are_not_modified(self, perceived: Perceived) -> None:
        frame, source = perceived.example.frames[3], perceived.source(CORAL)
        before, reference = frame.image.copy(), source.image.copy()
        edited({Attribute.MOUTH: source}, [frame], perceived.example.faces[3:4])
        np.testing.assert_array_equal(frame.image, before)
        np.testing.assert_array_equal(source.image, reference)


@pytest.mark.parametrize("name", ["person_01", "person_03", "person_05"])
@pytest.mark.parametrize(
    ("attribute", "most"),
    [(Attribute.MOUTH, 1.5), (Attribute.EYES, 0.1), (Attribute.NOSE, 0.1), (Attribute.EYEBROWS, 0.1)],
)
def test_a_part_of_the_same_picture_changes_nothing(
    attribute: Attribute, most: float, name: str, perceived: Perceived
) -> None:
    """But for a rim of lip, where teeth were painted over in the reference."""
    source = perceived.source(name)
    ((patch,),) = patches({attribute: source}, [still(source.image)], [source.face])
    difference = np.abs(paste(still(source.image), [patch]).image.astype(int) - source.image)
    assert difference[touched_by(patch)].mean() < most


@pytest.mark.parametrize(("attribute", "most"), [(Attribute.EYEBROWS, 0.22), (Attribute.NOSE, 0.12)])
def test_a_sharp_reference_becomes_as_soft_as_the_target(
    attribute: Attribute, most: float, perceived: Perceived
) -> None:
    target = perceived.source(CORAL)
    soft, landmarks = cv2.GaussianBlur(target.image, (0, 0), 1.2), target.face.landmarks.astype(np.float64)
    (after,) = edited({attribute: perceived.source(SMILING)}, [still(soft)], [target.face])
    for part in attribute.parts:
        gained = part_sharpness(part, after, landmarks) - part_sharpness(part, soft, landmarks)
        assert np.abs(gained).max() < most
    assert change(soft, after).max() > 20, "and something is edited"


def test_a_shadow_beside_a_brow_is_left_behind(perceived: Perceived, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skin comes along only as far as the hair needs it: here hair at the temple darkens it in the reference."""
    source, target = perceived.source(CLOSED), perceived.source(CORAL)
    landmarks = source.face.landmarks
    x, y = np.meshgrid(np.arange(512), np.arange(512))
    away = np.hypot(x - landmarks[301, 0], y - landmarks[301, 1]) / face_scale(landmarks)
    dark = (source.image * (1 - 0.5 * np.exp(-((away / 0.25) ** 2)))[..., None]).astype(np.uint8)
    shaded = replace(source, image=dark)
    beyond = core_matte(Part.LEFT_EYEBROW, target.face.landmarks.astype(np.float64), WHOLE) == 0

    def darkened() -> int:
        """Grey levels by which the shadow changes skin beside the target's own brow, all together."""
        plain, after = (
            edited({Attribute.LEFT_EYEBROW: one}, [still(target.image)], [target.face])[0] for one in (source, shaded)
        )
        return int(change(plain, after)[beyond].sum())

    little = darkened()
    monkeypatch.setattr(multiband, "_BROWS", ())
    much = darkened()
    assert much > 100 and little < 0.2 * much


class TestMouth:
    def test_what_is_between_the_lips_stays_the_targets(self, mouths: list[Image], perceived: Perceived) -> None:
        shot, seen = perceived.example, 0
        for frame, face, after in zip(shot.frames, shot.faces, mouths, strict=True):
            landmarks = face.landmarks.astype(np.float64)
            if mouth_openness(landmarks) < 0.08:
                continue
            inner = masks.offset_outline(
                masks.outline(masks.Region.INNER_MOUTH, landmarks), -0.02 * face_scale(landmarks)
            )
            difference = change(frame.image, after)[masks.polygon_mask(inner, WHOLE) > 0.99]
            assert difference.mean() < 0.3 and np.quantile(difference, 0.99) <= 3
            seen += 1
        assert seen > 15

    def test_closed_lips_show_no_teeth(self, mouths: list[Image], perceived: Perceived) -> None:
        shot, seen = perceived.example, 0
        for frame, face, after in zip(shot.frames, shot.faces, mouths, strict=True):
            landmarks = face.landmarks.astype(np.float64)
            if mouth_openness(landmarks) > 0.01:
                continue
            line = 0.5 * (landmarks[list(t.UPPER_LIP_INNER[2:-2]), :2] + landmarks[list(t.LOWER_LIP_INNER[2:-2]), :2])
            dark = [
                colour.sample_colours(image, line, 0.012 * face_scale(landmarks)).mean(axis=1)
                for image in (frame.image, after)
            ]
            assert (dark[1] < dark[0] + 0.1).all(), "the line between closed lips stays dark"
            lips = masks.region_mask(Part.MOUTH, landmarks, WHOLE) > 0.9
            hsv = cv2.cvtColor(after, cv2.COLOR_RGB2HSV)
            assert ((hsv[..., 2] > 170) & (hsv[..., 1] < 50))[lips].mean() < 0.01
            seen += 1
        assert seen > 8

    def test_the_mouth_moves_as_it_did(self, mouths: list[Image], perceived: Perceived) -> None:
        shot = perceived.example
        found = perceived.shot([repainted(frame, after) for frame, after in zip(shot.frames, mouths, strict=True)])
        before, after = (
            [mouth_openness(face.landmarks) for face in faces] for faces in (shot.measured, found.measured)
        )
        assert np.corrcoef(before, after)[0, 1] > 0.98
        assert np.ptp(after) > 0.85 * np.ptp(before)

    def test_lips_take_the_colour_of_the_reference(self, perceived: Perceived) -> None:
        shot, source = perceived.example, perceived.source(CORAL)
        pictures = edited({Attribute.MOUTH: source}, shot.frames[:3], shot.faces[:3])

        def redness(image: Image, landmarks: np.ndarray) -> float:
            lips = masks.region_mask(masks.Region.LIPS, landmarks, WHOLE)[..., None]
            red, green, _ = (image * lips).sum(axis=(0, 1)) / lips.sum()
            return float(np.log(red / green))

        landmarks = shot.faces[0].landmarks
        target, after = redness(shot.frames[0].image, landmarks), redness(pictures[0], landmarks)
        assert after > target + 0.5 * (redness(source.image, source.face.landmarks) - target) > target + 0.1


class TestEyes:
    def test_blinks_and_gaze_are_the_targets(self, eyes: list[Image], perceived: Perceived) -> None:
        shot = perceived.example
        found = perceived.shot([repainted(frame, after) for frame, after in zip(shot.frames, eyes, strict=True)])
        before, after = (
            np.array([eyes_openness(face.landmarks) for face in faces]) for faces in (shot.measured, found.measured)
        )
        assert np.corrcoef(before, after)[0, 1] > 0.95
        assert after[BLINK].min() < before[BLINK].min() + 0.03, "shut eyes are shut"
        shifts = []
        for old, new in zip(shot.measured, found.measured, strict=True):
            if eyes_openness(old.landmarks) > 0.2:
                centres = [t.LEFT_IRIS[0], t.RIGHT_IRIS[0]]
                moved = new.landmarks[centres, :2] - old.landmarks[centres, :2]
                shifts.append(np.linalg.norm(moved, axis=1) / face_scale(old.landmarks))
        assert len(shifts) > 30 and np.mean(shifts) < 0.015

    def test_shut_eyes_show_no_eyeball(self, eyes: list[Image], perceived: Perceived) -> None:
        shot = perceived.example
        for index in (17, 18):
            eye = masks.region_mask(Part.LEFT_EYE, shot.faces[index].landmarks, WHOLE) > 0.3
            white = cv2.cvtColor(eyes[index], cv2.COLOR_RGB2HSV)[..., 2][eye].max()
            open_eye = masks.region_mask(Part.LEFT_EYE, shot.faces[0].landmarks, WHOLE) > 0.3
            assert white < cv2.cvtColor(eyes[0], cv2.COLOR_RGB2HSV)[..., 2][open_eye].max() - 30

    def test_the_iris_is_the_references(self, eyes: list[Image], perceived: Perceived) -> None:
        """Grey-green eyes on somebody whose own are nearly black."""
        frame, face = perceived.example.frames[4], perceived.example.faces[4]
        for region in (masks.Region.LEFT_IRIS, masks.Region.RIGHT_IRIS):
            iris = masks.region_mask(region, face.landmarks, WHOLE) > 0.5
            assert np.median(eyes[4][iris]) > 1.1 * np.median(frame.image[iris])


def test_several_references_at_once(perceived: Perceived) -> None:
    """Parts that do not touch come out as they do alone."""
    frames, faces = perceived.example.frames[20:23], perceived.example.faces[20:23]
    take = {Attribute.MOUTH: perceived.source(CORAL), Attribute.EYES: perceived.source(GREEN_EYED)}
    both = edited(take, frames, faces)
    for attribute, source in take.items():
        alone = edited({attribute: source}, frames, faces)
        for part in attribute.parts:
            box = part_box(part, faces[1].landmarks, 512, 512)
            np.testing.assert_array_equal(both[1][box.slices], alone[1][box.slices])
    assert len(patches(take, frames, faces)[0]) == 1, "one patch for one face"


def test_the_order_of_attributes_does_not_matter(perceived: Perceived) -> None:
    frames, faces = perceived.example.frames[:1], perceived.example.faces[:1]
    take = {attribute: perceived.source(CLOSED) for attribute in EVERYTHING}
    one, other = (edited(dict(items), frames, faces)[0] for items in (take.items(), reversed(take.items())))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("length", [1, 5, 7])
def test_windows_do_not_show(length: int, perceived: Perceived) -> None:
    frames, faces = perceived.example.frames[8:24], perceived.example.faces[8:24]
    take = {Attribute.MOUTH: perceived.source(CORAL), Attribute.LEFT_EYE: perceived.source(GREEN_EYED)}
    whole, cut = patches(take, frames, faces), patches(take, frames, faces, length)
    for (one,), (other,) in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.matte, other.matte)


def test_windows_do_not_show_where_the_face_is_lost(perceived: Perceived) -> None:
    frames, faces = perceived.example.frames[:14], list[Face | None](perceived.example.faces[:14])
    faces[4] = faces[5] = None
    take = {Attribute.MOUTH: perceived.source(CORAL)}
    whole, cut = patches(take, frames, faces), patches(take, frames, faces, 3)
    assert [len(own) for own in whole] == [len(own) for own in cut] == [1, 1, 1, 1, 0, 0, *[1] * 8]
    for one, other in zip(whole, cut, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.image, b.image)


@pytest.mark.parametrize("count", [1, 12])
def test_one_preparation_serves_several_clips(count: int, perceived: Perceived) -> None:
    """Nothing that was measured in one clip, or remembered of a person in it, is used in the next."""
    method, take = Multiband(), {Attribute.MOUTH: perceived.source(CORAL)}
    prepared = method.prepare(take)
    faces = perceived.example.faces[:count]
    frames = perceived.example.frames[:count]
    dimmed = [repainted(frame, (frame.image * 0.4).astype(np.uint8)) for frame in frames]
    window = slice(0, count)
    method.apply(Window(frames, window, first=True), faces, prepared)
    again = method.apply(Window(dimmed, window, first=True), faces, prepared)
    for (one,), (other,) in zip(again, patches(take, dimmed, faces), strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.matte, other.matte)


def test_who_comes_late_in_another_clip_is_somebody_else(perceived: Perceived) -> None:
    """Person 2 of one clip and person 2 of the next, who comes after its first window, share nothing but the number."""
    method, take = Multiband(), {Attribute.MOUTH: perceived.source(CORAL)}
    frames = perceived.example.frames[:14]
    two = [replace(face, track=2) for face in perceived.example.faces[:14]]
    dimmed = [repainted(frame, (frame.image * 0.4).astype(np.uint8)) for frame in frames]
    opening, later = Window(dimmed[:10], slice(0, 2), first=True), Window(dimmed, slice(2, 14))
    used, fresh = method.prepare(take), method.prepare(take)
    method.apply(Window(frames, slice(0, 14), first=True), two, used)
    method.apply(opening, perceived.example.faces[:10], used)
    for (one,), (other,) in zip(method.apply(later, two, used), method.apply(later, two, fresh), strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.matte, other.matte)


class TestOptions:
    @pytest.mark.parametrize("options", [{"levels": 5}, {"amount": 1, "x": 2}])
    def test_there_are_none(self, options: Mapping[str, object]) -> None:
        with pytest.raises(RecipeError, match=", ".join(options)):
            Multiband(options)

    @pytest.mark.parametrize("options", [None, {}])
    def test_none_given(self, options: Mapping[str, object] | None) -> None:
        assert Multiband(options).prepare({}) == []

    def test_parts_are_prepared_once(self, perceived: Perceived) -> None:
        sources: Sequence[Source] = [perceived.source(CORAL), perceived.source(CLOSED)]
        jobs = Multiband().prepare({Attribute.EYES: sources[0], Attribute.MOUTH: sources[1]})
        assert [job.reference.part for job in jobs] == [Part.MOUTH, Part.LEFT_EYE, Part.RIGHT_EYE]
