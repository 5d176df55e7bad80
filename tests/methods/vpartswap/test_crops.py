"""Aligned crops: out of the frame and back."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.aligned import aligned, portrait, stored_landmarks

from faceloom.geometry.similarity import face_crop, transform
from faceloom.methods.vpartswap.crops import cut_face, enlarge, resample, to_crop
from faceloom.types import Box, Face, Frame

SIZE = 128


def smooth(width: int = 512, height: int = 512) -> NDArray[np.uint8]:
    """A picture of long waves, each channel its own."""
    y, x = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin(x / a + 1) * np.cos(y / b) for a, b in ((60, 80), (90, 50), (70, 70))]
    return np.stack(waves, axis=-1).astype(np.uint8)


def face(landmarks: NDArray[np.float32]) -> Face:
    return Face(landmarks, np.zeros(52, np.float32), np.eye(4), 1.0)


def turned(landmarks: NDArray[np.float32], degrees: float, scale: float = 1.0) -> NDArray[np.float32]:
    matrix = cv2.getRotationMatrix2D((256, 256), degrees, scale)
    out = landmarks.copy()
    out[:, :2] = transform(matrix, landmarks)
    out[:, 2] *= scale
    return out


def test_a_cut_face_has_picture_and_landmarks_on_each_other() -> None:
    frame = Frame(7, Fraction(0), portrait(1))
    cut = cut_face(frame, face(stored_landmarks(1)), SIZE)
    assert cut.index == 7 and cut.picture.shape == (SIZE, SIZE, 3) and cut.picture.dtype == np.float32
    assert cut.picture.min() >= 0 and cut.picture.max() <= 1
    assert cut.rounded.dtype == np.uint8 and np.abs(cut.rounded / 255 - cut.picture).max() <= 0.5 / 255 + 1e-6
    expected = aligned(1, SIZE)
    assert np.array_equal(cut.picture, expected.picture) and np.array_equal(cut.landmarks, expected.landmarks)
    np.testing.assert_allclose(cut.landmarks[:, :2], transform(cut.crop.matrix, stored_landmarks(1)))


def test_depth_is_in_the_unit_of_x() -> None:
    landmarks = stored_landmarks(2)
    found = to_crop(landmarks, face_crop(landmarks, SIZE))
    ratio = np.ptp(found[:, 0]) / np.ptp(landmarks[:, 0])
    assert np.ptp(found[:, 2]) / np.ptp(landmarks[:, 2]) == pytest.approx(ratio, rel=0.02)


@pytest.mark.parametrize("degrees", [0, 17, -40])
def test_a_smooth_picture_survives_the_way_there_and_back(degrees: float) -> None:
    image = smooth()
    crop = face_crop(turned(stored_landmarks(1), degrees, 0.8), SIZE)
    box = Box(200, 190, 321, 300)
    back = enlarge(resample(image, crop), crop, box)
    assert back.shape == (110, 121, 3)
    assert np.abs(back * 255 - image[box.slices]).max() < 4


def test_every_pixel_of_a_crop_is_the_frames_at_the_place_it_maps_to() -> None:
    image = smooth()
    crop = face_crop(turned(stored_landmarks(1), 25), SIZE)
    found = resample(image, crop)
    inverse = cv2.invertAffineTransform(crop.matrix)
    for x, y in [(30, 40), (64, 64), (100, 80)]:
        column, row = np.rint(transform(inverse, np.array([x, y], np.float64))).astype(int)
        np.testing.assert_allclose(found[y, x] * 255, image[row, column], atol=6)


def test_shrinking_does_not_alias() -> None:
    """Stripes of single pixels, shrunk to less than a half, become grey."""
    image = np.zeros((512, 512, 3), np.uint8)
    image[:, ::2] = 255
    found = resample(image, face_crop(stored_landmarks(1), 64))[16:48, 16:48]
    assert np.abs(found - 0.5).max() < 0.1


@pytest.mark.parametrize("shift", [(-230, 0), (230, 40), (0, -260), (40, 250)])
def test_a_face_at_the_border_repeats_the_border(shift: tuple[float, float]) -> None:
    image = smooth()
    landmarks = stored_landmarks(1) + np.float32([*shift, 0])
    crop = face_crop(landmarks, SIZE)
    found = resample(image, crop)
    assert found.shape == (SIZE, SIZE, 3) and np.isfinite(found).all()
    y, x = np.mgrid[:SIZE, :SIZE]
    where = transform(cv2.invertAffineTransform(crop.matrix), np.stack([x, y], axis=-1).astype(np.float64))
    inside = np.rint(where.clip(0, 511)).astype(int)
    assert ((where < -8) | (where > 519)).any()
    error = np.abs(found * 255 - image[inside[..., 1], inside[..., 0]]).max(axis=2)
    assert np.percentile(error, 99) < 8


def test_a_face_that_has_left_the_frame_gives_a_picture_still() -> None:
    landmarks = stored_landmarks(1) + np.float32([5000, 0, 0])
    found = resample(smooth(), face_crop(landmarks, 32))
    assert found.shape == (32, 32, 3) and np.isfinite(found).all()


def test_enlarging_reads_the_crop_where_the_box_lies_on_it() -> None:
    """The crop's own coordinates, enlarged, are what the matrix says."""
    crop = face_crop(turned(stored_landmarks(1), 10), SIZE)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    box = Box(230, 240, 280, 270)
    found = enlarge(np.dstack([x, y, x]), crop, box)
    rows, columns = np.mgrid[box.top : box.bottom, box.left : box.right].astype(np.float64)
    expected = transform(crop.matrix, np.stack([columns, rows], axis=-1))
    np.testing.assert_allclose(found[..., :2], expected, atol=0.05)


def test_a_frame_index_is_kept() -> None:
    assert replace(aligned(1, 16), index=3).index == 3
