"""What a scorer is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceloom.types import Attribute, Face, Image

NOTHING = float("nan")


@dataclass(frozen=True)
class Sampling:
    """How many frames of a clip the slow networks see; spread evenly, the same ones in target and result.

    lpips_vgg  pictures for LPIPS-VGG.
    part       pictures for VGG-I, CLIP-I and DINO-I.
    identity   pictures for SFace and ArcFace.
    regressed  pictures for HopeNet and Deep3DFaceRecon.
    inception  pictures whose features are kept for FID and KID.
    clips      clips whose features are kept for FVD; at most, without overlap.
    clip_length  frames of such a clip.
    """

    lpips_vgg: int = 8
    part: int = 16
    identity: int = 24
    regressed: int = 32
    inception: int = 8
    clips: int = 4
    clip_length: int = 16


@dataclass(frozen=True, eq=False)
class Scene:
    """What is the same in all frames of an item."""

    frames: int
    attribute: Attribute
    reference: Image
    reference_face: Face
    fps: float
    sampling: Sampling

    def spread(self, count: int) -> frozenset[int]:
        """Indices of ``count`` frames, the middles of as many equal stretches; all when there are no more."""
        if count >= self.frames:
            return frozenset(range(self.frames))
        return frozenset(int((index + 0.5) * self.frames / count) for index in range(count))


@dataclass(frozen=True, eq=False)
class Step:
    """One frame of an item. ``region`` is (H, W) bool; a face is None where there is none."""

    index: int
    target: Image
    result: Image
    region: NDArray[np.bool_]
    target_face: Face | None
    result_face: Face | None


@dataclass(frozen=True, eq=False)
class Scored:
    """What a scorer found; see ``ItemScores``. Numbers are in the measures' own units, before ``MetricSpec.scale``."""

    values: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    features: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)


class Scorer(Protocol):
    """Takes the frames of one clip in order and keeps only what its metrics need."""

    def update(self, step: Step) -> None:
        """Look at the next frame."""

    def finish(self) -> Scored:
        """The numbers, after the last frame."""


def known_mean(values: NDArray[np.float64]) -> float:
    """Mean of the values that are not NaN; NaN when there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else NOTHING
