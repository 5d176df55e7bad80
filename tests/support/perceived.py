"""The example clip and the portraits with the faces in them, perceived once in a session. Read-only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from faceloom.compose import paste
from faceloom.media import open_clip, read_image
from faceloom.methods.multiband import Multiband
from faceloom.perceive import FaceTracker, MotionMeter, Perception, perceive_image
from faceloom.run.windows import Seen, scenes
from faceloom.types import Attribute, Face, Frame, Image, Patch, Source
from faceloom.weights import Store
from support.windows import in_windows

EXAMPLES = Path(__file__).parents[2] / "examples"
FRAMES = 48
"""Of the example clip. The person talks in frames 8 to 18, 22 to 29, 31 to 36 and 41 to 47, and blinks in 15 to 20."""
BLINK = slice(14, 23)


@dataclass(frozen=True, eq=False)
class Shot:
    """Consecutive frames of one person and what was perceived in them."""

    seen: list[Seen]

    @property
    def frames(self) -> list[Frame]:
        return [item.frame for item in self.seen]

    @property
    def measured(self) -> list[Face]:
        return [item.faces[0] for item in self.seen]

    @cached_property
    def faces(self) -> list[Face]:
        """The faces, steadied as an edit has them."""
        (scene,) = scenes(self.seen, len(self.seen), 0)
        (steady,) = scene.tracks.values()
        return [face for face in steady if face is not None]


class Perceived:
    """Clips and portraits with the faces in them; one set of networks for all."""

    def __init__(self, perception: Perception) -> None:
        self.perception = perception
        self._sources: dict[str, Source] = {}

    def face(self, image: Image) -> Face:
        """The largest face of a picture."""
        return perceive_image(image, self.perception)[0]

    def source(self, name: str) -> Source:
        """The portrait ``person_..`` as a reference."""
        if name not in self._sources:
            path = EXAMPLES / "portraits" / f"{name}.jpg"
            image = read_image(path)
            image.flags.writeable = False
            self._sources[name] = Source(path, image, self.face(image))
        return self._sources[name]

    def shot(self, frames: Iterable[Frame]) -> Shot:
        """Follow the one person in these frames."""
        tracker, meter, seen = FaceTracker(self.perception), MotionMeter(), []
        for frame in frames:
            faces = tracker.update(frame)[:1]
            motion = meter.update(frame.image, faces, tracker.new_shot)
            seen.append(Seen(frame, tuple(faces), motion, tracker.new_shot))
        return Shot(seen)

    @cached_property
    def example(self) -> Shot:
        """The first ``FRAMES`` of the example clip."""
        with open_clip(EXAMPLES / "target.mp4") as clip:
            return self.shot(islice(clip, FRAMES))


@pytest.fixture(scope="session")
def perceived(store: Store) -> Perceived:
    return _perceived(store)


@cache
def _perceived(store: Store) -> Perceived:
    """One for the whole process, whichever folders' tests ask for it."""
    return Perceived(Perception(store, threads=1))


def patches(
    take: Mapping[Attribute, Source], frames: Sequence[Frame], faces: Sequence[Face | None], length: int = 1000
) -> list[list[Patch]]:
    """What ``multiband`` makes of frames, in windows of ``length`` with the context that it asks for."""
    return in_windows(Multiband(), take, frames, faces, length)


def edited(take: Mapping[Attribute, Source], frames: Sequence[Frame], faces: Sequence[Face | None]) -> list[Image]:
    """The pictures of the edited frames."""
    made = patches(take, frames, faces)
    return [paste(frame, own).image for frame, own in zip(frames, made, strict=True)]


def repainted(frame: Frame, image: Image) -> Frame:
    """The frame with another picture, as if it had been decoded so."""
    return replace(frame, image=image, native=None)


def touched_by(patch: Patch) -> NDArray[np.bool_]:
    """(512, 512) bool, the pixels of a frame of that size that a patch may touch; it must be a whole-pixel cut."""
    touched = np.zeros((512, 512), bool)
    assert patch.crop.offset is not None
    left, top = patch.crop.offset
    touched[top : top + patch.crop.height, left : left + patch.crop.width] = patch.matte > 0
    return touched
