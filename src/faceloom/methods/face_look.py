"""Colours of a face at its landmarks, measured once a frame for everything that asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import colour
from faceloom.geometry.glasses import bridge_contrast
from faceloom.geometry.partcover import face_scale
from faceloom.methods.memo import FrameMemo
from faceloom.types import Face, Frame, Image

_PATCH = 0.04
"""Radius of the patch around a landmark whose mean colour counts, in inter-ocular distances."""


@dataclass(frozen=True, eq=False)
class FaceLook:
    """What a face looks like in one frame.

    colours  (478, 3) float64 in [0, 1], mean colours around the landmarks.
    inside   (478,) bool, whether the landmark lies in the picture.
    bridge   ``glasses.bridge_contrast``.
    """

    colours: NDArray[np.float64]
    inside: NDArray[np.bool_]
    bridge: float

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """(478, 3) ``colour.skin_features`` of the colours."""
        return colour.skin_features(self.colours).astype(np.float64)


def look_at(image: Image, landmarks: NDArray[np.float64]) -> FaceLook:
    """Measure a face in ``image`` ((H, W, 3) uint8) at ``landmarks`` (478, 3)."""
    height, width = image.shape[:2]
    x, y = landmarks[:, 0], landmarks[:, 1]
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    colours = colour.sample_colours(image, landmarks, _PATCH * face_scale(landmarks))
    return FaceLook(colours, inside, bridge_contrast(image, landmarks))


class FaceLooks:
    """The looks of the people in the last frames of a clip."""

    def __init__(self) -> None:
        self._memo: FrameMemo[FaceLook] = FrameMemo()

    def of(self, frame: Frame, face: Face) -> FaceLook:
        """The look of ``face`` in ``frame``."""
        return self._memo.get(face.track, frame.index, partial(look_at, frame.image, face.landmarks.astype(np.float64)))

    def forget(self, person: int) -> None:
        """Drop everything of a person: another clip begins."""
        self._memo.forget(person)

    def forget_before(self, index: int) -> None:
        """Drop frames before ``index``."""
        self._memo.forget_before(index)
