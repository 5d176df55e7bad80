from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from faceloom.compose import paste
from faceloom.errors import RecipeError
from faceloom.evaluate.baselines import SeamlessClone, UnwarpedPaste, five_points
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import part_box, part_matte
from faceloom.media import read_image
from faceloom.types import Attribute, Face, Frame, Source, Window

ROOT = Path(__file__).parents[2]
PORTRAIT = ROOT / "examples" / "portraits" / "person_05.jpg"
FRONTAL = np.eye(4)


def face_at(landmarks: np.ndarray, pose: np.ndarray = FRONTAL) -> Face:
    return Face(landmarks.astype(np.float32), np.zeros(52, np.float32), pose, 1.0, track=1)


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    """A real frontal face in a picture of 512 x 512."""
    with np.load(ROOT / "tests" / "data" / "perceive" / "real_nets.npz") as data:
        return data["person_05.landmarks"]


@pytest.fixture(scope="module")
def source(landmarks) -> Source:
    return Source(PORTRAIT, read_image(PORTRAIT), face_at(landmarks))


def frame_of(image: np.ndarray) -> Frame:
    return Frame(0, Fraction(0), image)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (512, 512, 3), dtype=np.uint8)


def edit(method_class, attribute, source, frames, faces):
    method = method_class({})
    window = Window(frames, slice(0, len(frames)), first=True)
    return method.apply(window, faces, method.prepare({attribute: source}))


@pytest.mark.parametrize("method_class", [UnwarpedPaste, SeamlessClone])
@pytest.mark.parametrize("attribute", [Attribute.MOUTH, Attribute.EYES, Attribute.NOSE, Attribute.EYEBROWS])
def test_pixels_change_only_under_the_matte(method_class, attribute, source, landmarks):
    frame = frame_of(noise(1))
    moved = landmarks * 0.8 + np.array([40, 60, 0])
    edited = paste(frame, edit(method_class, attribute, source, [frame], [face_at(moved)])[0])
    allowed, solid = np.zeros((512, 512), bool), np.zeros((512, 512), bool)
    for part in attribute.parts:
        box = part_box(part, moved, 512, 512)
        matte = part_matte(part, moved, landmarks.astype(np.float64), box)
        allowed[box.slices] |= matte > (0.5 if method_class is SeamlessClone else 0)
        solid[box.slices] |= matte > 0.55
    changed = (edited.image != frame.image).any(axis=-1)
    assert not (changed & ~allowed).any()
    assert (changed & solid).sum() > 0.95 * solid.sum()


def test_an_unwarped_paste_of_a_picture_onto_itself_changes_nothing(source, landmarks):
    frame = frame_of(source.image)
    edited = paste(frame, edit(UnwarpedPaste, Attribute.MOUTH, source, [frame], [source.face])[0])
    assert np.abs(edited.image.astype(int) - source.image).max() <= 1


def test_a_seamless_clone_of_a_picture_onto_itself_changes_next_to_nothing(source, landmarks):
    frame = frame_of(source.image)
    edited = paste(frame, edit(SeamlessClone, Attribute.MOUTH, source, [frame], [source.face])[0])
    assert np.abs(edited.image.astype(int) - source.image).max() <= 3


def test_an_unwarped_paste_follows_a_shift_of_the_whole_face(source, landmarks):
    frame = frame_of(np.zeros((512, 512, 3), np.uint8))
    (here,), (there,) = edit(
        UnwarpedPaste, Attribute.NOSE, source, [frame, frame], [source.face, face_at(landmarks + np.array([7, -5, 0]))]
    )
    a, b = paste(frame, [here]).image, paste(frame, [there]).image
    difference = np.abs(np.roll(a, (-5, 7), axis=(0, 1)).astype(int) - b)
    assert difference.max() <= 1


def test_a_paste_keeps_the_mouth_of_the_reference_and_a_clone_opens_it(source, landmarks):
    opened = landmarks.copy()
    opened[list(t.LOWER_LIP_OUTER[1:-1] + t.LOWER_LIP_MIDDLE[1:-1] + t.LOWER_LIP_INNER[1:-1]), 1] += 12
    frame = frame_of(source.image)
    column, row = landmarks[17, :2].round().astype(int) + np.array([0, 10])  # on the lower lip once it is open
    looked_up = {}
    for method_class in (UnwarpedPaste, SeamlessClone):
        (patch,) = edit(method_class, Attribute.MOUTH, source, [frame], [face_at(opened)])[0]
        x, y = patch.crop.offset
        looked_up[method_class] = np.abs(patch.image[row - y, column - x] * 255 - source.image[row, column]).max()
    # The five points have not moved, so the paste lies exactly on the reference; the clone brings the lip here.
    assert looked_up[UnwarpedPaste] < 1
    assert looked_up[SeamlessClone] > 10


@pytest.mark.parametrize("method_class", [UnwarpedPaste, SeamlessClone])
def test_no_face_and_a_part_turned_away_leave_the_frame_alone(method_class, source):
    turned = np.eye(4)
    turned[0, 0], turned[0, 2], turned[2, 0], turned[2, 2] = 0, 1, -1, 0  # a quarter turn
    frame = frame_of(noise(2))
    patches = edit(
        method_class, Attribute.MOUTH, source, [frame, frame], [None, face_at(source.face.landmarks, turned)]
    )
    assert patches == [[], []]


@pytest.mark.parametrize("method_class", [UnwarpedPaste, SeamlessClone])
def test_a_face_cut_by_the_border_of_the_frame_is_edited(method_class, source, landmarks):
    mouth = landmarks[list(t.MOUTH_CORNERS), :2].mean(axis=0)
    cut = landmarks - np.array([mouth[0], 0, 0])  # the mouth's middle lies on the left border
    frame = frame_of(noise(3))
    edited = paste(frame, edit(method_class, Attribute.MOUTH, source, [frame], [face_at(cut)])[0])
    assert (edited.image != frame.image).any()


def test_options_are_refused():
    with pytest.raises(RecipeError, match="no options"):
        UnwarpedPaste({"quality": 1})


def test_five_points_are_eyes_nose_and_mouth_corners(landmarks):
    points = five_points(landmarks)
    right_eye, left_eye, nose, right_mouth, left_mouth = points
    assert points.shape == (5, 2)
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert right_eye[1] < nose[1] < right_mouth[1]
