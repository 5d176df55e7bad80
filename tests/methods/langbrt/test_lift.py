"""From the aligned face to the full-size picture."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.compose import paste
from faceloom.geometry.masks import region_mask
from faceloom.methods.langbrt import lift as module
from faceloom.methods.langbrt.lift import lift
from faceloom.methods.langbrt.temporal import Correction
from faceloom.methods.langbrt.tone import log_light
from faceloom.methods.vpartswap.crops import FaceCrop, cut_face
from faceloom.types import Box, Face, Frame, Image, Part, Patch

SIZE = 256
SKIN = np.ones((SIZE, SIZE), np.float32)
FAR = np.full((478, 2), -9 * SIZE, np.float32)
"""Landmarks that leave no feature of the face in the picture."""


def enlarged(perceived: Perceived, side: int) -> tuple[Frame, Face]:
    """A portrait at another size, with grain, and the face in it."""
    image = cv2.resize(perceived.source("person_03").image, (side, side), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, 3, (side, side, 1))
    image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return Frame(0, Fraction(0), image), perceived.face(image)


def patch_of_change(strength: float = 0.3, centre: tuple[int, int] = (150, 90), radius: int = 25) -> Correction:
    """A round, soft correction that brightens."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(rows - centre[0], columns - centre[1])
    cover = np.clip((radius - distance) / 6, 0, 1).astype(np.float32)
    return Correction(np.dstack([strength * cover] * 3 + [cover]), FAR)


def lifted(frame: Frame, face: Face, correction: Correction) -> tuple[Image, list[Patch], FaceCrop]:
    seen = cut_face(frame, face, SIZE)
    patches = lift(frame, seen.crop, seen.picture, SKIN, correction, 1.0)
    return paste(frame, patches).image, patches, seen


@pytest.mark.parametrize("side", [200, 512, 1100])
def test_outside_nothing_changes_inside_it_does(perceived: Perceived, side: int) -> None:
    frame, face = enlarged(perceived, side)
    image, patches, seen = lifted(frame, face, patch_of_change())
    cover = cv2.warpAffine(
        patch_of_change().cover, seen.crop.matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    far = cv2.dilate(cover, np.ones((9, 9), np.uint8)) == 0
    np.testing.assert_array_equal(image[far], frame.image[far])
    deep = cover > 0.99
    gain = np.log(image[deep].mean() / frame.image[deep].mean())
    assert 0.09 < gain < 0.2, "0.3 of the logarithm of linear light is about 0.13 of sRGB"
    assert all(patch.crop.offset is not None for patch in patches)


def test_detail_stays(perceived: Perceived) -> None:
    frame, face = enlarged(perceived, 1100)
    image, _, seen = lifted(frame, face, patch_of_change())
    size = (1100, 1100)
    cover = cv2.warpAffine(patch_of_change().cover, seen.crop.matrix, size, flags=cv2.WARP_INVERSE_MAP) > 0.99

    def detail(x: Image) -> np.ndarray:
        log = np.log(x.astype(np.float32) + 8)
        return (log - cv2.GaussianBlur(log, (0, 0), 2))[cover]

    before, after = detail(frame.image), detail(image)
    assert 0.85 < after.std() / before.std() < 1.15
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.93


def test_tiles_do_not_show(perceived: Perceived, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, face = enlarged(perceived, 1100)
    whole, (_one,), _ = lifted(frame, face, patch_of_change())
    monkeypatch.setattr(module, "_TILE", 90)
    tiled, patches, _ = lifted(frame, face, patch_of_change())
    assert len(patches) > 4
    apart = np.abs(tiled.astype(int) - whole)
    assert apart.max() <= 1 and (apart > 0).mean() < 1e-4


def test_tiles_are_no_larger_than_needed(perceived: Perceived) -> None:
    frame, face = enlarged(perceived, 1100)
    _, patches, _ = lifted(frame, face, patch_of_change(radius=10))
    assert sum(patch.matte.size for patch in patches) < 0.02 * 1100**2


def test_gray_stays_gray(perceived: Perceived) -> None:
    frame, face = enlarged(perceived, 512)
    gray = Frame(0, Fraction(0), np.repeat(frame.image[..., :1], 3, axis=2))
    colourful = patch_of_change()
    values = colourful.values * np.array([1, 0.2, -0.5, 1], np.float32)
    image, patches, _ = lifted(gray, face, Correction(values, colourful.landmarks))
    assert patches and not np.array_equal(image, gray.image)
    np.testing.assert_array_equal(image[..., 0], image[..., 1])
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_no_cover_no_patch(perceived: Perceived) -> None:
    frame, face = enlarged(perceived, 200)
    assert lifted(frame, face, Correction(np.zeros((SIZE, SIZE, 4), np.float32), FAR))[1] == []


def test_a_face_half_outside(perceived: Perceived) -> None:
    frame, face = enlarged(perceived, 512)
    cut = Frame(0, Fraction(0), np.ascontiguousarray(frame.image[:, 256:]))
    moved = face.landmarks - np.array([256, 0, 0], np.float32)
    half = Face(moved, face.blendshapes, face.pose, face.confidence)
    image, patches, _ = lifted(cut, half, patch_of_change(centre=(150, 128), radius=50))
    assert image.shape == cut.image.shape
    for patch in patches:
        left, top = patch.crop.offset or (-1, -1)
        assert left >= 0 and top >= 0 and left + patch.crop.width <= 256 and top + patch.crop.height <= 512


def test_features_end_sharply(perceived: Perceived) -> None:
    """Where the cover runs over an eye, the eye keeps every bit."""
    frame, face = enlarged(perceived, 1100)
    seen = cut_face(frame, face, SIZE)
    eye = seen.landmarks[468].round().astype(int)
    blind = patch_of_change(centre=(int(eye[1]), int(eye[0])))
    image, _, _ = lifted(frame, face, Correction(blind.values, seen.landmarks[:, :2].astype(np.float32)))
    inside = region_mask(Part.RIGHT_EYE, face.landmarks, Box(0, 0, 1100, 1100)) == 1
    near = cv2.dilate(inside.astype(np.uint8), np.ones((21, 21), np.uint8)) > 0
    np.testing.assert_array_equal(image[inside], frame.image[inside])
    assert (image[near & ~inside] != frame.image[near & ~inside]).mean() > 0.5


def test_grain_is_put_back(perceived: Perceived) -> None:
    """A network that smooths all it touches leaves skin as rough as it was."""
    frame, face = enlarged(perceived, 300)
    seen = cut_face(frame, face, SIZE)
    cover = patch_of_change().cover
    smooth = cv2.GaussianBlur(seen.picture, (0, 0), 3)
    change = (log_light(smooth) - log_light(seen.picture)) * cover[..., None]
    correction = Correction(np.dstack([change, cover]).astype(np.float32), FAR)
    where = cv2.warpAffine(cover, seen.crop.matrix, (300, 300), flags=cv2.WARP_INVERSE_MAP) > 0.99

    def roughness(image: Image) -> float:
        gray = image.astype(np.float32).mean(axis=2)
        return float((gray - cv2.GaussianBlur(gray, (0, 0), 1))[where].std())

    bare, grainy = (
        paste(frame, lift(frame, seen.crop, seen.picture, SKIN, correction, grain)).image for grain in (0.0, 1.0)
    )
    assert roughness(bare) < 0.75 * roughness(frame.image)
    assert 0.75 < roughness(grainy) / roughness(frame.image) < 1.2
