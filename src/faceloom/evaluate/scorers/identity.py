"""Who is it: identity outside the edit, to the target and to the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError
from faceloom.evaluate.metrics.perceptual import cosine, painted
from faceloom.evaluate.scorers.step import NOTHING, Scene, Scored, Step, known_mean
from faceloom.types import Face, Image, Points


class Embedder(Protocol):
    """Anything that gives identity vectors: ``perceive.FaceEmbedder``, ``evaluate.arcface.ArcFace``."""

    def embed(self, image: Image, points: Points, /) -> NDArray[np.float32]:
        """A vector for one face in ``image``."""


class IdentityScorer:
    """Cosine of identity vectors, in frames spread over the clip; higher is better in all three.

    outside    target against result, the region painted grey in both and both aligned by the target's landmarks: does
               the rest still show the same person (V-PartSwap, "outside the edited region").
    target     target against result, whole faces, each aligned by its own landmarks.
    reference  reference against result, whole faces: how far the person became the reference.

    embedder  the network.
    names     what the three are called in the results; those that are not wanted are left out.
    scene     of the item.
    """

    def __init__(self, embedder: Embedder, names: Mapping[str, str], scene: Scene) -> None:
        self._embedder, self._names = embedder, names
        self._sample = scene.spread(scene.sampling.identity)
        self._reference = self._embed(scene.reference, scene.reference_face) if "reference" in names else None
        self._series = {name: np.full(scene.frames, NOTHING) for name in names.values()}

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        if step.index not in self._sample or step.target_face is None:
            return
        if "outside" in self._names:
            one, other = (
                self._embed(painted(image, step.region), step.target_face) for image in (step.target, step.result)
            )
            self._note("outside", step.index, one, other)
        if step.result_face is None or not self._names.keys() & {"target", "reference"}:
            return
        result = self._embed(step.result, step.result_face)
        if "target" in self._names:
            self._note("target", step.index, self._embed(step.target, step.target_face), result)
        if "reference" in self._names:
            self._note("reference", step.index, self._reference, result)

    def _note(self, kind: str, index: int, one: NDArray[np.float32] | None, other: NDArray[np.float32] | None) -> None:
        if one is not None and other is not None:
            self._series[self._names[kind]][index] = cosine(one, other)

    def _embed(self, image: Image, face: Face) -> NDArray[np.float32] | None:
        try:
            return self._embedder.embed(image, face.landmarks)
        except FaceError:
            return None  # landmarks in one place: no face to compare in this frame

    def finish(self) -> Scored:
        """See ``Scorer``."""
        values = {name: known_mean(series) for name, series in self._series.items()}
        return Scored(values, self._series, about={"identity frames": str(len(self._sample))})
