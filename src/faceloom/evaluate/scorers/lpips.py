"""LPIPS of a result against its target, everywhere and outside the edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faceloom.evaluate.metrics.perceptual import as_tensor, without_region
from faceloom.evaluate.scorers.step import NOTHING, Scene, Scored, Step, known_mean

if TYPE_CHECKING:
    from faceloom.nets.lpips import LPIPS


class LpipsScorer:
    """``metrics.perceptual.lpips`` of the frames in ``sample``; the others are NaN in the series.

    network   the distance.
    name      of the metric.
    scene     of the item.
    sample    indices of the frames to look at.
    outside   also measure ``lpips_background``: the result with the target's pixels in the region, against the target.
    """

    def __init__(self, network: LPIPS, name: str, scene: Scene, sample: frozenset[int], *, outside: bool) -> None:
        self._network, self._name, self._sample, self._outside = network, name, sample, outside
        self._whole = np.full(scene.frames, NOTHING)
        self._background = np.full(scene.frames, NOTHING)

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        if step.index not in self._sample:
            return
        import torch

        pictures = [step.target, step.result]
        if self._outside:
            pictures.append(without_region(step.target, step.result, step.region))
        with torch.inference_mode():
            layers = self._network.trunk(as_tensor(pictures, self._network))
            target = [layer[:1] for layer in layers]
            distances = [
                self._network.compare(target, [layer[i : i + 1] for layer in layers])
                for i in (1, 2)[: len(pictures) - 1]
            ]
        self._whole[step.index] = float(distances[0])
        if self._outside:
            self._background[step.index] = float(distances[1])

    def finish(self) -> Scored:
        """See ``Scorer``."""
        series = {self._name: self._whole}
        if self._outside:
            series["lpips_background"] = self._background
        about = {} if len(self._sample) == len(self._whole) else {f"{self._name} frames": str(len(self._sample))}
        return Scored({name: known_mean(values) for name, values in series.items()}, series, about=about)
