"""Meshes whose geometry is known, and a real one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceloom.perceive.morphable import (
    MORPHABLE_WEIGHTS,
    CropSquare,
    MorphableModel,
    MorphableParameters,
    MorphableRegressor,
    read_morphable_model,
)
from faceloom.weights import Store

Vertices = NDArray[np.float64]
Triangles = NDArray[np.int32]

GOLDEN = Path(__file__).parents[1] / "data" / "perceive" / "morphable.npz"


def grid(columns: int, rows: int, box: tuple[float, float, float, float], z: float = 0.0) -> tuple[Vertices, Triangles]:
    """A flat mesh over ``box`` (left, top, right, bottom), facing the viewer."""
    xs, ys = np.meshgrid(np.linspace(box[0], box[2], columns), np.linspace(box[1], box[3], rows))
    vertices = np.column_stack([xs.ravel(), ys.ravel(), np.full(xs.size, z)])
    index = np.arange(columns * rows, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    return vertices, np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])


def sphere(centre: tuple[float, float, float], radius: float, rings: int = 96) -> tuple[Vertices, Triangles]:
    """A closed sphere seen from outside, in rings from its top to its bottom."""
    angles, turns = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings + 1)
    down, around = np.meshgrid(angles, turns, indexing="ij")
    x, y, z = np.sin(down) * np.cos(around), -np.cos(down), np.sin(down) * np.sin(around)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3) * radius + centre
    index = np.arange(down.size, dtype=np.int32).reshape(down.shape)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    return vertices, np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])


def about_y(points: Vertices, degrees: float, centre: tuple[float, float, float]) -> Vertices:
    """``points`` turned about a vertical axis through ``centre``; the side near the viewer moves to +x for > 0."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (points - centre) @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]).T @ np.diag([1, 1, 1]) + centre


@cache
def morphable(store: Store) -> tuple[MorphableModel, MorphableRegressor]:
    """The public morphable model and its regressor, pulled if they are missing."""
    store.ensure(MORPHABLE_WEIGHTS)
    return read_morphable_model(store), MorphableRegressor(store)


def reference_square(person: str) -> CropSquare:
    """The crop that the reference implementation saw."""
    with np.load(GOLDEN) as golden:
        return CropSquare(*(int(value) for value in golden[f"{person}.roi"]))


def face_of(store: Store, image: NDArray[np.uint8], person: str) -> MorphableParameters:
    """Parameters of a portrait, in the reference's crop."""
    return morphable(store)[1].from_square(image, reference_square(person))
