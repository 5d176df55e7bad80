from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.footage import Picture, turned, with_eyes_shut, with_mouth_open

from faceloom.evaluate.benchmark import quality
from faceloom.evaluate.benchmark.cutting import aligned_crop, look_at_crop, parsed_mask, part_mask
from faceloom.evaluate.benchmark.quality import Look, judge
from faceloom.perceive import FaceClass, Perception, perceive_image
from faceloom.types import Attribute, Crop
from faceloom.weights import Store

PARTS = (Attribute.EYEBROWS, Attribute.EYES, Attribute.NOSE, Attribute.MOUTH)


@pytest.fixture(scope="module")
def perception(store: Store) -> Perception:
    return Perception(store, threads=1)


def look(picture: Picture, perception: Perception, size: int = 256) -> Look:
    crop = aligned_crop(perceive_image(picture, perception)[0].landmarks, size)
    assert crop is not None
    found = look_at_crop(picture, crop, perception)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def good(portraits: Mapping[str, Picture], perception: Perception) -> Look:
    return look(portraits["person_01"], perception)


@pytest.mark.parametrize("part", PARTS)
def test_a_good_portrait_passes(good: Look, part: Attribute) -> None:
    used, reason = judge(good, part)
    assert reason is None, used
    assert set(used) == set(quality.FILTERS)


def test_blur_grows_with_the_strength_until_it_rejects(good: Look) -> None:
    used = [
        quality.blur(replace(good, crop=cv2.GaussianBlur(good.crop, (0, 0), sigma)), Attribute.MOUTH)
        for sigma in (0.5, 1, 2, 3, 5)
    ]
    assert used == sorted(used)
    assert used[0] < 1 < used[-1]


def test_blur_does_not_depend_on_the_size_of_the_crop(portraits: Mapping[str, Picture], perception: Perception) -> None:
    small, large = (quality.blur(look(portraits["person_01"], perception, size), Attribute.NOSE) for size in (256, 384))
    assert small == pytest.approx(large, rel=0.35)


def test_an_enlarged_face_is_rejected(good: Look) -> None:
    assert judge(replace(good, resolution=0.3), Attribute.NOSE)[1] == "low resolution"


def test_shut_eyes_and_an_open_mouth_are_extreme(portraits: Mapping[str, Picture], perception: Perception) -> None:
    picture = portraits["person_01"]
    landmarks = perceive_image(picture, perception)[0].landmarks
    for changed in (with_eyes_shut(picture, landmarks), with_mouth_open(picture, landmarks)):
        assert judge(look(changed, perception), Attribute.MOUTH)[1] == "extreme expression"


def test_a_turned_head_is_rejected(portraits: Mapping[str, Picture], perception: Perception) -> None:
    picture = portraits["person_01"]
    landmarks = perceive_image(picture, perception)[0].landmarks
    yaws = [
        abs(quality.head_angles(look(turned(picture, landmarks, angle), perception).face)[0]) for angle in (0, 20, 40)
    ]
    assert yaws == sorted(yaws)
    assert quality.extreme_pose(look(turned(picture, landmarks, 40), perception), Attribute.NOSE) > 1


def test_a_part_outside_the_picture_is_truncated(
    good: Look, portraits: Mapping[str, Picture], perception: Perception
) -> None:
    assert quality.truncated_mask(good, Attribute.MOUTH) == pytest.approx(0, abs=1e-6)
    landmarks = perceive_image(portraits["person_01"], perception)[0].landmarks
    mouth = int(landmarks[13, 1])
    half = look(np.ascontiguousarray(portraits["person_01"][:mouth]), perception)
    assert quality.truncated_mask(half, Attribute.MOUTH) > 1
    assert quality.truncated_mask(half, Attribute.EYEBROWS) < 1


def test_what_covers_a_part_counts_for_that_part_alone(good: Look) -> None:
    covered = replace(good, covered={Attribute.EYES: 0.5})
    assert judge(covered, Attribute.EYES)[1] == "truncated mask"
    assert judge(covered, Attribute.NOSE)[1] is None


def test_masks_cover_the_parts_where_the_landmarks_are(good: Look) -> None:
    mouth, eyes = (part_mask(part, good.face.landmarks, 256) for part in (Attribute.MOUTH, Attribute.EYES))
    x, y = good.face.landmarks[13, :2].round().astype(int)
    assert mouth[y, x] == 1 and eyes[y, x] == 0
    for iris in (468, 473):
        x, y = good.face.landmarks[iris, :2].round().astype(int)
        assert eyes[y, x] == 1 and mouth[y, x] == 0
    assert mouth.shape == (256, 256) and mouth.min() >= 0 and mouth.max() == 1


def test_thresholds_name_every_limit() -> None:
    told = quality.thresholds()
    assert told["yaw"] == quality.MOST_YAW and told["blendshape jawOpen"] == quality.MOST_EXPRESSION["jawOpen"]


def test_the_seen_pixels_of_a_crop_over_the_border(perception: Perception) -> None:
    from faceloom.evaluate.benchmark.cutting import seen_mask

    shifted = Crop(np.array([[1.0, 0, 10], [0, 1.0, 0]]), 32, 32)
    seen = seen_mask((32, 32, 3), shifted)
    assert not seen[:, :10].any() and seen[:, 10:].all()


def test_the_parser_says_what_covers_a_part(good: Look) -> None:
    polygon = part_mask(Attribute.MOUTH, good.face.landmarks, 256)
    classes = np.where(polygon > 0, FaceClass.UPPER_LIP, FaceClass.SKIN).astype(np.uint8)
    mask, covered = parsed_mask(Attribute.MOUTH, good.face.landmarks, classes)
    assert covered == 0 and np.array_equal(mask, (polygon > 0).astype(np.float32))
    half = classes.copy()
    half[:, : int(good.face.landmarks[13, 0])] = FaceClass.HAIR
    assert 0.35 < parsed_mask(Attribute.MOUTH, good.face.landmarks, half)[1] < 0.65
    nothing = np.full_like(classes, FaceClass.SKIN)
    assert parsed_mask(Attribute.MOUTH, good.face.landmarks, nothing)[1] == 1
