"""Flicker of the edited part beyond the target's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceloom.evaluate.metrics.regions import cells, part_view
from faceloom.evaluate.metrics.temporal import CUTOFF, LEAST_FRAMES, flicker, longest_run
from faceloom.evaluate.scorers.step import NOTHING, Scene, Scored, Step

_SIDE, _CELLS = 64, 8


class FlickerScorer:
    """``metrics.temporal.flicker`` of 8 x 8 cells of the part's square, over the longest stretch with a target face.

    The square follows the target's landmarks in target and result alike, so what moves it moves both.
    """

    def __init__(self, scene: Scene) -> None:
        self._attribute, self._fps = scene.attribute, scene.fps
        self._target: list[NDArray[np.float32] | None] = []
        self._result: list[NDArray[np.float32] | None] = []

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        if step.target_face is None:
            self._target.append(None)
            self._result.append(None)
            return
        matrix = part_view(step.target, step.target_face.landmarks, self._attribute, _SIDE).matrix
        self._target.append(cells(step.target, matrix, _SIDE, _CELLS))
        self._result.append(cells(step.result, matrix, _SIDE, _CELLS))

    def finish(self) -> Scored:
        """See ``Scorer``. NaN when the longest stretch is shorter than 8 frames."""
        run = longest_run([cell is not None for cell in self._target])
        if run.stop - run.start < LEAST_FRAMES:
            return Scored({"flicker": NOTHING})
        target, result = (
            np.stack([cell for cell in side[run] if cell is not None]) for side in (self._target, self._result)
        )
        about = {"flicker": f"{run.stop - run.start} frames, above {CUTOFF * self._fps:g} Hz"}
        return Scored({"flicker": flicker(target, result)}, about=about)
