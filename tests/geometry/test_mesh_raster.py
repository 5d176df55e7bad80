from __future__ import annotations

import sys
import time
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from support.meshes import face_of, grid, morphable, sphere

from faceloom.errors import FaceloomError, GeometryError
from faceloom.geometry import rasteriser
from faceloom.geometry.masks import polygon_mask
from faceloom.geometry.rasteriser import Raster, rasterise, soft_matte
from faceloom.types import Box, Image
from faceloom.weights import Store

Floats = NDArray[np.float64]


def slow_raster(vertices: Floats, triangles: NDArray[np.integer], width: int, height: int, cull: bool = True):
    """Every triangle at every pixel in float64: depth (inf where none) and (H, W, V) weights of the vertices."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    depth = np.full((height, width), np.inf)
    weights = np.zeros((height, width, len(vertices)))
    for corners in triangles:
        a, b, c = vertices[corners]
        matrix = np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1, 1, 1]])
        area = np.linalg.det(matrix)
        if area == 0 or (cull and area < 0):
            continue
        share = np.einsum("ij,jhw->hwi", np.linalg.inv(matrix), np.stack([x, y, np.ones_like(x)]))
        z = share @ np.array([a[2], b[2], c[2]])
        nearer = (share >= -1e-9).all(axis=-1) & (z < depth)
        depth[nearer] = z[nearer]
        weights[nearer] = 0
        for corner, vertex in enumerate(corners):
            weights[nearer, vertex] = share[nearer, corner]
    return depth, weights


def random_mesh(seed: int, count: int = 25) -> tuple[Floats, NDArray[np.int32]]:
    rng = np.random.default_rng(seed)
    return rng.uniform((-6, -6, -20), (46, 38, 20), (3 * count, 3)), np.arange(3 * count, dtype=np.int32).reshape(-1, 3)


def assert_same(raster: Raster, depth: Floats, weights: Floats, values: Floats) -> None:
    np.testing.assert_array_equal(raster.triangle >= 0, np.isfinite(depth))
    covered = np.isfinite(depth)
    np.testing.assert_allclose(raster.depth[covered], depth[covered], atol=2e-5)
    assert np.isinf(raster.depth[~covered]).all()
    np.testing.assert_allclose(raster.interpolate(values), weights @ values, atol=5e-5)


@pytest.mark.parametrize("cull", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_random_triangles_equal_the_slow_reference(seed: int, cull: bool) -> None:
    vertices, triangles = random_mesh(seed)
    raster = rasterise(vertices, triangles, 41, 33, soft=False, cull=cull)
    values = np.random.default_rng(seed).uniform(0, 1, (len(vertices), 4))
    assert_same(raster, *slow_raster(vertices, triangles, 41, 33, cull), values)
    np.testing.assert_allclose(raster.weights.sum(axis=-1), raster.triangle >= 0, atol=1e-6)


def test_a_piece_of_a_real_face_equals_the_slow_reference(store: Store, portraits: Mapping[str, Image]) -> None:
    """The nose, where the surface hides itself, in a window of 40 pixels."""
    model, _ = morphable(store)
    vertices = model.vertices(face_of(store, portraits["person_06"], "person_06")).astype(np.float64)
    nose = vertices[model.keypoint_indices[30]]
    window = (vertices - [nose[0] - 24, nose[1] - 24, nose[2]]) * 0.8
    near = (np.abs(window[model.triangles, :2] - 20) < 24).all(axis=(1, 2))
    triangles = model.triangles[near]
    used, local = np.unique(triangles, return_inverse=True)
    piece, triangles = window[used], local.reshape(-1, 3).astype(np.int32)
    assert len(triangles) > 1500
    depth, weights = slow_raster(piece, triangles, 40, 40)
    raster = rasterise(piece, triangles, 40, 40, soft=False)
    assert (raster.triangle >= 0).mean() > 0.95
    # Two triangles at the same depth to rounding: either may win, so it is smooth values that are compared.
    assert_same(raster, depth, weights, (piece - piece.mean(axis=0)) / 40)


def test_neighbours_leave_no_cracks() -> None:
    vertices, triangles = grid(37, 29, (-3.7, -2.3, 71.3, 66.1))
    vertices[:, :2] += np.random.default_rng(0).uniform(-0.5, 0.5, (len(vertices), 2))
    raster = rasterise(vertices, triangles, 64, 60)
    assert (raster.triangle >= 0).all() and (raster.coverage == 1).all()


def test_the_nearer_surface_is_seen_and_the_back_is_culled() -> None:
    far, triangles = grid(3, 3, (0, 0, 19, 19), z=5.0)
    near, _ = grid(3, 3, (5, 5, 14, 14), z=-5.0)
    both = np.vstack([far, near])
    order = np.vstack([triangles + len(far), triangles])  # drawn first or last, the nearer one wins
    raster = rasterise(both, order, 20, 20, soft=False)
    assert (raster.depth[6:14, 6:14] == -5).all() and (raster.depth[:5] == 5).all()
    turned = rasterise(both, order[:, ::-1], 20, 20, soft=False)
    assert (turned.triangle == -1).all()
    assert (rasterise(both, order[:, ::-1], 20, 20, soft=False, cull=False).depth == raster.depth).all()


def test_soft_coverage_is_that_of_the_polygon() -> None:
    corners = np.array([[7.3, 4.1, 0], [40.2, 9.7, 0], [33.8, 36.4, 0], [9.1, 30.2, 0]])
    raster = rasterise(corners, np.array([[0, 1, 2], [0, 2, 3]]), 48, 44)
    exact = polygon_mask(corners[:, :2], Box(0, 0, 48, 44))
    assert np.abs(raster.coverage - exact).max() < 0.1
    assert raster.coverage.sum() == pytest.approx(exact.sum(), rel=5e-4)
    assert (raster.triangle[raster.coverage > 0] >= 0).all() and (raster.coverage[raster.triangle < 0] == 0).all()


def test_values_along_a_soft_outline_stay_those_of_the_surface() -> None:
    vertices, triangles = sphere((20.0, 20.0, 0.0), 14.3)
    raster = rasterise(vertices, triangles, 41, 41)
    place = raster.interpolate(vertices[:, :2])
    partly = (raster.coverage > 0) & (raster.coverage < 1)
    assert partly.sum() > 60
    y, x = np.nonzero(partly)
    # A pixel of the outline shows a place of the surface that lies inside it.
    assert np.abs(place[y, x] - np.column_stack([x, y])).max() <= 0.5 + 1e-5


def test_a_slow_motion_changes_the_coverage_evenly() -> None:
    vertices, triangles = sphere((20.0, 20.0, 0.0), 12.0)
    areas = [rasterise(np.add(vertices, (0.1 * step, 0, 0)), triangles, 44, 41).coverage.sum() for step in range(11)]
    assert np.ptp(areas) / np.mean(areas) < 2e-3
    hard = [
        rasterise(np.add(vertices, (0.1 * s, 0, 0)), triangles, 44, 41, soft=False).coverage.sum() for s in range(11)
    ]
    assert np.ptp(areas) < np.ptp(hard)


def test_a_soft_matte_rises_inwards() -> None:
    coverage = rasterise(*grid(2, 2, (10.0, 10.0, 70.0, 70.0)), 80, 80).coverage
    matte = soft_matte(coverage, 8.0)
    profile = matte[40, 8:40]
    assert (np.diff(profile) >= -1e-6).all() and matte[40, 9] == 0 and matte[40, 11] < 0.3
    assert matte[40, 19] > 0.9 and matte[40, 40] > 0.9999 and (matte <= coverage).all()
    assert soft_matte(coverage, 0) is coverage


def test_a_real_face_is_drawn_quickly(store: Store, portraits: Mapping[str, Image]) -> None:
    """About 6 ms of processor time where it was written; the best of several, since others may be at work."""
    model, _ = morphable(store)
    vertices = model.vertices(face_of(store, portraits["person_05"], "person_05")) / 2
    times = []
    for _ in range(12):
        start = time.thread_time()
        rasterise(vertices, model.triangles, 256, 256)
        times.append(time.thread_time() - start)
    assert min(times) < 0.02


@pytest.mark.parametrize("shift", [(500.0, 0, 0), (-500.0, 0, 0), (0, 1e9, 0)])
def test_a_mesh_outside_the_picture_is_not_drawn(shift: tuple[float, float, float]) -> None:
    vertices, triangles = grid(3, 3, (0, 0, 10, 10))
    raster = rasterise(vertices + shift, triangles, 12, 9)
    assert (raster.triangle == -1).all() and (raster.coverage == 0).all()


def test_degenerate_and_empty_meshes_draw_nothing() -> None:
    line = np.array([[0.0, 0, 0], [5, 5, 0], [10, 10, 0]])
    assert (rasterise(line, np.array([[0, 1, 2]]), 12, 12, cull=False).coverage == 0).all()
    assert (rasterise(line, np.empty((0, 3), np.int32), 12, 12).coverage == 0).all()


def test_bad_meshes_are_refused() -> None:
    vertices, triangles = grid(3, 3, (0, 0, 10, 10))
    with pytest.raises(GeometryError, match="not finite"):
        rasterise(np.where(np.arange(len(vertices))[:, None] == 4, np.nan, vertices), triangles, 12, 12)
    with pytest.raises(GeometryError, match="do not exist"):
        rasterise(vertices, triangles + 1, 12, 12)
    with pytest.raises(GeometryError, match="vertices \\(V, 3\\)"):
        rasterise(vertices[:, :2], triangles, 12, 12)
    with pytest.raises(GeometryError, match="0 x 12"):
        rasterise(vertices, triangles, 0, 12)


def test_without_numba_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    rasteriser._kernels.cache_clear()
    monkeypatch.delitem(sys.modules, "faceloom.geometry.raster_kernels", raising=False)
    monkeypatch.delattr("faceloom.geometry.raster_kernels", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(FaceloomError, match=r"faceloom\[mesh\]"):
        rasterise(*grid(2, 2, (0, 0, 4, 4)), 5, 5)
    rasteriser._kernels.cache_clear()
