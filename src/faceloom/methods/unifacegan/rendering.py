"""3D disentangled editing (UniFaceGAN, section III-B): the face of one frame, acting as in a second, where a third is.

Every call into the morphable model and the rasteriser is here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry.mesh_flow import mesh_flow
from faceloom.geometry.mesh_texture import MeshTexture
from faceloom.geometry.mesh_visibility import passes_depth, visible_vertices
from faceloom.geometry.rasteriser import Raster, rasterise
from faceloom.perceive.morphable import MorphableModel, MorphableParameters, recombine
from faceloom.types import FloatImage, Image


@dataclass(frozen=True, eq=False)
class Look:
    """One frame of a clip.

    picture  (S, S, 3) uint8 RGB.
    face     its parameters, in pixels of ``picture``.
    neutral  (V, 3) float32, the head at rest (``MorphableModel.neutral``), one for the clip.
    side     (V,) uint8, see ``PackedClip.sides``.
    """

    picture: Image
    face: MorphableParameters
    neutral: NDArray[np.float32]
    side: NDArray[np.uint8]

    def resized(self, size: int) -> Look:
        """The frame at another size."""
        if len(self.picture) == size:
            return self
        scale = size / len(self.picture)
        shrunk = cv2.resize(self.picture, (size, size), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        camera = self.face.camera * scale
        camera[:2, 3] += (scale - 1) / 2  # pixel centres are at integers
        return replace(self, picture=shrunk, face=replace(self.face, camera=camera))


@dataclass(frozen=True, eq=False)
class RenderedFace:
    """The recombined face.

    parameters  of eq. 4.
    vertices    (V, 3) float32, pixels.
    raster      what is seen of it; without soft edges, so that ``mask`` is binary as in the paper.
    picture     (S, S, 3) float32 RGB in [0, 1], R of eq. 5, black elsewhere.
    """

    parameters: MorphableParameters
    vertices: NDArray[np.float32]
    raster: Raster
    picture: FloatImage

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(S, S) bool, the facial region."""
        return self.raster.triangle >= 0


def texture_of(model: MorphableModel, look: Look) -> MeshTexture:
    """T of eq. 5: the colours of the face in a frame; unseen sides are taken from the opposite ones."""
    points = np.ascontiguousarray(model.vertices(look.face, look.neutral)[:, :2])
    side = look.side.astype(np.float32) / np.float32(255)
    # How far to trust the texture is not asked here.
    picture = look.picture.astype(np.float32) / np.float32(255)
    return MeshTexture(picture, points, model.mirror.apply(points), side, np.ones_like(side))


def render_face(model: MorphableModel, identity: Look, expression: Look, pose: Look) -> RenderedFace:
    """Eqs. 4 and 5: shape and texture of ``identity``, expression of ``expression``, camera of ``pose``."""
    mixed = recombine(identity.face, expression.face, pose.face)
    vertices = model.vertices(mixed, identity.neutral)
    side = len(pose.picture)
    raster = rasterise(vertices, model.triangles, side, side, soft=False)
    return RenderedFace(mixed, vertices, raster, texture_of(model, identity).draw(raster))


def dense_flow(
    model: MorphableModel, now: RenderedFace, before: RenderedFace
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Eqs. 11 to 16 seen from t - 1: (S, S, 2) float32, pixels from ``before`` to ``now``; (S, S), where known."""
    height, width = before.mask.shape
    rasters = before.raster, now.raster
    found = mesh_flow(before.vertices, now.vertices, model.triangles, width, height, rasters=rasters)
    return found.flow, found.visible


def sparse_flow(now: RenderedFace, before: RenderedFace) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """As ``dense_flow``, but only at the pixels nearest to a vertex, with its motion (an ablation of the paper)."""
    seen, _ = visible_vertices(before.vertices, before.raster)
    seen &= passes_depth(now.vertices, now.raster, now.vertices)
    columns, rows = np.rint(before.vertices[seen, :2]).astype(np.int64).T
    flow = np.zeros((*before.mask.shape, 2), np.float32)
    known = np.zeros(before.mask.shape, bool)
    flow[rows, columns] = (now.vertices - before.vertices)[seen, :2]
    known[rows, columns] = True
    return flow, known
