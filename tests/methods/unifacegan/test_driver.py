from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.perceived import BLINK, Perceived

from faceloom.errors import FaceError
from faceloom.methods.unifacegan.driver import ClipDriver, drive_of_picture, read_driver, record_motion
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.perceive.morphable import MotionTemplate, RecordedMotion
from faceloom.types import Crop, Glimpse, Source

LOST = 5


class Shown:
    """The example clip from frame 12 on, cut by a crop that halves it; the face is lost in one frame."""

    def __init__(self, perceived: Perceived) -> None:
        shot = perceived.example
        self.frames, self.faces = shot.frames[12:24], shot.faces[12:24]

    @property
    def times(self) -> Sequence[Fraction]:
        return [frame.time for frame in self.frames]

    def glimpse(self, index: int) -> Glimpse | None:
        if index == LOST:
            return None
        face = replace(self.faces[index], landmarks=self.faces[index].landmarks * np.float32(0.5))
        halves = Crop(np.array([[0.5, 0, 0], [0, 0.5, 0]]), 256, 256)
        return Glimpse(np.ascontiguousarray(self.frames[index].image[::2, ::2]), face, halves)


@pytest.fixture(scope="module")
def driver(perceived: Perceived, fitter: FaceFitter) -> ClipDriver:
    source = perceived.source("person_05")
    found = read_driver(Source(source.path, source.image, source.face, Shown(perceived)), fitter)
    assert isinstance(found, ClipDriver)
    return found


def test_a_picture_does_the_same_at_any_time(perceived: Perceived, fitter: FaceFitter) -> None:
    found = drive_of_picture(perceived.source("person_05"), fitter)
    assert found.at(Fraction(0)) is found.at(Fraction(9))
    assert found.drive.begin is None
    assert min(found.drive.lids) > 0.7


def test_the_face_comes_in_pixels_of_its_frame(driver: ClipDriver, perceived: Perceived, fitter: FaceFitter) -> None:
    drive, shown = driver.at(Fraction(0)), Shown(perceived)
    assert drive is not None
    direct = fitter.fit(shown.frames[0].image, shown.faces[0].landmarks)
    np.testing.assert_allclose(
        fitter.model.keypoints(drive.parameters)[17:, :2], fitter.model.keypoints(direct)[17:, :2], atol=3
    )
    np.testing.assert_allclose(drive.landmarks, shown.faces[0].landmarks / 2, rtol=1e-6)


def test_time_counts_from_the_beginning_and_the_end_holds(driver: ClipDriver) -> None:
    def at(seconds: Fraction) -> np.ndarray:
        drive = driver.at(seconds)
        assert drive is not None
        return drive.landmarks

    np.testing.assert_array_equal(at(Fraction(9)), at(Fraction(11, 25)))
    assert np.abs(at(Fraction(3, 25)) - at(Fraction(4, 25))).max() > 0.1
    np.testing.assert_array_equal(at(Fraction(7, 50)), at(Fraction(3, 25)))
    np.testing.assert_array_equal(at(Fraction(LOST, 25)), at(Fraction(LOST - 1, 25)))


def test_a_recorded_motion_does_the_same_without_pictures(
    driver: ClipDriver, fitter: FaceFitter, perceived: Perceived, tmp_path: Path
) -> None:
    motion, _ = record_motion(Shown(perceived), fitter)
    motion.save(tmp_path / "m.npz")
    source = perceived.source("person_05")
    recorded = RecordedMotion(MotionTemplate.load(tmp_path / "m.npz"))
    found = read_driver(Source(source.path, source.image, source.face, recorded), fitter)
    for seconds in (Fraction(0), Fraction(LOST, 25), Fraction(8, 25)):
        one, other = driver.at(seconds), found.at(seconds)
        assert one is not None and other is not None and other.image is None and one.bend is not None
        np.testing.assert_allclose(other.parameters.camera, one.parameters.camera, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(other.lids, one.lids, atol=0.05)
        np.testing.assert_allclose(other.look, one.look, atol=0.01)
        assert other.bend is not None
        scale = np.linalg.norm(one.parameters.camera[0, :3])
        assert np.abs(other.bend - one.bend).mean() * scale < 0.1, "pixels"


def test_a_template_without_landmarks_cannot_drive(fitter: FaceFitter, perceived: Perceived) -> None:
    motion, _ = record_motion(Shown(perceived), fitter)
    source = perceived.source("person_05")
    bare = RecordedMotion(replace(motion, landmarks=None))
    with pytest.raises(FaceError, match="no landmarks"):
        read_driver(Source(source.path, source.image, source.face, bare), fitter)


def test_lids_shut_in_a_blink(driver: ClipDriver) -> None:
    first, asleep = driver.at(Fraction(0)), driver.at(Fraction(BLINK.start + 3 - 12, 25))
    assert first is not None and asleep is not None
    assert min(first.lids) > 0.7
    assert max(asleep.lids) < 0.3
