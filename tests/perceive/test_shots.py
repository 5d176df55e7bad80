from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import pytest

from faceloom.perceive.shots import ShotDetector
from faceloom.types import Image


def begins(frames: Sequence[Image]) -> list[int]:
    """Indices of the frames that begin a shot."""
    detector = ShotDetector()
    return [index for index, frame in enumerate(frames) if detector.update(frame)]


def exposed(image: Image, gain: float, offset: float = 0.0) -> Image:
    return np.clip(image.astype(np.float32) * gain + offset, 0, 255).astype(np.uint8)


def moving_head(portrait: Image, frames: int, speed: float) -> list[Image]:
    """The portrait swinging from side to side and turning, ``speed`` pixels a frame at most."""
    pictures = []
    for index in range(frames):
        shift = speed * 8 * np.sin(index / 8)
        matrix = cv2.getRotationMatrix2D((256, 256), float(shift) / 8, 1.1)
        matrix[0, 2] += shift
        pictures.append(cv2.warpAffine(portrait, matrix, (512, 512), borderMode=cv2.BORDER_REFLECT))
    return pictures


def test_the_first_frame_begins_a_shot_and_reset_starts_over(portraits: Mapping[str, Image]) -> None:
    detector = ShotDetector()
    portrait = portraits["person_01"]
    assert [detector.update(portrait), detector.update(portrait)] == [True, False]
    detector.reset()
    assert detector.update(portrait)


def test_every_pair_of_portraits_is_a_cut(portraits: Mapping[str, Image]) -> None:
    people = list(portraits.values())
    for one in range(len(people)):
        for two in range(len(people)):
            if one != two:
                assert begins([people[one]] * 3 + [people[two]] * 3) == [0, 3], (one, two)


def test_cut_between_moving_heads_is_found_at_its_frame(portraits: Mapping[str, Image]) -> None:
    frames = moving_head(portraits["person_02"], 20, 8) + moving_head(portraits["person_05"], 20, 8)
    assert begins(frames) == [0, 20]


def test_cut_in_black_and_white_is_found(portraits: Mapping[str, Image]) -> None:
    grey = [cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) for p in portraits.values()]
    assert begins([grey[0]] * 3 + [grey[1]] * 3 + [grey[2]] * 3) == [0, 3, 6]


def test_fast_head_motion_is_no_cut(portraits: Mapping[str, Image]) -> None:
    for name in ("person_01", "person_04", "person_07"):
        assert begins(moving_head(portraits[name], 60, 25)) == [0]


def test_camera_pan_is_no_cut(portraits: Mapping[str, Image]) -> None:
    scene = np.hstack(list(portraits.values()))
    assert begins([scene[:, x : x + 1024] for x in range(0, 3000, 40)]) == [0]


@pytest.mark.parametrize(("gain", "offset"), [(1.5, 0), (1.0, 60), (2.0, 60), (1.3, 100), (0.3, 0), (0.05, 0)])
def test_flash_or_flicker_of_one_frame_is_no_cut(gain: float, offset: float, portraits: Mapping[str, Image]) -> None:
    for portrait in portraits.values():
        frames = moving_head(portrait, 8, 4)
        frames[4] = exposed(frames[4], gain, offset)
        assert begins(frames) == [0]


@pytest.mark.parametrize("level", [0, 255])
def test_blank_frame_inside_a_shot_is_no_cut(level: int, portraits: Mapping[str, Image]) -> None:
    frames = moving_head(portraits["person_03"], 8, 4)
    frames[4] = np.full_like(frames[4], level)
    assert begins(frames) == [0]


def test_new_picture_after_black_begins_a_shot(portraits: Mapping[str, Image]) -> None:
    black = np.zeros_like(portraits["person_01"])
    frames = [portraits["person_01"]] * 4 + [black] * 3 + [portraits["person_02"]] * 4
    assert begins(frames) == [0, 7]


def test_fade_through_black_cuts_once_where_the_new_picture_appears(portraits: Mapping[str, Image]) -> None:
    out = [exposed(portraits["person_01"], gain) for gain in np.linspace(1, 0, 13)]
    back = [exposed(portraits["person_06"], gain) for gain in np.linspace(0, 1, 13)]
    starts = begins(out + back)
    assert len(starts) == 2
    assert 13 <= starts[1] <= 15


def test_slow_dissolve_is_no_hard_cut(portraits: Mapping[str, Image]) -> None:
    one, two = (portraits[name].astype(np.float32) for name in ("person_01", "person_06"))
    frames = [(one * (1 - w) + two * w).astype(np.uint8) for w in np.linspace(0, 1, 25)]
    assert begins(frames) == [0]


def test_noise_is_no_cut_and_hides_none(portraits: Mapping[str, Image]) -> None:
    random = np.random.default_rng(3)
    clean = [portraits["person_01"]] * 10 + [portraits["person_02"]] * 10
    noisy = [np.clip(frame + random.normal(0, 30, frame.shape), 0, 255).astype(np.uint8) for frame in clean]
    assert begins(noisy) == [0, 10]


def test_any_size_of_picture_is_taken(portraits: Mapping[str, Image]) -> None:
    one, two = portraits["person_01"], portraits["person_02"]
    for size in ((17, 31), (2000, 1125)):
        frames = [cv2.resize(one, size)] * 2 + [cv2.resize(two, size)] * 2
        assert begins(frames) == [0, 2]
    assert begins([np.zeros((1, 1, 3), np.uint8)] * 3) == [0]


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="threshold"):
        ShotDetector(threshold=0)
    with pytest.raises(ValueError, match="headroom"):
        ShotDetector(headroom=-1)
