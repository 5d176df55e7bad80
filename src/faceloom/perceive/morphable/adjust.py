"""Parameters moved to agree with the landmarks: the regressor sees 120 pixels, the landmarks are sharper.

A step of our own: 3DDFA_V2 and UniFaceGAN take what the network says.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry.similarity import fit_similarity
from faceloom.perceive.morphable.camera import Camera
from faceloom.perceive.morphable.correspondence import BROW_POINTS, keypoints_of_landmarks
from faceloom.perceive.morphable.model import MorphableModel
from faceloom.perceive.morphable.parameters import MorphableParameters
from faceloom.types import Matrix, Points

_NOISE = 0.02
"""Disagreement of model and landmarks that means nothing, as a share of the distance between the eyes."""
_ROUNDS = 3


def adjust_to_landmarks(
    model: MorphableModel,
    parameters: MorphableParameters,
    landmarks: Points,
    deviation: NDArray[np.float32],
) -> MorphableParameters:
    """``parameters`` with the camera shifted, turned and scaled in the picture plane, and the expression changed, so
    that the points 27 to 67 come closer to ``landmarks`` ((478, 2 or 3), the same frame).

    deviation  (10,) how much each coefficient of the expression varies from face to face
               (``MorphableRegressor.expression_deviation``): a change costs as much as it is unusual.

    Shape, yaw and pitch stay. The eyebrows are left out: the two kinds of points mark different edges of them.
    Least squares with the network's answer as prior, ``_ROUNDS`` times for camera and expression in turn.
    """
    rows = model.keypoint_indices[17:][BROW_POINTS:]
    target = keypoints_of_landmarks(landmarks)[BROW_POINTS:]
    basis = model.expression_basis.reshape(-1, 3, len(deviation))[rows].astype(np.float64)  # (41, 3, 10)
    resting = model.neutral_at(parameters.shape, rows).astype(np.float64)
    eyes = float(np.linalg.norm(target[_RIGHT_CORNER] - target[_LEFT_CORNER]))
    prior = (max(_NOISE * eyes, 1e-6) / deviation.astype(np.float64)) ** 2
    start = parameters.expression.astype(np.float64)
    camera, expression = parameters.camera, start
    for _ in range(_ROUNDS):
        points = resting + basis @ expression
        camera = _moved(camera, fit_similarity((points @ camera[:, :3].T + camera[:, 3])[:, :2], target))
        seen = np.einsum("rc,ncb->nrb", camera[:2, :3], basis).reshape(-1, len(deviation))
        miss = (target - (resting + basis @ start) @ camera[:2, :3].T - camera[:2, 3]).ravel()
        expression = start + np.linalg.solve(seen.T @ seen + np.diag(prior), seen.T @ miss)
    return replace(parameters, camera=camera, expression=expression.astype(np.float32))


# Outer corners of the eyes among the points 27 to 67.
_RIGHT_CORNER, _LEFT_CORNER = 9, 18


def _moved(camera: Camera, similarity: Matrix) -> Camera:
    """``camera`` followed by a similarity of the picture plane; z keeps the unit of x."""
    scale = float(np.sqrt(abs(np.linalg.det(similarity[:, :2]))))
    moved = camera.copy()
    moved[:2] = similarity[:, :2] @ camera[:2]
    moved[:2, 3] += similarity[:, 2]
    moved[2] *= scale
    return moved
