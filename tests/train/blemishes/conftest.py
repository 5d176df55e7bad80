"""A real face and its anatomy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import pytest

from faceloom.perceive import Perception
from faceloom.train.blemishes.anatomy import Anatomy, find_anatomy
from faceloom.train.blemishes.atlas import prepare_atlas
from faceloom.train.data.faces import PackedFaces
from faceloom.train.data.pack import pack_faces
from faceloom.types import Image
from faceloom.weights import Store

PORTRAITS = Path(__file__).parents[3] / "examples" / "portraits"


@pytest.fixture(scope="session")
def perception(store: Store) -> Perception:
    return Perception(store, threads=1)


@pytest.fixture(scope="session")
def face(portraits: Mapping[str, Image]) -> Image:
    """(256, 256, 3) uint8."""
    return cv2.resize(portraits["person_04"], (256, 256), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="session")
def anatomy(face: Image, perception: Perception) -> Anatomy:
    found = find_anatomy(face, perception, parser=False)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory, perception: Perception) -> Path:
    """The example portraits at 64 pixels with their anatomies, found by colour; person_03 and person_05 held out."""
    folder = tmp_path_factory.mktemp("packed")
    pack_faces(PORTRAITS, folder, [64, 256], perception=None, hold_out=["person_03", "person_05"])
    prepare_atlas(PackedFaces(folder), perception, parser=False)
    return folder
