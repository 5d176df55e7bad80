from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from support.perceived import Perceived, Shot, repainted

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import cover_outline, face_scale, part_box
from faceloom.methods import multiband
from faceloom.methods.face_look import FaceLooks
from faceloom.methods.light import SMOOTHING_RADIUS
from faceloom.methods.multiband import Multiband
from faceloom.methods.occlusion import CoverWatch, cover_matte
from faceloom.types import Attribute, Box, Face, Frame, Part, Window

DARK, BLUE = (40, 35, 45), (70, 90, 140)
FIRST, LAST, MIDDLE = 12, 40, 26


@dataclass(frozen=True, eq=False)
class Passing:
    """The example clip with an ellipse that passes over the mouth, and where it is in each frame."""

    frames: list[Frame]
    faces: list[Face]
    hidden: list[np.ndarray]


def passing(shot: Shot, colour: tuple[int, int, int]) -> Passing:
    frames, hidden = [], []
    for frame, face in zip(shot.frames, shot.faces, strict=True):
        mask = np.zeros(frame.image.shape[:2], np.uint8)
        if FIRST <= frame.index <= LAST:
            scale = face_scale(face.landmarks)
            x, y = face.landmarks[list(t.MOUTH_RING), :2].mean(axis=0)
            centre = (round(float(x + 0.06 * scale * (frame.index - MIDDLE))), round(float(y)))
            cv2.ellipse(mask, centre, (round(0.28 * scale), round(0.35 * scale)), 0, 0, 360, 1, -1)
        picture = np.where(mask[..., None] > 0, np.uint8(colour), frame.image)
        frames.append(repainted(frame, picture))
        hidden.append(mask)
    return Passing(frames, shot.faces, hidden)


@pytest.fixture(scope="module")
def dark(perceived: Perceived) -> Passing:
    return passing(perceived.example, DARK)


def watched(frames: list[Frame], faces: list[Face], part: Part, length: int = 1000) -> tuple[CoverWatch, list]:
    """What the watch says of each frame, in windows of ``length``."""
    watch, result = CoverWatch(part, FaceLooks()), []
    for start in range(0, len(frames), length):
        stop = min(start + length, len(frames))
        low, high = max(0, start - SMOOTHING_RADIUS), min(len(frames), stop + SMOOTHING_RADIUS)
        covered = watch.covered(frames[low:high], faces[low:high], slice(start - low, stop - low))
        result += covered[start - low : stop - low]
    return watch, result


def shares(clip: Passing, index: int, watch: CoverWatch, covered: np.ndarray) -> tuple[float, float]:
    """Mean of the cover matte over the mouth where it is hidden, and where nothing hidden is near."""
    landmarks = clip.faces[index].landmarks.astype(np.float64)
    box = part_box(Part.MOUTH, landmarks, 512, 512)
    matte = cover_matte(watch.points, covered, landmarks, box)
    if matte is None:
        matte = np.zeros((box.height, box.width), np.float32)
    mouth = masks.polygon_mask(cover_outline(Part.MOUTH, landmarks), box) > 0.5
    mask = clip.hidden[index][box.slices]
    away = mouth & (cv2.dilate(mask, np.ones((41, 41), np.uint8)) == 0)
    hidden = mouth & (mask > 0)
    return (float(matte[hidden].mean()) if hidden.any() else 0.0, float(matte[away].mean()) if away.any() else 0.0)


@pytest.mark.parametrize("part", list(Part))
def test_nothing_is_marked_on_a_clip_in_which_nothing_is_in_front(part: Part, perceived: Perceived) -> None:
    """Speech, blinks and a turning head are no cover."""
    shot = perceived.example
    _, covered = watched(shot.frames, shot.faces, part)
    assert max(values.max() for values in covered) < 0.02


@pytest.mark.parametrize("colour", [DARK, BLUE])
def test_what_passes_over_the_mouth_is_marked_and_no_more(colour: tuple[int, int, int], perceived: Perceived) -> None:
    clip = passing(perceived.example, colour)
    watch, covered = watched(clip.frames, clip.faces, Part.MOUTH)
    told = np.array([shares(clip, index, watch, values) for index, values in enumerate(covered)])
    assert told[18:34, 0].mean() > 0.7 and told[18:34, 0].min() > 0.4, "over the mouth"
    assert told[:, 1].max() < 0.02, "where nothing is in front"
    for index in range(18, 34):
        at = clip.faces[index].landmarks[watch.points, :2].round().astype(int)
        deep = cv2.erode(clip.hidden[index], np.ones((21, 21), np.uint8))[at[:, 1], at[:, 0]] > 0
        far = cv2.dilate(clip.hidden[index], np.ones((41, 41), np.uint8))[at[:, 1], at[:, 0]] == 0
        assert not deep.any() or covered[index][deep].mean() > 0.7
        assert covered[index][far].max(initial=0) < 0.1


@pytest.mark.parametrize("part", [Part.LEFT_EYE, Part.RIGHT_EYEBROW])
def test_other_parts_do_not_care(part: Part, dark: Passing) -> None:
    _, covered = watched(dark.frames, dark.faces, part)
    assert max(values.max() for values in covered) < 0.02


def test_the_look_is_the_same_after_it_has_left(dark: Passing) -> None:
    _, covered = watched(dark.frames, dark.faces, Part.MOUTH)
    assert max(values.max() for values in covered[LAST + 1 + SMOOTHING_RADIUS :]) < 0.05


@pytest.mark.parametrize("length", [1, 3, 8])
def test_it_does_not_depend_on_the_windows(length: int, dark: Passing) -> None:
    _, whole = watched(dark.frames, dark.faces, Part.MOUTH)
    _, cut = watched(dark.frames, dark.faces, Part.MOUTH, length)
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(one, other)


def test_frames_without_a_face(perceived: Perceived) -> None:
    shot = perceived.example
    faces: list[Face | None] = list(shot.faces[:10])
    faces[4] = None
    watch = CoverWatch(Part.MOUTH, FaceLooks())
    assert watch.covered(shot.frames[:3], [None] * 3, slice(0, 3)) == [None] * 3
    covered = watch.covered(shot.frames[:10], faces, slice(0, 10))
    assert [values is None for values in covered] == [index == 4 for index in range(10)]
    assert all(values.max() < 0.02 for values in covered if values is not None)


def test_what_stays_for_long_becomes_the_look(perceived: Perceived) -> None:
    """A beard that is glued on: marked when it comes, and part of the person some hundreds of frames later."""
    shot = perceived.example
    frame, face = shot.frames[0], shot.faces[0]
    landmarks = face.landmarks
    worn = frame.image.copy()
    outline = landmarks[list(t.MOUTH_RING), :2].mean(axis=0)
    cv2.circle(worn, tuple(map(int, outline)), round(0.5 * face_scale(landmarks)), DARK, -1)
    watch = CoverWatch(Part.MOUTH, FaceLooks())
    frames = [Frame(i, frame.time + i, frame.image if i < 20 else worn) for i in range(900)]
    covered = [
        values
        for start in range(0, 900, 50)
        for values in watch.covered(frames[start : start + 50], [face] * 50, slice(0, 50))
    ]
    assert covered[30].max() > 0.9 and covered[-1].max() < 0.2


WHOLE = Box(0, 0, 100, 80)
GRID = np.array([(x, y, 0.0) for y in range(10, 80, 10) for x in range(10, 100, 10)])
POINTS = list(range(len(GRID)))


@pytest.fixture
def landmarks() -> np.ndarray:
    """A grid of points, and eyes 100 pixels apart, which makes the reach 10 pixels."""
    points = np.zeros((478, 3))
    points[POINTS] = GRID
    on_grid, other = t.RIGHT_EYE_CORNERS
    points[other] = (200, 0, 0) - points[on_grid]  # their middle is at (100, 0)
    points[list(t.LEFT_EYE_CORNERS)] = (200, 0, 0)
    assert face_scale(points) == 100
    return points


def spots(landmarks: np.ndarray, left_of: float) -> np.ndarray:
    return (landmarks[POINTS, 0] < left_of).astype(np.float64)


def test_covered_points_speak_for_the_pixels_around_them(landmarks: np.ndarray) -> None:
    matte = cover_matte(POINTS, spots(landmarks, 45), landmarks, WHOLE)
    assert matte is not None and matte.shape == (80, 100) and matte.dtype == np.float32
    assert matte[:, :30].min() > 0.95 and matte[:, 70:].max() < 0.02
    assert (np.diff(matte[40]) < 1e-3).all(), "falling from the covered side to the other"
    assert np.abs(np.diff(matte[40])).max() < 0.2, "softly"


def test_the_matte_does_not_depend_on_the_box(landmarks: np.ndarray) -> None:
    covered = spots(landmarks, 45)
    whole = cover_matte(POINTS, covered, landmarks, WHOLE)
    box = Box(20, 10, 80, 60)
    part = cover_matte(POINTS, covered, landmarks, box)
    assert whole is not None and part is not None
    np.testing.assert_allclose(part, whole[box.slices], atol=0.06)


def test_one_point_alone_is_nothing(landmarks: np.ndarray) -> None:
    covered = np.zeros(len(POINTS))
    assert cover_matte(POINTS, covered, landmarks, WHOLE) is None
    covered[30] = 1
    assert cover_matte(POINTS, covered, landmarks, WHOLE) is None
    covered[:] = 0.04
    assert cover_matte(POINTS, covered, landmarks, WHOLE) is None


def test_everything_covered(landmarks: np.ndarray) -> None:
    matte = cover_matte(POINTS, np.ones(len(POINTS)), landmarks, WHOLE)
    assert matte is not None
    np.testing.assert_allclose(matte, 1, atol=1e-3)


def change_under_the_ellipse(clip: Passing, perceived: Perceived) -> float:
    """Mean change of lip pixels that are hidden, in levels, over the frames in which it is well over the mouth."""
    method, span = Multiband(), slice(0, 36)
    prepared = method.prepare({Attribute.MOUTH: perceived.source("person_17")})
    patches = method.apply(Window(clip.frames[span], span, True), clip.faces[span], prepared)
    changes = []
    for index in range(20, 33):
        (patch,) = patches[index]
        assert patch.crop.offset is not None
        left, top = patch.crop.offset
        box = Box(left, top, left + patch.crop.width, top + patch.crop.height)
        change = np.abs(patch.image * 255 - clip.frames[index].image[box.slices]).max(axis=2)
        lips = masks.region_mask(masks.Region.LIPS, clip.faces[index].landmarks, box) > 0.5
        changes.append(change[lips & (cv2.erode(clip.hidden[index][box.slices], np.ones((9, 9), np.uint8)) > 0)])
    return float(np.concatenate(changes).mean())


@pytest.mark.parametrize("colour", [DARK, BLUE])
def test_the_edit_leaves_what_is_in_front(
    colour: tuple[int, int, int], perceived: Perceived, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = passing(perceived.example, colour)
    kept = change_under_the_ellipse(clip, perceived)
    monkeypatch.setattr(multiband, "cover_matte", lambda *_: None)
    painted_over = change_under_the_ellipse(clip, perceived)
    assert kept < 0.25 * painted_over
