from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.multiband import CLOSED, CORAL, WHOLE, change, still
from support.perceived import Perceived, edited

from faceloom.geometry.partcover import face_scale
from faceloom.methods.temple_hair import _AROUND, _PLACES, hair_matte, hair_over_brow
from faceloom.types import Attribute, Box, Part

MIDDLE, SPREAD = np.array([-1.0, 0.2, -0.1]), np.array([0.25, 0.1, 0.1])
BROWS = (Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW)


def face_with(part: Part, *away: float) -> np.ndarray:
    """Features of a face of plain skin that is so many deviations darker at the four landmarks around a brow."""
    features = np.tile(MIDDLE, (478, 1))
    for point, distance in zip(np.ravel(_AROUND[part]), away, strict=True):
        features[point, 0] -= distance * SPREAD[0]
    return features


@pytest.mark.parametrize("part", BROWS)
@pytest.mark.parametrize(
    ("away", "hidden"),
    [
        ((0, 0, 0, 0), (0, 0)),
        ((9, 9, 9, 9), (1, 1)),
        ((9, 1, 9, 0), (0, 1)),  # skin at the temple: the end is bare; hair above and none below: 4.5 in the mean
        ((3.5, 9, 5, 2), (0.5, 0.5)),  # half-way between 2.5 and 4.5
        ((2.5, 9, 2, 3), (0, 0)),
    ],
)
def test_hair_is_where_there_is_no_skin_around(
    part: Part, away: tuple[float, ...], hidden: tuple[float, float]
) -> None:
    np.testing.assert_allclose(hair_over_brow(part, face_with(part, *away), MIDDLE, SPREAD), hidden, atol=1e-6)


def test_a_tint_that_is_no_skins_counts_too() -> None:
    features = face_with(Part.LEFT_EYEBROW, 0, 0, 0, 0)
    features[:, 2] += 5 * SPREAD[2]
    np.testing.assert_allclose(hair_over_brow(Part.LEFT_EYEBROW, features, MIDDLE, SPREAD), 1)


def test_only_brows_are_hidden() -> None:
    dark = np.tile(MIDDLE - 9, (478, 1))
    for part in set(Part) - set(BROWS):
        assert not hair_over_brow(part, dark, MIDDLE, SPREAD).any()
        assert hair_matte(part, np.zeros((478, 3)), np.ones(2), WHOLE) is None


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
def test_the_matte_by_hand(angle: float) -> None:
    """A brow of 20 pixels from its middle to its end, in any direction: full at the end, half at the place between."""
    along, landmarks = np.array([np.cos(angle), np.sin(angle)]), np.zeros((478, 3))
    for pair, distance in zip(_PLACES[Part.LEFT_EYEBROW], (20, 10, 0), strict=True):
        landmarks[list(pair), :2] = np.array([50, 50]) + distance * along
    matte = hair_matte(Part.LEFT_EYEBROW, landmarks, np.array([1.0, 0.5]), Box(10, 20, 90, 80))
    assert matte is not None and matte.shape == (60, 80) and matte.dtype == np.float32
    for distance, expected in ((-8, 0), (0, 0), (5, 0.25), (10, 0.5), (15, 0.75), (20, 1), (28, 1)):
        for across in (-7, 0, 7):
            x, y = np.rint(np.array([50, 50]) + distance * along + across * np.array([-along[1], along[0]])).astype(int)
            assert matte[y - 20, x - 10] == pytest.approx(expected, abs=0.06)


def test_nothing_hidden_costs_nothing(perceived: Perceived) -> None:
    landmarks = perceived.source(CORAL).face.landmarks
    assert hair_matte(Part.LEFT_EYEBROW, landmarks, np.array([0.005, 0.0]), WHOLE) is None


def test_a_curtain_of_hair_stays_before_the_brow(perceived: Perceived) -> None:
    """A dark curtain is painted over the temple and the end of one brow; the other brow is bare."""
    source = perceived.source(CORAL)
    landmarks = source.face.landmarks.astype(np.float64)
    scale = face_scale(landmarks)
    edge = landmarks[[300, 293], 0].mean()  # between the end of the brow and the place a quarter inwards
    picture = source.image.copy()
    picture[:, round(edge) :] = (28, 20, 16)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.0)
    (after,) = edited({Attribute.EYEBROWS: perceived.source(CLOSED)}, [still(picture)], [source.face])
    changed = change(picture, after)
    beyond = np.zeros((512, 512), bool)
    beyond[:, round(landmarks[300, 0]) :] = True
    assert changed[beyond].max() <= 2, "hair beyond the brow's end is as it was"
    for inner in ((336, 285), (107, 55)):
        x, y = landmarks[list(inner), :2].mean(axis=0).round().astype(int)
        assert changed[y - 6 : y + 7, x - 6 : x + 7].max() > 15, "and both brows are new near the nose"
    (bare,) = edited({Attribute.EYEBROWS: perceived.source(CLOSED)}, [still(source.image)], [source.face])
    tail = np.zeros((512, 512), bool)
    x, y = landmarks[[300, 276], :2].mean(axis=0).round().astype(int)
    tail[y - round(0.08 * scale) : y + round(0.08 * scale), x - 4 : x + 5] = True
    assert change(source.image, bare)[tail].max() > 15, "without the curtain the end is new too"
