"""The trained generator in the place of the blend: the recombined face is drawn in a square, networks do the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks
from faceloom.geometry.partcover import face_scale
from faceloom.geometry.rasteriser import rasterise
from faceloom.geometry.similarity import transform
from faceloom.methods.timing import NetworkCall, stage
from faceloom.methods.unifacegan.identity import Identity
from faceloom.methods.unifacegan.swap import Place, place_surface
from faceloom.perceive.morphable import MorphableModel
from faceloom.types import Box, Crop, FloatImage, Matte, Patch

if TYPE_CHECKING:
    from torch import Tensor

    from faceloom.nets.unifacegan import UniFaceGAN

MARGIN = 1.9
"""Side of the square in sides of the face: what clips are packed with for training unless told otherwise."""
_GROWN, _SOFT = 0.12, 0.06
"""How far the edge of what is pasted lies outside the oval, and its softness, distances between the eyes."""


@dataclass(frozen=True, eq=False)
class FaceGenerator:
    """Y = G(R, E(X, M), M) for one face of a frame."""

    model: UniFaceGAN

    @classmethod
    def load(cls, path: Path) -> FaceGenerator:
        """The networks in a file of ``faceloom train unifacegan``. Raises ``WeightsError``."""
        # Imported here: it brings torch, which the blend does without.
        from faceloom.methods.unifacegan.checkpoint import load_model

        return cls(load_model(path).model)

    def crop(self, landmarks: NDArray[np.float64]) -> Crop:
        """The square around a face at ``landmarks`` (478, 3), at the size of the networks. It may leave the frame."""
        low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
        size = self.model.config.image_size
        scale = size / (MARGIN * float((high - low).mean()))
        shift = (size - 1) / 2 - scale * (low + high) / 2
        return Crop(np.column_stack([scale * np.eye(2), shift]), size, size)

    def draw(
        self, frame: FloatImage, place: Place, identity: Identity, model: MorphableModel, proportions: float
    ) -> Patch:
        """``identity`` over the face at ``place`` of ``frame`` ((H, W, 3) float32 in [0, 1])."""
        crop = self.crop(place.landmarks)
        size, scale = crop.width, float(crop.matrix[0, 0])
        vertices, _ = place_surface(place, identity, model, proportions)
        vertices = np.ascontiguousarray(
            np.column_stack([transform(crop.matrix, vertices[:, :2]), vertices[:, 2] * scale]).astype(np.float32)
        )
        raster = rasterise(vertices, model.triangles, size, size, soft=False)
        face = raster.triangle >= 0
        drawn, _ = identity.draw(raster, face_scale(identity.landmarks) / (face_scale(place.landmarks) * scale))
        rendered = np.where(face[..., None], drawn, np.float32(0))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        target = cv2.warpAffine(frame, crop.matrix, (size, size), flags=how, borderMode=cv2.BORDER_REFLECT_101)
        local = np.column_stack([transform(crop.matrix, place.landmarks), place.landmarks[:, 2] * scale])
        return Patch(self._generate(rendered, target, face), _matte(local, size), crop)

    def _generate(self, rendered: FloatImage, target: FloatImage, face: NDArray[np.bool_]) -> FloatImage:
        import torch

        from faceloom.nets.unifacegan import appearance_hint

        region = torch.from_numpy(face.astype(np.float32))[None, None]
        picture = _tensor(target)
        inputs = _tensor(rendered), picture, appearance_hint(picture, region), region

        def forward() -> Tensor:
            with torch.inference_mode():
                made: Tensor = self.model(*inputs)
            return made

        with stage("generator", NetworkCall(1, "cpu", "float32", forward)):
            made = forward()
        found: FloatImage = np.clip((made[0].permute(1, 2, 0).numpy() + 1) / 2, 0, 1).astype(np.float32)
        return found


def _tensor(picture: FloatImage) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float()[None] * 2 - 1


def _matte(landmarks: NDArray[np.float64], size: int) -> Matte:
    scale = face_scale(landmarks)
    oval = masks.offset_outline(masks.outline(masks.Region.FACE_OVAL, landmarks), _GROWN * scale)
    return masks.blur(masks.polygon_mask(oval, Box(0, 0, size, size)), _SOFT * scale)
