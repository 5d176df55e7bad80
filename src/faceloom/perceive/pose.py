"""Head pose: where the canonical face stands in front of the camera.

The canonical face (468 vertices in cm) and the weights of the vertices that follow the skull come with the
landmark network, in its bundle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import GeometryError, WeightsError
from faceloom.types import Points

VERTICAL_FIELD_OF_VIEW = math.radians(63.0)
"""Opening angle of the camera that is assumed for every picture."""
_NEAR = 1.0
_FLOATS_A_VERTEX = 5  # x, y, z, u, v
_VARINT, _LENGTH_DELIMITED = 0, 2  # wire types of protocol buffers
_FIXED_BYTES = {1: 8, 5: 4}


@dataclass(frozen=True, eq=False)
class CanonicalFace:
    """An average face in metric space.

    vertices   (468, 3) float64, cm; x to the right of the picture, y up, z to the camera.
    triangles  (898, 3) int64, indices of vertices (which are also indices of landmarks).
    weights    (468,) float64, how much a vertex tells about the pose of the head; most are 0.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    weights: NDArray[np.float64]

    def pose(self, landmarks: Points, width: int, height: int) -> NDArray[np.float64]:
        """(4, 4) float64 matrix (rotation times scale, translation in cm) from this face to the camera.

        landmarks      (468 or more, 3) pixels of a ``width`` x ``height`` frame, z in the unit of x.

        The camera sits in the origin, looks along -z and has a vertical field of view of 63 degrees. The landmarks
        are lifted from the picture to metric space by a scale found in two rounds of weighted Procrustes analysis
        (Gower and Dijksterhuis, Procrustes Problems, 2004, ch. 4.6), as the network's own authors do.

        Raises ``GeometryError`` for landmarks that are not finite or lie all in one place.
        """
        screen = self._to_near_plane(np.asarray(landmarks, np.float64)[: len(self.vertices)], width, height)
        first = _scale(self._fit(screen * (1, 1, -1)))
        second = _scale(self._fit(_unproject(screen, first)))
        return self._fit(_unproject(screen, first * second))

    @staticmethod
    def _to_near_plane(landmarks: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
        """Pixels to the plane in front of the camera: x right, y up, z (away from the camera) in the unit of x."""
        if not np.isfinite(landmarks).all():
            raise GeometryError("head pose: the landmarks are not finite; detect the face again")
        unit = 2 * _NEAR * math.tan(VERTICAL_FIELD_OF_VIEW / 2) / height
        return (landmarks - (width / 2, height / 2, 0.0)) * (unit, -unit, unit)

    def _fit(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Similarity in space (4, 4) that takes the vertices to ``target`` with least weighted squared error."""
        share = self.weights / self.weights.sum()
        source_mean, target_mean = share @ self.vertices, share @ target
        source, centred = self.vertices - source_mean, target - target_mean
        u, singular, vt = np.linalg.svd((centred * share[:, None]).T @ source)
        if singular[0] < 1e-12:
            raise GeometryError("head pose: the landmarks lie all in one place; detect the face again")
        signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
        rotation = (u * signs) @ vt
        scale = (singular @ signs) / (share @ (source**2).sum(axis=1))
        matrix = np.eye(4)
        matrix[:3, :3] = scale * rotation
        matrix[:3, 3] = target_mean - matrix[:3, :3] @ source_mean
        return matrix


def _scale(matrix: NDArray[np.float64]) -> float:
    """Scale of a similarity in space."""
    return float(np.linalg.norm(matrix[:3, 0]))


def _unproject(screen: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Points on the near plane to space, for a face that is ``scale`` times its size there; z to the camera."""
    depth = (screen[:, 2] - screen[:, 2].mean() + _NEAR) / scale
    return np.column_stack([screen[:, :2] * (depth / _NEAR)[:, None], -depth])


def read_canonical_face(message: bytes) -> CanonicalFace:
    """The canonical face from the bundle's geometry metadata (a protocol buffer). Raises ``WeightsError``.

    Fields read: 1 mesh {3 vertex numbers, 4 triangle indices}, 2 basis {1 landmark, 2 weight}.
    """
    try:
        _, blocks = _split(message)
        mesh_numbers, mesh_blocks = _split(blocks[1][0])
        vertices = np.frombuffer(b"".join(mesh_blocks[3]), "<f4").reshape(-1, _FLOATS_A_VERTEX)[:, :3]
        weights = np.zeros(len(vertices))
        for landmark, weight in map(_split, blocks[2]):
            weights[landmark.get(1, [0])[0]] = np.frombuffer(weight[2][0], "<f4")[0]
        return CanonicalFace(vertices.astype(np.float64), np.array(mesh_numbers[4]).reshape(-1, 3), weights)
    except (ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"the face bundle has no readable canonical face: {error}") from error


def _split(message: bytes) -> tuple[dict[int, list[int]], dict[int, list[bytes]]]:
    """The integers, and the fixed-width or length-delimited values, of a protocol-buffer message by field number."""
    numbers: dict[int, list[int]] = {}
    blocks: dict[int, list[bytes]] = {}
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            numbers.setdefault(field, []).append(value)
            continue
        length, at = _varint(message, at) if kind == _LENGTH_DELIMITED else (_FIXED_BYTES[kind], at)
        blocks.setdefault(field, []).append(message[at : at + length])
        at += length
    return numbers, blocks


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer at ``at`` and the position after it."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
