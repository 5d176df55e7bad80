from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.perceived import Perceived

from faceloom.errors import WeightsError
from faceloom.geometry import masks
from faceloom.geometry.partcover import face_scale
from faceloom.perceive import FaceParser, occluder_matte
from faceloom.types import Part, Source
from faceloom.weights import Store

pytest.importorskip("torch", reason="face parsing needs torch: pip install 'faceloom[torch]'")


@pytest.fixture(scope="module")
def parser(store: Store) -> FaceParser:
    try:
        store.ensure(FaceParser.weights)
    except WeightsError as error:
        pytest.skip(f"the weight of the face parser cannot be had: {error}")
    return FaceParser(store)


def with_hat(source: Source) -> np.ndarray:
    """A grey hat pulled down to the eyebrows: (512, 512) bool, where it is."""
    hidden = np.zeros((512, 512), bool)
    hidden[: round(float(source.face.landmarks[151, 1]))] = True
    return hidden


def with_board(source: Source) -> np.ndarray:
    """A board that hides the subject's left half of the face."""
    hidden = np.zeros((512, 512), bool)
    hidden[:, round(float(source.face.landmarks[4, 0])) :] = True
    return hidden


@pytest.mark.parametrize("name", ["person_03", "person_05"])
def test_a_bare_face_is_not_covered(name: str, perceived: Perceived, parser: FaceParser) -> None:
    source = perceived.source(name)
    box, matte = occluder_matte(source.image, source.face, parser)
    assert box == source.face.box.clip(512, 512)
    assert matte.shape == (box.height, box.width) and matte.dtype == np.float32
    assert matte.min() >= 0 and matte.max() <= 1
    for part in (Part.NOSE, Part.MOUTH, Part.LEFT_EYE, Part.RIGHT_EYE):
        inside = masks.region_mask(part, source.face.landmarks, box) > 0.5
        assert matte[inside].mean() < 0.02, part


@pytest.mark.parametrize(
    ("hide", "colour", "least", "bare"),
    [
        (with_hat, (128, 128, 128), 0.9, (Part.MOUTH, Part.NOSE, Part.LEFT_EYE, Part.RIGHT_EYE)),
        (with_board, (40, 60, 150), 0.9, (Part.RIGHT_EYE,)),
    ],
)
def test_what_hides_a_large_piece_of_the_face_covers_it(
    hide: Callable[[Source], np.ndarray],
    colour: tuple[int, int, int],
    least: float,
    bare: tuple[Part, ...],
    perceived: Perceived,
    parser: FaceParser,
) -> None:
    source = perceived.source("person_05")
    hidden = hide(source)
    picture = np.where(hidden[..., None], np.uint8(colour), source.image)
    box, matte = occluder_matte(picture, source.face, parser)
    oval = masks.region_mask(masks.Region.FACE_OVAL, source.face.landmarks, box) > 0.99
    assert matte[hidden[box.slices] & oval].mean() > least
    for part in bare:
        inside = masks.region_mask(part, source.face.landmarks, box) > 0.5
        assert matte[inside].mean() < 0.05, part


def test_nothing_beyond_the_face(perceived: Perceived, parser: FaceParser) -> None:
    """Background and hair around a face are in front of nothing."""
    source = perceived.source("person_01")
    box, matte = occluder_matte(source.image, source.face, parser)
    oval = masks.region_mask(masks.Region.FACE_OVAL, source.face.landmarks, box)
    beyond = masks.dilate(oval, 0.06 * face_scale(source.face.landmarks)) == 0
    assert beyond.any() and matte[beyond].max() < 0.01


def test_a_face_over_the_edge_of_the_picture(perceived: Perceived, parser: FaceParser) -> None:
    source = perceived.source("person_05")
    cut = round(float(source.face.landmarks[4, 0]))
    picture = np.ascontiguousarray(source.image[:, cut:])
    face = replace(source.face, landmarks=source.face.landmarks - np.float32([cut, 0, 0]))
    box, matte = occluder_matte(picture, face, parser)
    assert box.left == 0 and matte.shape == (box.height, box.width)
    eye = masks.region_mask(Part.LEFT_EYE, face.landmarks, box) > 0.5
    assert eye.any() and matte[eye].mean() < 0.05


def test_without_the_weight_it_says_so(tmp_path: Path) -> None:

    with pytest.raises(WeightsError, match="bisenet_celebamask"):
        FaceParser(Store(tmp_path))
