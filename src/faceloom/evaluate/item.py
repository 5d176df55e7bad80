"""One edited clip to be judged, and what the judging gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceloom.types import Attribute, Face, Image


@dataclass(frozen=True, eq=False)
class Item:
    """A result, what it was made from, and the faces in both.

    name            for messages and tables.
    attribute       what was transferred; its parts say where to look.
    target          frames before the edit, (H, W, 3) uint8 RGB. Read once, in order, together with ``result`` and
                    ``regions``: a generator will do, and no more than a few frames are held at a time; each
                    frame is an array of its own, not a buffer that the next one overwrites.
    result          the same frames after the edit, of the same size.
    regions         (H, W) bool, or float in [0, 1], per frame: where the edit may show. Use one region for all methods
                    that are compared (``metrics.regions.edit_region`` of the target's face), not each method's own
                    matte.
    target_faces    per frame the face found in ``target``, or None; the length of the list is that of the clip.
    result_faces    per frame the face found in ``result`` on its own, or None.
    reference       (h, w, 3) uint8 RGB, the picture that the attribute came from.
    reference_face  the face used in it.
    fps             frames per second.
    """

    name: str
    attribute: Attribute
    target: Iterable[Image]
    result: Iterable[Image]
    regions: Iterable[NDArray[Any]]
    target_faces: Sequence[Face | None]
    result_faces: Sequence[Face | None]
    reference: Image
    reference_face: Face
    fps: float


@dataclass(frozen=True, eq=False)
class ItemScores:
    """What ``scoring.score_item`` found.

    name      of the item.
    values    metric -> number, in the unit of its ``MetricSpec``; NaN where the item does not define it (say, a
              correlation with a mouth that never moves).
    series    metric -> one number per frame, or per pair of neighbouring frames (length frames - 1), NaN where unknown.
    absent    metric -> why there is no number: ``n/a (needs clip-vit-l14)``.
    features  arrays for the metrics of level "set" (``scoring.score_set``): "inception.target", "inception.result"
              (n, 2048), "i3d.target", "i3d.result" (m, 400), float32. Save them with ``np.savez(path, **features)``.
    about     how the numbers came about: flow, networks, sampled frames.
    """

    name: str
    values: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SetScores:
    """What ``scoring.score_set`` found over all items of one method.

    values    metric -> number.
    absent    metric -> why there is no number.
    warnings  metric -> what to keep in mind when reading the number (bias of a small set).
    samples   metric -> number of pictures or clips on each side, the smaller of the two.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, int] = field(default_factory=dict)
