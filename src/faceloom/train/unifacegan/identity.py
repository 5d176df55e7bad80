"""Who a picture shows, in a way that gradients pass: for the identity term, where the user has a network for it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from faceloom.errors import WeightsError
from faceloom.geometry.similarity import fit_similarity, invert
from faceloom.nets.unifacegan.iresnet import iresnet_of
from faceloom.types import Points

FACE_SIDE = 112
# Where ArcFace expects right and left eye, tip of the nose, right and left corner of the mouth.
_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


class IdentityEmbedder(Protocol):
    """A network, in evaluation mode and without trainable weights."""

    def __call__(self, faces: Tensor) -> Tensor:
        """(B, 3, 112, 112) RGB in [-1, 1], aligned, to vectors (B, D) of unit length."""


def load_embedder(path: Path) -> nn.Module:
    """An ArcFace network (iresnet) from its public PyTorch checkpoint; code in it is never run. Raises WeightsError."""
    if not path.is_file():
        raise WeightsError(f"no face embedding network at {path}; check objective.embedder in the recipe")
    try:
        return iresnet_of(torch.load(path, map_location="cpu", weights_only=True))
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, AttributeError, TypeError) as error:
        raise WeightsError(f"{path} is no checkpoint of an iresnet face embedding network: {error}") from error


def alignment(keypoints: Points, side: int) -> NDArray[np.float32]:
    """(2, 3) float32 for ``align_faces``: where in a picture of ``side`` pixels the aligned face lies.

    keypoints  (68, 2 or 3) of Multi-PIE, pixels of the picture.
    """
    five = np.stack(
        [
            keypoints[36:42, :2].mean(axis=0),
            keypoints[42:48, :2].mean(axis=0),
            keypoints[30, :2],
            keypoints[48, :2],
            keypoints[54, :2],
        ]
    )
    return _in_grid_units(invert(fit_similarity(five, _TEMPLATE)), FACE_SIDE, side)


def _in_grid_units(matrix: NDArray[np.float64], source: int, target: int) -> NDArray[np.float32]:
    """A map of pixels as one of coordinates that run from -1 to 1 between a picture's outer edges."""
    to_pixels = np.array([[source / 2, 0, (source - 1) / 2], [0, source / 2, (source - 1) / 2], [0, 0, 1]])
    inside = matrix @ to_pixels
    inside *= 2 / target
    inside[:, 2] += 1 / target - 1
    return inside.astype(np.float32)


def align_faces(pictures: Tensor, where: Tensor) -> Tensor:
    """(B, 3, 112, 112), the faces of (B, 3, S, S) at ``where`` (B, 2, 3), see ``alignment``; differentiable."""
    grid = functional.affine_grid(where, [len(where), 3, FACE_SIDE, FACE_SIDE], align_corners=False)
    return functional.grid_sample(pictures.float(), grid.float(), "bilinear", "border", align_corners=False)
