"""The reference's part, bent to the landmarks of a frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from support.aligned import aligned

from faceloom.geometry import topology as t
from faceloom.geometry import warp
from faceloom.geometry.masks import outline
from faceloom.geometry.partcover import cover_outline, face_scale
from faceloom.geometry.similarity import fit_similarity, transform
from faceloom.methods.vpartswap.alignment import (
    ReferencePart,
    align,
    band_width,
    lit,
    reference_part,
    sampling_grid,
)
from faceloom.methods.vpartswap.crops import FaceCrop
from faceloom.types import Part

SIZE = 128
BENT = [part for part in Part if part != Part.NOSE]


def reference(part: Part, person: int = 2) -> ReferencePart:
    face = aligned(person, SIZE)
    return reference_part(part, face.picture, face.landmarks)


@pytest.fixture(scope="module")
def frame() -> FaceCrop:
    return aligned(1, SIZE)


def at(grid: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Where the grid leads from points of the frame, (N, 2)."""
    return warp.sample(grid, points[:, None, :2].astype(np.float32))[:, 0]


@pytest.mark.parametrize("part", BENT)
def test_landmarks_go_to_landmarks(part: Part, frame: FaceCrop) -> None:
    """The outline that a transfer covers, in a frame whose face lies some pixels beside the reference's."""
    landmarks = frame.landmarks + np.array([4, -3, 0])
    ring, wanted = cover_outline(part, landmarks), cover_outline(part, reference(part).landmarks)
    error = np.hypot(*(at(sampling_grid(reference(part), landmarks, tps=True), ring) - wanted).T)
    assert np.median(error) < 0.3 and error.max() < 0.7
    assert np.hypot(*(ring - wanted).T).min() > 2


def test_the_mouths_ring_within_half_a_pixel(frame: FaceCrop) -> None:
    ring = list(t.MOUTH_RING)
    found = at(sampling_grid(reference(Part.MOUTH), frame.landmarks, tps=True), frame.landmarks[ring])
    assert np.hypot(*(found - reference(Part.MOUTH).landmarks[ring, :2]).T).max() < 0.5


@pytest.mark.parametrize("part", BENT)
def test_the_border_stays(part: Part, frame: FaceCrop) -> None:
    grid = sampling_grid(reference(part), frame.landmarks, tps=True)
    ends = [0, SIZE - 1]
    for y in ends:
        for x in ends:
            np.testing.assert_allclose(grid[y, x], (x, y), atol=0.75)


def test_a_nose_is_moved_turned_and_scaled(frame: FaceCrop) -> None:
    nose = list(t.NOSE_POINTS)
    own = reference(Part.NOSE)
    grid = sampling_grid(own, frame.landmarks, tps=True)
    y, x = np.mgrid[:SIZE, :SIZE]
    pixels = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float64)
    found = fit_similarity(pixels, grid.reshape(-1, 2))
    np.testing.assert_allclose(transform(found, pixels), grid.reshape(-1, 2), atol=1e-3)  # a similarity everywhere
    np.testing.assert_allclose(found, fit_similarity(frame.landmarks[nose], own.landmarks[nose]), atol=1e-4)


@pytest.mark.parametrize("part", [Part.NOSE, Part.MOUTH])
def test_without_bending_the_crops_lie_on_each_other(part: Part, frame: FaceCrop) -> None:
    own = reference(part)
    found = align(own, frame.landmarks, frame.picture, tps=False, layers=True)
    y, x = np.mgrid[:SIZE, :SIZE]
    assert np.array_equal(found.grid, np.stack([x, y], axis=-1).astype(np.float32))
    np.testing.assert_allclose(found.picture, own.picture, atol=1e-6)
    np.testing.assert_allclose(found.mask, own.mask, atol=1e-6)


@pytest.mark.parametrize("part", list(Part))
def test_a_face_on_itself_changes_nothing(part: Part) -> None:
    face = aligned(3, SIZE)
    found = align(reference(part, 3), face.landmarks, face.picture, tps=True, layers=False)
    assert np.abs(found.picture - face.picture).mean() < 0.004
    assert np.abs(found.mask - reference(part, 3).mask).max() < 0.05


@pytest.mark.parametrize("part", list(Part))
def test_picture_and_mask_are_looked_up_on_one_grid(part: Part, frame: FaceCrop) -> None:
    own = reference(part)
    found = align(own, frame.landmarks, frame.picture, tps=True, layers=False)
    assert found.picture.shape == (SIZE, SIZE, 3) and found.mask.shape == (SIZE, SIZE)
    assert found.grid.shape == (SIZE, SIZE, 2) and found.grid.dtype == np.float32
    assert np.array_equal(found.mask, warp.sample(own.mask, found.grid))
    assert np.array_equal(found.picture, warp.sample(own.picture, found.grid))
    # The part lies where the frame's is.
    y, x = np.mgrid[:SIZE, :SIZE]
    centre = np.array([(found.mask * axis).sum() for axis in (x, y)]) / found.mask.sum()
    middle = outline(part, frame.landmarks)
    assert np.linalg.norm(centre - (middle.min(axis=0) + middle.max(axis=0)) / 2) < 0.1 * face_scale(frame.landmarks)


def open_mouth(face: FaceCrop) -> FaceCrop:
    """Lower lip and chin dropped by a third of the distance between the eyes."""
    landmarks = face.landmarks.copy()
    lower = list(t.LOWER_LIP_INNER[1:-1] + t.LOWER_LIP_OUTER[1:-1] + t.LOWER_LIP_SKIN[1:-1])
    landmarks[lower, 1] += face_scale(landmarks) / 3
    return replace(face, landmarks=landmarks)


def test_between_open_lips_the_target_shows_its_own(frame: FaceCrop) -> None:
    target = open_mouth(frame)
    gap = np.array(target.landmarks[[t.UPPER_LIP_INNER[5], t.LOWER_LIP_INNER[5]], :2]).mean(axis=0)
    x, y = np.rint(gap).astype(int)
    marked = target.picture.copy()
    marked[y - 1 : y + 2, x - 1 : x + 2] = (0, 1, 0)
    own = reference(Part.MOUTH)
    with_layers, without = (
        align(own, target.landmarks, marked, tps=True, layers=layers).picture[y, x] for layers in (True, False)
    )
    np.testing.assert_allclose(with_layers, (0, 1, 0), atol=0.05)
    assert np.abs(without - (0, 1, 0)).max() > 0.2


@pytest.mark.parametrize("part", [Part.MOUTH, Part.LEFT_EYE])
def test_layers_change_the_part_alone(part: Part, frame: FaceCrop) -> None:
    target = open_mouth(frame)
    own = reference(part)
    with_layers, without = (
        align(own, target.landmarks, target.picture, tps=True, layers=layers) for layers in (True, False)
    )
    changed = np.abs(with_layers.picture - without.picture).max(axis=2)
    assert changed.max() > 0.05
    ring = outline(part, target.landmarks)
    reach = 0.5 * face_scale(target.landmarks)
    y, x = np.mgrid[:SIZE, :SIZE]
    low, high = ring.min(axis=0) - reach, ring.max(axis=0) + reach
    far = (x < low[0]) | (x > high[0]) | (y < low[1]) | (y > high[1])
    assert not changed[far].any()
    assert np.array_equal(with_layers.mask, without.mask) and np.array_equal(with_layers.grid, without.grid)


def test_width_of_the_band_is_in_distances_between_the_eyes(frame: FaceCrop) -> None:
    assert band_width(frame.landmarks, 0.1) == pytest.approx(0.1 * face_scale(frame.landmarks))
    assert band_width(2 * frame.landmarks, 0.1) == pytest.approx(2 * band_width(frame.landmarks, 0.1))


def test_light_multiplies_the_picture_alone() -> None:
    own = reference(Part.MOUTH)
    gain = np.zeros((3, 3))
    np.testing.assert_allclose(lit(own, gain).picture, own.picture, atol=1e-6)
    gain[0] = np.log([0.5, 1.0, 2.0])
    found = lit(own, gain)
    ratio = (found.picture + 0.02) / (own.picture + 0.02)
    unclipped = (found.picture > 0) & (found.picture < 1)
    for channel, expected in enumerate((0.5, 1.0, 2.0)):
        np.testing.assert_allclose(ratio[..., channel][unclipped[..., channel]], expected, rtol=1e-3)
    assert found.picture.min() >= 0 and found.picture.max() <= 1
    assert found.mask is own.mask and found.landmarks is own.landmarks


def test_light_that_changes_across_the_part_goes_on_no_further() -> None:
    own = replace(reference(Part.MOUTH), picture=np.full((SIZE, SIZE, 3), 0.3, np.float32))
    gain = np.zeros((3, 3))
    gain[1] = 0.5
    across = lit(own, gain).picture[SIZE * 3 // 4, :, 0]
    assert (np.diff(across) >= 0).all() and across[0] < 0.25 < 0.35 < across[-1]
    assert across[0] == across[1] and across[-1] == across[-2]
