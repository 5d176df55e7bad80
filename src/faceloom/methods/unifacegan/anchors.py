"""Where the landmarks of a picture sit on the surface of the morphable model, and how to pull the surface by them.

The model fits a face to a few pixels and knows neither lids nor the corners of a smile. Landmarks do, so the rendered
surface is moved until the places that carry the landmarks of the texture's picture lie where landmarks are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from faceloom.geometry import topology as t
from faceloom.geometry.mesh import vertex_normals
from faceloom.perceive.morphable import MorphableModel, MorphableParameters, split_camera
from faceloom.types import Points

_FOREHEAD = (151, 9, 8, 104, 333, 69, 299, 108, 337, 71, 301, 68, 298)
_CHEEKS = (50, 280, 101, 330, 205, 425, 187, 411, 36, 266, 117, 346, 147, 376, 192, 416, 214, 434)
_CHIN = (199, 200, 175, 18, 170, 395, 210, 430)
_NOSE = (168, 6, 197, 195, 5, 4, 1, 2, 98, 97, 326, 327, 64, 294, 129, 358, 198, 420, 49, 279)
_UPPER = (*t.UPPER_LIP_INNER[1:-1], *t.UPPER_LIP_MIDDLE[1:-1], *t.UPPER_LIP_OUTER[1:-1], 165, 167, 164, 393, 391)
_LOWER = (*t.LOWER_LIP_INNER[1:-1], *t.LOWER_LIP_MIDDLE[1:-1], *t.LOWER_LIP_OUTER[1:-1], *_CHIN, 83, 313)
BROWS = (*t.LEFT_EYEBROW_UPPER, *t.RIGHT_EYEBROW_UPPER, *t.LEFT_EYEBROW_LOWER, *t.RIGHT_EYEBROW_LOWER)
LIDS = (*t.LEFT_EYE_RING, *t.RIGHT_EYE_RING)
LID_SKIN = (
    *t.LEFT_UPPER_LID_SKIN, *t.LEFT_LOWER_LID_SKIN[1:-1], *t.RIGHT_UPPER_LID_SKIN, *t.RIGHT_LOWER_LID_SKIN[1:-1],
)  # fmt: skip
CONTROLS: tuple[int, ...] = tuple(
    dict.fromkeys(
        (
            *_UPPER, *_LOWER, 61, 291, 78, 308, *LIDS, *LID_SKIN, *BROWS, *_NOSE, *_CHEEKS, *_FOREHEAD, *t.FACE_OVAL,
        )
    )
)  # fmt: skip
"""Landmarks that pull the surface."""

_PARTED = 0.3
"""Gap between the lips, in distances between the eyes, on the face on which the pull is spread: upper and lower lip lie
apart there, and neither drags the other along."""
_FACING = 0.2
"""Cosine to the view from which on a vertex can carry a landmark."""
_SMOOTHING = 2e-4
_MICROMETRE = 1e-5
"""Brings the model's unit to the order of 1."""


@dataclass(frozen=True, eq=False)
class Anchors:
    """The 478 landmarks of one picture on the model's V vertices.

    vertices  (478,) the vertex that each sits on.
    offsets   (478, 2) float64, from the vertex to the landmark along x and y of the model, micrometres: what the fit is
              off by, and what lies between two vertices.
    depths    (478,) float64, from the vertex to the landmark along z, micrometres.
    spread    (V, K) float32: how far a vertex follows the pull at each of ``CONTROLS``. Rows sum to 1.
    """

    vertices: NDArray[np.int64]
    offsets: NDArray[np.float64]
    depths: NDArray[np.float64]
    spread: NDArray[np.float32]

    def landmarks(self, vertices: NDArray[np.floating], parameters: MorphableParameters) -> NDArray[np.float64]:
        """(478, 3) frame pixels: where the landmarks come to lie when the model's ``vertices`` (V, 3) lie there."""
        along = self.offsets @ parameters.camera[:2, :2].T
        depth = self.depths * _scale(parameters)
        return vertices[self.vertices].astype(np.float64) + np.column_stack([along, depth])

    def depth_of(self, vertices: NDArray[np.floating], landmarks: Points) -> float:
        """What to add to z of ``landmarks`` (478, 3) to count it as that of ``vertices`` (V, 3), pixels."""
        return float(np.median(vertices[self.vertices, 2] - np.asarray(landmarks, np.float64)[:, 2]))

    def centre(self, neutral: NDArray[np.floating]) -> NDArray[np.float64]:
        """(3,) the middle of the points that move with the skull, on a head at rest, ``neutral`` (V, 3); its unit."""
        middle: NDArray[np.float64] = neutral[self.vertices[list(t.RIGID_POINTS)]].mean(axis=0, dtype=np.float64)
        return middle

    def moved_to(self, vertices: NDArray[np.floating], parameters: MorphableParameters, landmarks: Points) -> Anchors:
        """The same vertices for the ``landmarks`` (478, 3) of another picture of the same face."""
        offsets, depths = _offsets(self.vertices, vertices, parameters, np.asarray(landmarks, np.float64))
        return replace(self, offsets=offsets, depths=depths)

    def bend(self, model: MorphableModel, parameters: MorphableParameters, landmarks: Points) -> NDArray[np.float64]:
        """(478, 2) micrometres along x and y of the model: from where the landmarks come to lie when the face is as
        ``parameters`` say to ``landmarks`` (478, 2 or 3)."""
        basis = model.expression_basis.reshape(len(model.mean), 3, -1)[self.vertices]
        points = model.neutral_at(parameters.shape, self.vertices) + basis @ parameters.expression
        seen = points @ parameters.camera[:2, :3].T + parameters.camera[:2, 3]
        seen = seen + self.offsets @ parameters.camera[:2, :2].T
        off = np.asarray(landmarks, np.float64)[:, :2] - seen
        bent: NDArray[np.float64] = off @ np.linalg.inv(parameters.camera[:2, :2]).T
        return bent

    def pulled(self, vertices: NDArray[np.float32], pull: NDArray[np.float64]) -> NDArray[np.float32]:
        """``vertices`` (V, 3), pixels, moved by ``pull`` (K, 2) pixels at ``CONTROLS`` and smoothly between them."""
        moved = vertices.copy()
        moved[:, :2] += self.spread @ pull.astype(np.float32)
        return moved


def find_anchors(
    model: MorphableModel, parameters: MorphableParameters, landmarks: Points, deviation: NDArray[np.float32]
) -> Anchors:
    """Anchors of ``landmarks`` ((478, 3) pixels of a picture) on the face ``parameters`` fitted to it.

    deviation  (10,) ``MorphableRegressor.expression_deviation``.

    Landmarks of the upper lip only go to vertices of the upper lip, those of the lower lip to the lower one: on closed
    lips a fit that is off by a pixel would mix them up.
    """
    vertices, points = model.vertices(parameters), np.asarray(landmarks, np.float64)
    flat = _unrolled(_parted(model, parameters, deviation))
    facing = -vertex_normals(vertices, model.triangles)[:, 2] > _FACING
    below = _below_the_lips(model, flat)
    nearest = np.empty(len(points), np.int64)
    upper, lower = np.isin(range(len(points)), _UPPER), np.isin(range(len(points)), _LOWER)
    for which, allowed in ((upper, facing & ~below), (lower, facing & below), (~upper & ~lower, facing)):
        rows = np.flatnonzero(allowed)
        nearest[which] = rows[cKDTree(vertices[rows, :2]).query(points[which, :2])[1]]
    offsets, depths = _offsets(nearest, vertices, parameters, points)
    controls = list(CONTROLS)
    return Anchors(nearest, offsets, depths, _spread(flat, flat[nearest[controls]] + offsets[controls]))


def _offsets(
    nearest: NDArray[np.int64],
    vertices: NDArray[np.floating],
    parameters: MorphableParameters,
    points: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    off = points - vertices[nearest]
    # Depths of the landmarks count from elsewhere; only their differences mean anything.
    depth = (off[:, 2] - np.median(off[:, 2])) / _scale(parameters)
    along: NDArray[np.float64] = off[:, :2] @ np.linalg.inv(parameters.camera[:2, :2]).T
    return along, depth


def _scale(parameters: MorphableParameters) -> float:
    return split_camera(parameters.camera)[0]


def _parted(
    model: MorphableModel, parameters: MorphableParameters, deviation: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(V, 3) the head at rest but for lips that are wide open: the expression that costs least for that gap."""
    basis = model.expression_basis.reshape(-1, 3, len(deviation))
    upper, lower = model.keypoint_indices[61:64], model.keypoint_indices[65:68]
    gain = (basis[upper, 1].mean(axis=0) - basis[lower, 1].mean(axis=0)).astype(np.float64)
    eyes = np.linalg.norm(model.mean[model.keypoint_indices[36]] - model.mean[model.keypoint_indices[45]])
    opening = deviation.astype(np.float64) ** 2 * gain
    opening *= _PARTED * eyes / max(float(gain @ opening), 1e-12)
    parted: NDArray[np.float64] = model.neutral(parameters.shape).astype(np.float64) + basis @ opening
    return parted


def _unrolled(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V, 2) the surface rolled off around the head's axis, micrometres: cheeks do not bunch up at the outline."""
    radius = 0.5 * float(np.ptp(points[:, 0]))
    depth = points[:, 2] - points[:, 2].max() + 1.6 * radius
    angle = np.arctan2(points[:, 0], np.maximum(depth, 0.1 * radius))
    return np.column_stack([radius * angle, points[:, 1]])


def _below_the_lips(model: MorphableModel, flat: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(V,) True for vertices under the middle of the parted lips."""
    corner, upper, lower = (flat[model.keypoint_indices[rows]] for rows in ([60, 64], [61, 62, 63], [67, 66, 65]))
    line = np.vstack([corner[:1], 0.5 * (upper + lower), corner[1:]])
    line = line[np.argsort(line[:, 0])]
    below: NDArray[np.bool_] = flat[:, 1] < np.interp(flat[:, 0], line[:, 0], line[:, 1])
    return below


def _spread(points: NDArray[np.float64], controls: NDArray[np.float64]) -> NDArray[np.float32]:
    """(V, K): thin-plate interpolation from ``controls`` (K, 2) to ``points`` (V, 2) as one matrix.

    The spline is linear in what it interpolates, so its solution is taken once and not for every frame.
    Bookstein, Principal warps, 1989.
    """
    centres, at = controls * _MICROMETRE, points * _MICROMETRE
    count = len(centres)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(centres, centres) + _SMOOTHING * np.eye(count)
    system[:count, count:] = np.column_stack([np.ones(count), centres])
    system[count:, :count] = system[:count, count:].T
    solution = np.linalg.solve(system, np.eye(count + 3)[:, :count]).astype(np.float32)
    rows = np.column_stack([_kernel(at.astype(np.float32), centres.astype(np.float32)), np.ones(len(at)), at])
    return rows.astype(np.float32) @ solution


def _kernel(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    squared = (a[:, 0, None] - b[None, :, 0]) ** 2 + (a[:, 1, None] - b[None, :, 1]) ** 2
    return squared * np.log(np.maximum(squared, np.finfo(np.float32).tiny))
