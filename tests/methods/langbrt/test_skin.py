"""What may be retouched, on real portraits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.errors import WeightsError
from faceloom.geometry import topology as t
from faceloom.geometry.masks import Region, region_mask
from faceloom.methods.langbrt.prompts import Area
from faceloom.methods.langbrt.regions import area_masks
from faceloom.methods.langbrt.skin import ColouredSkin, ParsedSkin, beard, choose_skin, likeness, nostrils, skin_place
from faceloom.methods.vpartswap.crops import FaceCrop, cut_face
from faceloom.types import Box, Frame, Image, Matte, Part
from faceloom.weights import Store, builtin_records

BOX = Box(0, 0, 256, 256)
CHEEK, CHIN, FOREHEAD = 50, 199, 151


def crop_of(perceived: Perceived, name: str = "person_03") -> FaceCrop:
    source = perceived.source(name)
    return cut_face(Frame(0, 0, source.image), source.face, 256)


def at(mask: Matte, crop: FaceCrop, landmark: int) -> float:
    x, y = crop.landmarks[landmark, :2].round().astype(int)
    return float(mask[y - 2 : y + 3, x - 2 : x + 3].mean())


def share(mask: Matte, crop: FaceCrop, region: Part | Region) -> float:
    inside = region_mask(region, crop.landmarks, BOX)
    return float((mask * inside).sum() / inside.sum())


def spotted(crop: FaceCrop, colour: tuple[int, int, int], radius: int) -> tuple[Image, slice, slice]:
    """The picture with a soft disc of a colour on a cheek, and where it is."""
    x, y = crop.landmarks[CHEEK, :2].round().astype(int)
    disc = np.zeros((256, 256), np.float32)
    cv2.circle(disc, (int(x), int(y)), radius, 1.0, -1)
    disc = cv2.GaussianBlur(disc, (0, 0), 1)[..., None]
    picture = crop.rounded * (1 - disc) + disc * np.array(colour, np.float32)
    half = max(1, radius // 2)
    return picture.astype(np.uint8), slice(y - half, y + half + 1), slice(x - half, x + half + 1)


@pytest.mark.parametrize("name", ["person_01", "person_03", "person_05", "person_07"])
def test_skin_but_no_features(perceived: Perceived, name: str) -> None:
    crop = crop_of(perceived, name)
    mask = ColouredSkin().find(crop.rounded, crop.landmarks)
    assert mask.shape == (256, 256) and mask.min() >= 0 and mask.max() <= 1
    assert at(mask, crop, CHEEK) > 0.8 and at(mask, crop, FOREHEAD) > 0.8
    for part in (Part.LEFT_EYE, Part.RIGHT_EYE, Part.MOUTH, Part.LEFT_EYEBROW):
        assert share(mask, crop, part) < 0.08, part
    assert mask[:4].max() < 0.05 and mask[:, :4].max() < 0.05, "outside the face"


@pytest.mark.parametrize("name", ["person_01", "person_03", "person_05", "person_07"])
def test_nostrils_are_not_skin(perceived: Perceived, name: str) -> None:
    crop = crop_of(perceived, name)
    holes = nostrils(crop.rounded, crop.landmarks)
    for ring in (t.RIGHT_NOSTRIL, t.LEFT_NOSTRIL):
        x, y = crop.landmarks[list(ring), :2].mean(axis=0).round().astype(int)
        around = crop.rounded[y - 5 : y + 6, x - 5 : x + 6].mean(axis=2)
        darkest = np.unravel_index(int(around.argmin()), around.shape)
        assert holes[y - 5 + darkest[0], x - 5 + darkest[1]] > 0.5
    assert at(holes, crop, 4) < 0.05 and at(holes, crop, CHEEK) == 0, "the tip of the nose is skin"
    assert holes.mean() < 0.01
    mask = ColouredSkin().find(crop.rounded, crop.landmarks)
    assert (mask + holes).max() < 1.01


def test_pimples_are_skin(perceived: Perceived) -> None:
    crop = crop_of(perceived)
    tone = crop.rounded[region_mask(Region.SKIN, crop.landmarks, BOX) > 0.9].mean(axis=0)
    red = tuple((tone * [0.95, 0.7, 0.72]).astype(int))
    picture, rows, columns = spotted(crop, red, 4)
    assert ColouredSkin().find(picture, crop.landmarks)[rows, columns].mean() > 0.7


def test_a_hand_of_another_colour_and_a_bandage_are_not(perceived: Perceived) -> None:
    crop = crop_of(perceived)
    for colour in ((30, 60, 150), (20, 20, 20)):
        picture, rows, columns = spotted(crop, colour, 18)
        assert ColouredSkin().find(picture, crop.landmarks)[rows, columns].mean() < 0.1


def test_beards_are_not_skin(perceived: Perceived) -> None:
    """Hair over the skin from cheek to cheek: darker, and paler."""
    crop = crop_of(perceived)
    ring = crop.landmarks[[t.FACE_OVAL[i] for i in range(9, 28)], :2]
    inner = crop.landmarks[[57, 43, 106, 182, 83, 18, 313, 406, 335, 273, 287], :2][::-1]
    mask = np.zeros((256, 256), np.uint8)
    cv2.fillPoly(mask, [np.vstack([ring, inner]).round().astype(np.int32)], 1)
    strands = np.random.default_rng(0).uniform(0.5, 1.0, (256, 256, 1))
    gray = crop.rounded.mean(axis=2, keepdims=True)
    hair = strands * (0.45 * crop.rounded + 0.25 * gray)
    picture = np.where(mask[..., None] > 0, hair, crop.rounded).clip(0, 255).astype(np.uint8)
    inside = (cv2.erode(mask, np.ones((9, 9), np.uint8)) > 0) & (skin_place(picture, crop.landmarks) > 0.9)
    assert ColouredSkin().find(picture, crop.landmarks)[inside].mean() < 0.15
    assert ColouredSkin().find(crop.rounded, crop.landmarks)[inside].mean() > 0.8, "which is skin without one"


def test_rims_of_glasses_are_not_skin(perceived: Perceived) -> None:
    crop = crop_of(perceived)
    picture = crop.rounded.copy()
    for eye in (468, 473):
        x, y = crop.landmarks[eye, :2].round().astype(int)
        cv2.ellipse(picture, (int(x), int(y) + 2), (24, 18), 0, 0, 360, (40, 40, 45), 2, cv2.LINE_AA)
    (left, top), (right, _) = (crop.landmarks[eye, :2].round().astype(int) for eye in (468, 473))
    cv2.line(picture, (int(left) + 24, int(top)), (int(right) - 24, int(top)), (40, 40, 45), 2, cv2.LINE_AA)
    drawn = np.abs(picture.astype(int) - crop.rounded).sum(axis=2) > 120
    drawn &= skin_place(picture, crop.landmarks) > 0.9
    assert ColouredSkin().find(picture, crop.landmarks)[drawn].mean() < 0.15
    assert ColouredSkin().find(crop.rounded, crop.landmarks)[drawn].mean() > 0.7, "which is skin without them"


def test_redness_is_no_beard(perceived: Perceived) -> None:
    """Darker by a fifth, but with more colour."""
    crop = crop_of(perceived)
    flushed = (crop.rounded * np.array([0.95, 0.72, 0.75])).astype(np.uint8)
    rows = slice(int(crop.landmarks[164, 1]), 256)
    picture = crop.rounded.copy()
    picture[rows] = flushed[rows]
    chin = area_masks(crop.landmarks, BOX)[Area.CHIN] > 0.5
    assert beard(picture, crop.landmarks)[chin].mean() < 0.05


def test_of_gray_pictures_nothing_is_said(perceived: Perceived) -> None:
    crop = crop_of(perceived)
    gray = np.repeat(crop.rounded[..., 1:2], 3, axis=2)
    assert not beard(gray, crop.landmarks).any()
    assert at(ColouredSkin().find(gray, crop.landmarks), crop, CHEEK) > 0.8


def test_place_ends_at_the_face(perceived: Perceived) -> None:
    crop = crop_of(perceived)
    place = skin_place(crop.rounded, crop.landmarks)
    assert at(place, crop, CHIN) > 0.9 and place[-3:].max() == 0


def test_a_face_outside_the_picture_is_no_skin(perceived: Perceived) -> None:
    crop = crop_of(perceived)
    assert not likeness(crop.rounded, crop.landmarks + np.array([1000.0, 1000, 0]), 1).any()


@pytest.fixture(scope="module")
def parsed() -> ParsedSkin:
    pytest.importorskip("torch", reason="face parsing needs torch")
    store = Store()
    store.ensure(["bisenet_celebamask"])
    skin = choose_skin("parser", store)
    assert isinstance(skin, ParsedSkin)
    return skin


class TestParser:
    def test_it_agrees_with_colour_on_bare_faces(self, parsed: ParsedSkin, perceived: Perceived) -> None:
        crop = crop_of(perceived)
        one, other = (
            parsed.find(crop.rounded, crop.landmarks, parsed.parse(crop.rounded)),
            ColouredSkin().find(crop.rounded, crop.landmarks),
        )
        assert np.minimum(one, other).sum() > 0.75 * np.maximum(one, other).sum()

    def test_noses_are_skin_too(self, parsed: ParsedSkin, perceived: Perceived) -> None:
        crop = crop_of(perceived, "person_01")
        mask = parsed.find(crop.rounded, crop.landmarks, parsed.parse(crop.rounded))
        assert share(mask, crop, Part.NOSE) > 0.7

    def test_without_parsing_the_rest_decides(self, parsed: ParsedSkin, perceived: Perceived) -> None:
        crop = crop_of(perceived)
        assert share(parsed.find(crop.rounded, crop.landmarks, None), crop, Part.NOSE) > 0.7

    def test_auto_takes_what_is_there(self, parsed: ParsedSkin, tmp_path_factory: pytest.TempPathFactory) -> None:
        assert isinstance(choose_skin("auto", Store()), ParsedSkin)
        assert isinstance(choose_skin("colour", Store()), ColouredSkin)
        assert isinstance(choose_skin("auto", Store(only_permissive=True)), ColouredSkin), "its licence is restricted"
        empty = Store(tmp_path_factory.mktemp("empty"))
        assert isinstance(choose_skin("auto", empty), ColouredSkin)
        with pytest.raises(WeightsError):
            choose_skin("parser", empty)


def test_auto_where_the_parser_is_not_known() -> None:
    records = {name: record for name, record in builtin_records().items() if name != "bisenet_celebamask"}
    assert isinstance(choose_skin("auto", Store(records=records)), ColouredSkin)
