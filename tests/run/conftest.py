"""Clips and references, see ``support.fixtures``, and a photo."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as Pillow
from support.fixtures import footage, real_clip, references
from support.footage import Picture

__all__ = ["footage", "real_clip", "references"]


@pytest.fixture(scope="module")
def photo(portraits: dict[str, Picture], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small portrait, as a file."""
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    Pillow.fromarray(portraits["person_05"]).resize((256, 256)).save(path, quality=95)
    return path
