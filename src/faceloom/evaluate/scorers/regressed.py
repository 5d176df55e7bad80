"""What a network reads off the face in target and result, compared in frames spread over the clip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError
from faceloom.evaluate.scorers.step import NOTHING, Scene, Scored, Step, known_mean
from faceloom.types import Face, Image, Points

Vector = NDArray[np.float32]


class RegressedScorer:
    """One error between two vectors; frames in which a face is missing in target or result are NaN and left out.

    name     of the metric.
    look     what the network reads off the face at the landmarks of a picture.
    compare  error between target and result.
    scene    of the item.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[Image, Points], Vector],
        compare: Callable[[Vector, Vector], float],
        scene: Scene,
    ) -> None:
        self._name, self._look, self._compare = name, look, compare
        self._sample = scene.spread(scene.sampling.regressed)
        self._errors = np.full(scene.frames, NOTHING)

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        if step.index not in self._sample:
            return
        target = self._seen(step.target, step.target_face)
        result = self._seen(step.result, step.result_face)
        if target is not None and result is not None:
            self._errors[step.index] = self._compare(target, result)

    def finish(self) -> Scored:
        """See ``Scorer``."""
        about = {f"{self._name} frames": str(len(self._sample))}
        return Scored({self._name: known_mean(self._errors)}, {self._name: self._errors}, about=about)

    def _seen(self, image: Image, face: Face | None) -> Vector | None:
        if face is None:
            return None
        try:
            return self._look(image, face.landmarks)
        except FaceError:
            return None  # landmarks in one place: no face to read in this frame
