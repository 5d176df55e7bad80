"""E_warp along a clip: of the whole frame, of the edited part, and against the target's own."""

from __future__ import annotations

import numpy as np

from faceloom.evaluate.networks import Flow
from faceloom.evaluate.scorers.step import Scored, Step, known_mean
from faceloom.evaluate.warping import residual_error, visible_in_both, warping_ratio, warping_residual


class WarpScorer:
    """``warping.warping_error`` of every pair of neighbouring frames.

    The flow is the target's, forward and backward, computed once for target and result; a pixel counts if the two agree
    (``visible_in_both``). ``e_warp`` is over the whole frame, as V-PartSwap has it, ``e_warp_part`` over the region of
    the first frame of each pair.

    flow       what finds motion.
    flow_name  for the results.
    """

    def __init__(self, flow: Flow, flow_name: str) -> None:
        self._flow, self._name = flow, flow_name
        self._last: Step | None = None
        self._whole: list[float] = []
        self._part: list[float] = []
        self._own: list[float] = []

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        if self._last is not None:
            self._pair(self._last, step)
        self._last = step

    def _pair(self, first: Step, following: Step) -> None:
        forward = self._flow.flow(first.target, following.target)
        valid = visible_in_both(forward, self._flow.flow(following.target, first.target))
        residual = warping_residual(first.result, following.result, forward)
        self._whole.append(residual_error(residual, valid).squared)
        self._part.append(residual_error(residual, valid & first.region).squared)
        own = warping_residual(first.target, following.target, forward)
        self._own.append(residual_error(own, valid).squared)

    def finish(self) -> Scored:
        """See ``Scorer``."""
        # The measure is already in units of 1e-3; the table's scale is applied to the plain mean square.
        series = {
            "e_warp": np.array(self._whole) / 1000,
            "e_warp_part": np.array(self._part) / 1000,
            "e_warp_target": np.array(self._own) / 1000,
        }
        return Scored(
            {
                "e_warp": known_mean(series["e_warp"]),
                "e_warp_part": known_mean(series["e_warp_part"]),
                "e_warp_ratio": warping_ratio(self._whole, self._own),
            },
            series,
            about={"flow": self._name},
        )
