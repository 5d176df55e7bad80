"""Networks with the weights that the metrics need, and a short clip with faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from support.footage import moving
from support.perceived import Perceived, perceived

from faceloom.evaluate.item import Item
from faceloom.evaluate.metrics.regions import edit_region
from faceloom.types import Attribute, Face, Image
from faceloom.weights import Store

__all__ = ["perceived"]

WEIGHTS = ("lpips_vgg16", "lpips_lin_vgg", "lpips_alexnet", "lpips_lin_alex", "inception_fid", "i3d_k400")
FRAMES, SIZE = 18, 160


@pytest.fixture(scope="session")
def metric_store(store: Store) -> Store:
    """The user's store with all weights of metrics that can be had."""
    store.ensure(WEIGHTS)
    return store


@dataclass(frozen=True, eq=False)
class Shot:
    """A moving portrait of 18 frames at 160 pixels, the faces in it, and a reference."""

    frames: list[Image]
    faces: list[Face]
    regions: list[NDArray[np.bool_]]
    reference: Image
    reference_face: Face

    def first(self, count: int) -> Shot:
        """The first frames only."""
        return replace(self, frames=self.frames[:count], faces=self.faces[:count], regions=self.regions[:count])

    def item(self, result: list[Image] | None = None, faces: list[Face | None] | None = None) -> Item:
        """The item whose result these frames are; None for the target's own."""
        return Item(
            name="shot",
            attribute=Attribute.MOUTH,
            target=iter(self.frames),
            result=iter(self.frames if result is None else result),
            regions=iter(self.regions),
            target_faces=self.faces,
            result_faces=self.faces if faces is None else faces,
            reference=self.reference,
            reference_face=self.reference_face,
            fps=25.0,
        )


@pytest.fixture(scope="session")
def shot(perceived: Perceived, portraits: Mapping[str, Image]) -> Shot:
    frames = moving(portraits["person_01"], FRAMES, SIZE)
    faces = [perceived.face(frame) for frame in frames]
    regions = [edit_region(Attribute.MOUTH, face.landmarks, SIZE, SIZE) for face in faces]
    source = perceived.source("person_07")
    return Shot(frames, faces, regions, source.image, source.face)
