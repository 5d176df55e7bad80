"""Dense motion of a mesh between two frames, from the mesh itself (UniFaceGAN, eqs. 11 to 16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry.mesh_visibility import DEPTH_TOLERANCE, passes_depth
from faceloom.geometry.rasteriser import Raster, rasterise


@dataclass(frozen=True, eq=False)
class MeshFlow:
    """Where the surface seen at each pixel of frame ``a`` is in frame ``b``.

    flow     (H, W, 2) float32, pixels: what ``a`` shows at (x, y), ``b`` shows at (x, y) + flow[y, x]; 0 where not
             ``visible`` (eq. 16).
    visible  (H, W) bool: the mesh is seen there in ``a`` (eq. 13) and the same point of it is seen in ``b`` (eq. 15).
    """

    flow: NDArray[np.float32]
    visible: NDArray[np.bool_]


def mesh_flow(
    a: NDArray[Any],
    b: NDArray[Any],
    triangles: NDArray[Any],
    width: int,
    height: int,
    *,
    tolerance: float = DEPTH_TOLERANCE,
    rasters: tuple[Raster, Raster] | None = None,
) -> MeshFlow:
    """The motion from ``a`` to ``b``, (V, 3) vertices of one mesh in two frames of ``width`` x ``height`` pixels.

    tolerance  pixels behind the z-buffer of ``b`` that still count as seen.
    rasters    ``rasterise(a, ..., soft=False)`` and that of ``b``, where they are known already.

    With ``a`` at time t and ``b`` at time t - 1 the flow is ``-F`` of eq. 16: the paper subtracts its W to go back in
    time (eq. 14), where this project adds its flow. Raises as ``rasterise`` does.
    """
    first, second = rasters or (
        rasterise(a, triangles, width, height, soft=False),
        rasterise(b, triangles, width, height, soft=False),
    )
    # Interpolating the motion rather than the places keeps its precision where the places are large.
    motion = first.interpolate(np.asarray(b, np.float64) - np.asarray(a, np.float64))  # eq. 11, (H, W, 3)
    rows, columns = np.nonzero(first.triangle >= 0)  # the nearest triangle is the one that eq. 13 lets through
    there = motion[rows, columns].astype(np.float64)
    there += np.column_stack([columns, rows, first.depth[rows, columns]])  # eqs. 12 and 14
    seen = passes_depth(there, second, b, tolerance)  # eq. 15
    visible = np.zeros((height, width), bool)
    visible[rows, columns] = seen
    flow = np.where(visible[..., None], motion[..., :2], np.float32(0))
    return MeshFlow(flow, visible)
