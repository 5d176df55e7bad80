"""Fixtures for every folder of tests: real weights and real pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image as PillowImage

from faceloom.types import Image
from faceloom.weights import Store

# The same examples in every run, and no limit on the time of one: machines are slow at times, and tests are seeded.
settings.register_profile("faceloom", deadline=None, derandomize=True)
settings.load_profile("faceloom")

ROOT = Path(__file__).parents[1]
PORTRAITS = ROOT / "examples" / "portraits"


@pytest.fixture(scope="session")
def store() -> Store:
    """The user's store with the weights of classical perception, pulled if they are missing."""
    store = Store()
    store.ensure(["face_landmarker", "yunet", "sface"])
    return store


@pytest.fixture(scope="session")
def portraits() -> Mapping[str, Image]:
    """(512, 512, 3) uint8 RGB portraits of synthetic people by name, ``person_01`` to ``person_08``; read-only."""
    pictures = {}
    for path in sorted(PORTRAITS.glob("person_*.jpg")):
        with PillowImage.open(path) as picture:
            pixels = np.array(picture.convert("RGB"))
        pixels.flags.writeable = False
        pictures[path.stem] = pixels
    return pictures
