"""Section 3.4 of V-PartSwap: attention along trajectories of the flow, inside the part only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceloom.geometry.trajectories import sample_trajectories
from faceloom.methods.timing import stage
from faceloom.nets.flow_attention import TrajectoryIndex, trajectory_attention
from faceloom.types import Image, Matte


class Flow(Protocol):
    """Dense optical flow."""

    def flow(self, a: Image, b: Image) -> NDArray[np.float32]:
        """(H, W, 2) displacements in pixels of ``a`` from ``a`` to ``b``."""


class TrajectoryMixer:
    """Lets the tokens of a part attend to the same bit of skin in the other frames of a batch.

    A token mixer as the network's attention blocks take one. Trajectories are sampled once for each size of map and
    serve every step. Tokens outside the part, and frames without flow between them, keep every bit.
    """

    def __init__(self, flow: NDArray[np.float32], masks: Sequence[Matte]) -> None:
        """``flow`` (T - 1, S, S, 2) pixels between consecutive frames, not finite across a gap; T masks (S, S)."""
        self._flow, self._masks = flow, masks
        self._indices: dict[int, TrajectoryIndex] = {}

    def __call__(self, q: Tensor, k: Tensor, h: Tensor) -> Tensor:
        """(T, heads, tokens, d) queries, keys and result of attention to the new result."""
        index = self._index(h.shape[2], h.device)
        q, k, h = (x.transpose(1, 2) for x in (q, k, h))
        return trajectory_attention(q, k, h, index).transpose(1, 2)

    def _index(self, tokens: int, device: torch.device) -> TrajectoryIndex:
        if tokens not in self._indices:
            side = round(tokens**0.5)
            cover = [cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) for mask in self._masks]
            trajectories = sample_trajectories(self._flow, (side, side), region=np.stack(cover) > 0.5, subcell=True)
            self._indices[tokens] = TrajectoryIndex.of(trajectories, device)
        return self._indices[tokens]


@stage("flow")
def consecutive_flow(crops: Sequence[Image], indices: Sequence[int], flow: Flow) -> NDArray[np.float32]:
    """(T - 1, S, S, 2) flow from each crop to the next; not a number where frames do not follow each other."""
    none = np.full((*crops[0].shape[:2], 2), np.nan, np.float32)
    pairs = zip(crops, crops[1:], indices, indices[1:], strict=False)
    found = [flow.flow(a, b) if j == i + 1 else none for a, b, i, j in pairs]
    return np.stack(found) if found else np.zeros((0, *none.shape), np.float32)
