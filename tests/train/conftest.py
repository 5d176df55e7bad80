"""Packed faces for the tests of training."""

from __future__ import annotations

import pytest
from support.training import PORTRAITS

from faceloom.train.data.faces import PackedFaces
from faceloom.train.data.pack import pack_faces


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedFaces:
    """The example portraits as they are, at 16 and 32 pixels; person_03 and person_05 held out."""
    folder = tmp_path_factory.mktemp("packed")
    pack_faces(PORTRAITS, folder, [16, 32], perception=None, hold_out=["person_03", "person_05"])
    return PackedFaces(folder)
