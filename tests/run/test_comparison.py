from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.fixtures import Footage, References
from support.footage import Picture, moving, turned, with_eyes_shut, with_mouth_open, write_video

from faceloom.errors import FaceError
from faceloom.perceive import Perception, perceive_image
from faceloom.run.comparison import comparison_sheet
from faceloom.run.moments import telling_moments
from faceloom.weights import Store


@pytest.fixture(scope="module")
def perception(store: Store) -> Perception:
    return Perception(store)


@pytest.fixture(scope="module")
def performance(
    tmp_path_factory: pytest.TempPathFactory, portraits: dict[str, Picture], perception: Perception
) -> Path:
    """12 frames: mouth open in frame 1, eyes shut in 3, head turned to the subject's right in 6, to the left in 9."""
    portrait = portraits["person_05"]
    landmarks = perceive_image(portrait, perception)[0].landmarks
    pictures = [cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)] * 12
    for index, picture in (
        (1, with_mouth_open(portrait, landmarks)),
        (3, with_eyes_shut(portrait, landmarks)),
        (6, turned(portrait, landmarks, -25)),
        (9, turned(portrait, landmarks, 35)),
    ):
        pictures[index] = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)
    return write_video(tmp_path_factory.mktemp("performance") / "performance.mkv", pictures)


def test_moments(performance: Path, perception: Perception) -> None:
    moments = telling_moments(performance, 1, perception)
    assert [moment.index for moment in moments] == sorted({moment.index for moment in moments})
    assert len(moments) == 6
    where = {moment.name: moment.index for moment in moments}
    assert [where[name] for name in ("mouth open", "blink", "turned right", "turned left")] == [1, 3, 6, 9]


def test_short_clips_have_fewer_moments(tmp_path: Path, portraits: dict[str, Picture], perception: Perception) -> None:
    clip = write_video(tmp_path / "short.mkv", moving(portraits["person_01"], 2, 256))
    assert {moment.index for moment in telling_moments(clip, 1, perception)} == {0, 1}


def test_nobody_has_no_moments(footage: Footage, perception: Perception) -> None:
    assert telling_moments(footage.nobody, 1, perception) == []
    with pytest.raises(FaceError, match="does not appear"):
        comparison_sheet(footage.nobody, footage.nobody, {}, 1, perception)


def test_sheet_shows_target_above_result(footage: Footage, references: References, perception: Perception) -> None:
    taken = {"mouth": references.mouth, "eyes": references.eyes}
    same = comparison_sheet(footage.plain, footage.plain, taken, 1, perception)
    other = comparison_sheet(footage.plain, footage.two, taken, 1, perception)
    height = same.shape[0] // 2
    assert same.shape[1] > 7 * 232 and other.shape == same.shape
    np.testing.assert_array_equal(same[:height], other[:height])
    columns = slice(-6 * 240, None)
    np.testing.assert_array_equal(same[8 : 8 + 232, columns], same[height + 4 :][:232, columns])
    assert (same[height + 8 :, columns] != other[height + 8 :, columns]).mean() > 0.2
