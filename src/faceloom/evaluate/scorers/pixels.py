"""PSNR, SSIM and RMSE of a result against its target."""

from __future__ import annotations

import math

import numpy as np

from faceloom.evaluate.metrics.images import mse, psnr_of, ssim
from faceloom.evaluate.scorers.step import Scored, Step


class PixelScorer:
    """Frame by frame; SSIM is averaged, PSNR and RMSE come from the mean squared error of the whole clip.

    A clip in which some frames are untouched has a finite PSNR that way; the series holds infinity there.
    """

    def __init__(self) -> None:
        self._errors: list[float] = []
        self._structure: list[float] = []

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        self._errors.append(mse(step.target, step.result))
        self._structure.append(ssim(step.target, step.result))

    def finish(self) -> Scored:
        """See ``Scorer``."""
        error = float(np.mean(self._errors))
        series = {
            "psnr": np.array([psnr_of(value) for value in self._errors]),
            "rmse": np.sqrt(self._errors),
            "ssim": np.array(self._structure),
        }
        values = {"psnr": psnr_of(error), "rmse": math.sqrt(error), "ssim": float(series["ssim"].mean())}
        return Scored(values, series)
