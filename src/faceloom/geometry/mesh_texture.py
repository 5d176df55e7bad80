"""Colours of a mesh from a picture of it, and the mesh drawn with them (UniFaceGAN, eq. 5).

What the picture does not show, because it lies behind the nose or on the far cheek, is taken from the other side of
the face, which is about symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry.mesh import MirrorTable, spread
from faceloom.geometry.mesh_visibility import visible_vertices
from faceloom.geometry.rasteriser import Raster, rasterise
from faceloom.types import FloatImage

_GRAZING, _SQUARE = 0.1, 0.45
"""Cosines between surface and view: below the first a picture shows streaks, above the second all detail."""
_WIDEST = 16384
"""Points in one row of a look-up; OpenCV allows 32767."""


@dataclass(frozen=True, eq=False)
class MeshTexture:
    """A picture as the texture of a mesh with V vertices.

    picture   (H, W, 3) float32 RGB in [0, 1].
    own       (V, 2) float32, where each vertex lies in the picture, pixels.
    opposite  (V, 2) float32, where the point opposite to it lies.
    side      (V,) float32 in [0, 1]: 1 takes a vertex's own place, 0 the opposite one.
    trust     (V,) float32 in [0, 1]: how well either of the two is seen; 0 where the picture shows neither.
    """

    picture: FloatImage
    own: NDArray[np.float32]
    opposite: NDArray[np.float32]
    side: NDArray[np.float32]
    trust: NDArray[np.float32]

    def colours(self) -> NDArray[np.float32]:
        """(V, 3) float32 RGB in [0, 1], one colour a vertex."""
        own, opposite = sample_at(self.picture, self.own), sample_at(self.picture, self.opposite)
        return _mix(own, opposite, self.side[:, None])

    def draw(self, raster: Raster) -> FloatImage:
        """(H, W, 3) float32 RGB in [0, 1]: the mesh as ``raster`` sees it, 0 where it does not.

        Places in the picture are interpolated instead of colours, so the result is as sharp as the picture and not only
        as the mesh. Use ``raster.coverage`` or ``soft_matte`` to lay it over another picture.
        """
        fields = raster.interpolate(np.column_stack([self.own, self.opposite, self.side]))
        own = _look_up(self.picture, np.ascontiguousarray(fields[..., :2]))
        opposite = _look_up(self.picture, np.ascontiguousarray(fields[..., 2:4]))
        drawn = _mix(own, opposite, fields[..., 4:])
        drawn[raster.triangle < 0] = 0
        return drawn


def take_texture(
    picture: FloatImage, vertices: NDArray[Any], triangles: NDArray[Any], mirror: MirrorTable
) -> MeshTexture:
    """The texture of a mesh that lies at ``vertices`` (V, 3) in ``picture`` ((H, W, 3) float32 RGB in [0, 1]).

    A vertex uses its own place as far as it is seen there, and squarely; what it lacks comes from the opposite place
    (``mirror``) as far as that one is seen. The change from one to the other is gradual. Raises as ``rasterise`` does.
    """
    height, width = picture.shape[:2]
    raster = rasterise(vertices, triangles, width, height, soft=False)
    seen, facing = visible_vertices(vertices, raster)
    clear = (np.clip((facing - _GRAZING) / (_SQUARE - _GRAZING), 0, 1) * seen).astype(np.float32)
    # Smoothing widens the clear part over its border; the minimum takes that back.
    clear = np.minimum(clear, spread(clear, raster.triangles, 4))
    other = mirror.apply(clear[:, None])[:, 0]
    side = clear / np.maximum(clear + (1 - clear) * other, 1e-6)
    # Where neither place is seen, the own one is at least of the same side of the face.
    side = np.where(clear + other > 1e-3, side, 1).astype(np.float32)
    points = np.ascontiguousarray(vertices[:, :2], np.float32)
    return MeshTexture(picture, points, mirror.apply(points), side, np.maximum(clear, other))


def sample_at(picture: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """``picture`` (H, W, C) at ``points`` (N, 2), bilinear, the border repeated: (N, C) float32."""
    count = len(points)
    rows = -(-count // _WIDEST)
    grid = np.zeros((rows * _WIDEST, 2), np.float32)
    grid[:count] = points
    looked = _look_up(picture, grid.reshape(rows, _WIDEST, 2))
    return looked.reshape(rows * _WIDEST, -1)[:count]


def _look_up(picture: NDArray[np.float32], where: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.remap(picture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _mix(own: NDArray[np.float32], opposite: NDArray[np.float32], side: NDArray[np.float32]) -> NDArray[np.float32]:
    mixed: NDArray[np.float32] = opposite + side * (own - opposite)
    return mixed
