from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.multiband import WHOLE
from support.perceived import Perceived

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.methods.unifacegan.driver import drive_of_picture
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.goal import Goal, make_goal, rest_of
from faceloom.methods.unifacegan.lids import shut_lid
from faceloom.methods.unifacegan.reenact import LastTexture, head_box, reenact
from faceloom.types import FloatImage, Part

MADE_UP = "person_03"
EYES = ((Part.LEFT_EYE, t.LEFT_UPPER_LID, t.LEFT_LOWER_LID), (Part.RIGHT_EYE, t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID))


@pytest.fixture(scope="module")
def picture(perceived: Perceived) -> tuple[FloatImage, np.ndarray]:
    source = perceived.source(MADE_UP)
    return source.image.astype(np.float32) / np.float32(255), source.face.landmarks.astype(np.float64)


def closed(landmarks: np.ndarray, share: float) -> np.ndarray:
    """Upper lids ``share`` of the way down to the lower ones."""
    moved = landmarks.copy()
    for _, upper, lower in EYES:
        moved[list(upper)] += share * (landmarks[list(lower)] - landmarks[list(upper)])
    return moved


@pytest.mark.parametrize("part", [Part.LEFT_EYE, Part.RIGHT_EYE])
def test_an_eye_that_stays_as_it_is_gets_no_lid(part: Part, picture: tuple[FloatImage, np.ndarray]) -> None:
    frame, landmarks = picture
    assert shut_lid(part, frame, landmarks, landmarks, WHOLE, 0) is None
    raised = landmarks.copy()
    raised[list(t.LEFT_UPPER_LID_SKIN + t.RIGHT_UPPER_LID_SKIN), 1] -= 0.1 * face_scale(landmarks)
    assert shut_lid(part, frame, landmarks, raised, WHOLE, 0) is None, "a raised brow shuts no eye"


@pytest.mark.parametrize("index", [0, 1])
def test_a_shut_lid_is_even_skin_with_a_line_of_lashes(index: int, picture: tuple[FloatImage, np.ndarray]) -> None:
    frame, landmarks = picture
    part, upper, _ = EYES[index]
    wanted = closed(landmarks, 0.97)
    lid = shut_lid(part, frame, landmarks, wanted, WHOLE, 0)
    assert lid is not None and lid.hidden > 0.9
    made = lid.over(frame) * lid.light[..., None]
    middle, edge = slice(3, 6), wanted[list(upper)][:, :2]
    eye = masks.offset_outline(masks.outline(part, landmarks), -0.02 * face_scale(landmarks))
    inside = masks.polygon_mask(eye, WHOLE) > 0.99
    inside &= lid.light > 0.95
    assert made[inside].mean(axis=-1).std() < 0.3 * frame[inside].mean(axis=-1).std(), "no iris, no white, no lash"
    x, y = np.rint(edge[middle]).astype(int).T
    assert made[y, x].mean() < 0.75 * made[inside].mean(), "lashes are dark"
    above = int(0.08 * face_scale(landmarks))
    assert lid.light[y - above, x].min() > 0.95, "and end where the skin begins"


def test_lids_come_down_without_a_jump(picture: tuple[FloatImage, np.ndarray]) -> None:
    frame, landmarks = picture
    before = frame
    for share in np.linspace(0.05, 1, 39):
        lid = shut_lid(Part.LEFT_EYE, frame, landmarks, closed(landmarks, share), WHOLE, 0)
        now = frame if lid is None else lid.over(frame) * lid.light[..., None]
        assert np.abs(now - before).mean(axis=-1).max() < 0.4
        assert np.abs(now - before).mean() < 0.004
        before = now


def test_rims_of_glasses_stay(picture: tuple[FloatImage, np.ndarray]) -> None:
    frame, landmarks = picture
    bare, worn = (
        shut_lid(Part.LEFT_EYE, frame, landmarks, closed(landmarks, 0.95), WHOLE, glasses) for glasses in (0.0, 1.0)
    )
    assert bare is not None and worn is not None
    brow = np.rint(landmarks[list(t.LEFT_UNDER_BROW[3:6]), :2]).astype(int)
    assert worn.cover[brow[:, 1], brow[:, 0]].max() < 0.1 < bare.cover[brow[:, 1], brow[:, 0]].min()


def test_a_face_driven_to_sleep_shows_nothing_of_its_eyes(fitter: FaceFitter, perceived: Perceived) -> None:
    source = perceived.source(MADE_UP)
    landmarks = source.face.landmarks.astype(np.float64)
    rest = rest_of(fitter, source.image, landmarks)
    asleep = replace(drive_of_picture(source, fitter).drive, lids=(0.0, 0.0))
    goal: Goal = make_goal(fitter, rest, rest.parameters, landmarks, asleep, None)
    box = head_box(goal, 512, 512, False)
    made, matte = reenact(source.image, goal, fitter.model, box, False, LastTexture())
    for part, upper, _ in EYES:
        eye = masks.offset_outline(masks.outline(part, landmarks), -0.015 * face_scale(landmarks))
        inside = masks.polygon_mask(eye, box) > 0.99
        line = masks.line_mask(goal.landmarks[list(upper), :2], 0.12 * face_scale(landmarks), box) > 0
        inside &= ~line
        before = (source.image.astype(np.float32) / 255)[box.slices][inside].mean(axis=-1)
        assert made[inside].mean(axis=-1).std() < 0.4 * before.std()
        assert matte[inside].min() > 0.9
