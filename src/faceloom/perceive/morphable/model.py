"""The morphable model itself: a mean face and what may be added to it.

Paysan et al., A 3D Face Model for Pose and Illumination Invariant Face Recognition, 2009 (identity); Cao et al.,
FaceWarehouse, 2014 (expression); as cut and reduced by Guo et al., 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import WeightsError
from faceloom.geometry.mesh import MirrorTable, mirror_table
from faceloom.nets.flax_pickle import read_array, read_arrays
from faceloom.perceive.morphable.camera import through_camera
from faceloom.perceive.morphable.parameters import EXPRESSION_SIZE, SHAPE_SIZE, MorphableParameters
from faceloom.weights import Store

MORPHABLE_WEIGHTS = ("tddfa_v2", "tddfa_mean_std", "bfm_noneck_v3", "bfm_tri")
"""Weights of the regressor and of the model."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class MorphableModel:
    """``S = mean + A_id a_id + A_exp a_exp`` (UniFaceGAN, eq. 3) over V vertices.

    mean              (V, 3) float32, micrometres; x to the subject's left, y up, z out of the face.
    shape_basis       (3 V, 40) float32, ``A_id``; rows in the order x, y, z of the first vertex, x, y, z of the next.
    expression_basis  (3 V, 10) float32, ``A_exp``.
    triangles         (T, 3) int32; seen from outside, clockwise in the frame (y down).
    keypoint_indices  (68,) int64, vertices of the 68 points of Multi-PIE, in their usual order.

    The public model has V = 38,365 and T = 76,073: face and ears without neck, closed over the eyeballs, open between
    the lips.
    """

    mean: Floats
    shape_basis: Floats
    expression_basis: Floats
    triangles: NDArray[np.int32]
    keypoint_indices: NDArray[np.int64]

    def neutral(self, shape: Floats) -> Floats:
        """(V, 3) float32: the head of ``shape`` (40,) at rest, model space. Depends on the person alone."""
        return self.mean + (self.shape_basis @ shape).reshape(-1, 3)

    def neutral_at(self, shape: Floats, vertices: NDArray[np.integer]) -> Floats:
        """``neutral`` at the chosen ``vertices`` (N,) alone: (N, 3) float32."""
        rows = (3 * vertices[:, None] + np.arange(3)).ravel()
        return self.mean[vertices] + (self.shape_basis[rows] @ shape).reshape(-1, 3)

    def surface(self, parameters: MorphableParameters, neutral: Floats | None = None) -> Floats:
        """(V, 3) float32: the face with its expression in model space (eq. 3).

        neutral  ``self.neutral(parameters.shape)`` where it is known already, which saves four fifths of the work.
        """
        base = self.neutral(parameters.shape) if neutral is None else neutral
        return base + (self.expression_basis @ parameters.expression).reshape(-1, 3)

    def vertices(self, parameters: MorphableParameters, neutral: Floats | None = None) -> Floats:
        """(V, 3) float32: the face in the frame; pixels, z negative towards the viewer."""
        return through_camera(parameters.camera, self.surface(parameters, neutral))

    def keypoints(self, parameters: MorphableParameters) -> Floats:
        """(68, 3) float32: the 68 points alone, in the frame, in a fraction of the time."""
        mean, shape, expression = self._keypoint_parts
        points = mean + (shape @ parameters.shape + expression @ parameters.expression).reshape(-1, 3)
        return through_camera(parameters.camera, points)

    @cached_property
    def mirror(self) -> MirrorTable:
        """Which point of the face lies opposite to each vertex, left for right, on the mean face."""
        return mirror_table(self.mean, self.triangles)

    @cached_property
    def _keypoint_parts(self) -> tuple[Floats, Floats, Floats]:
        rows = (3 * self.keypoint_indices[:, None] + np.arange(3)).ravel()
        return self.mean[self.keypoint_indices], self.shape_basis[rows], self.expression_basis[rows]


def read_morphable_model(store: Store) -> MorphableModel:
    """The public model of weights ``bfm_noneck_v3`` and ``bfm_tri``. Raises ``WeightsError``.

    The licence of the Basel Face Model allows research only; a store of permissive weights refuses it.
    """
    arrays = _read(store.path("bfm_noneck_v3"), read_arrays)
    triangles = _read(store.path("bfm_tri"), read_array)
    try:
        mean = arrays["u"].astype(np.float32).reshape(-1, 3)
        shape = np.ascontiguousarray(arrays["w_shp"], np.float32).reshape(mean.size, SHAPE_SIZE)
        expression = np.ascontiguousarray(arrays["w_exp"], np.float32).reshape(mean.size, EXPRESSION_SIZE)
        keypoints = arrays["keypoints"].reshape(68, 3)[:, 0].astype(np.int64) // 3
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{store.path('bfm_noneck_v3')} holds another model than expected: {error}") from error
    if triangles.shape[:1] != (3,) or not 0 <= triangles.min() <= triangles.max() < len(mean):
        raise WeightsError(f"{store.path('bfm_tri')} holds no triangles of this model, but {triangles.shape}")
    return MorphableModel(mean, shape, expression, np.ascontiguousarray(triangles.T, np.int32), keypoints)


def _read(path: Path, reader: Callable[[IO[bytes]], Any]) -> Any:
    try:
        with path.open("rb") as stream:
            return reader(stream)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
