from __future__ import annotations

import numpy as np
import pytest
from support.meshes import grid, morphable, sphere

from faceloom.geometry.mesh import mirror_table, spread, vertex_normals
from faceloom.weights import Store


def test_normals_of_a_sphere_point_away_from_its_centre() -> None:
    vertices, triangles = sphere((50.0, 40.0, 7.0), 30.0)
    expected = (vertices - (50, 40, 7)) / 30
    normals = vertex_normals(vertices, triangles)
    # At the seam and the poles a vertex has triangles on one side only.
    assert (np.abs(normals - expected).max(axis=1) < 0.05).mean() > 0.97
    assert (np.einsum("vc,vc->v", normals, expected) >= 0)[np.linalg.norm(normals, axis=1) > 0].all()


def test_a_flat_mesh_that_faces_the_viewer_has_normals_towards_him() -> None:
    vertices, triangles = grid(4, 3, (0, 0, 9, 6))
    np.testing.assert_allclose(vertex_normals(vertices, triangles), np.tile([0, 0, -1], (12, 1)))


def test_a_vertex_without_triangles_has_no_normal() -> None:
    vertices, triangles = grid(2, 2, (0, 0, 1, 1))
    assert (vertex_normals(np.vstack([vertices, [[5.0, 5.0, 5.0]]]), triangles)[-1] == 0).all()


def test_spreading_keeps_constants_and_lowers_a_peak() -> None:
    vertices, triangles = grid(9, 9, (0, 0, 8, 8))
    flat = np.full(len(vertices), 0.3, np.float32)
    np.testing.assert_allclose(spread(flat, triangles, 5), flat, atol=1e-6)
    peak = np.zeros(len(vertices), np.float32)
    peak[40] = 1
    spread_out = spread(peak, triangles, 1)
    assert 0.2 < spread_out[40] < 0.5 and (spread_out[[39, 41, 31, 49]] > 0).all() and spread_out[0] == 0


def test_the_mirror_of_a_symmetric_mesh_is_exact() -> None:
    vertices, triangles = grid(7, 5, (-3, 0, 3, 4))
    vertices[:, 2] = np.abs(vertices[:, 0]) * 0.3  # a ridge in the plane
    table = mirror_table(np.add(vertices, (10, 0, 0)), triangles)
    assert table.gap.max() < 1e-9
    mirrored = table.apply(vertices)
    np.testing.assert_allclose(mirrored, vertices * (-1, 1, 1), atol=1e-6)
    np.testing.assert_allclose(table.weights.sum(axis=1), 1, atol=1e-6)
    assert table.weights.min() >= 0


def test_opposite_points_between_vertices_are_mixed_from_the_triangle_there() -> None:
    # Columns at unequal places: opposite a vertex there is none, but there is surface.
    vertices, triangles = grid(7, 5, (0, 0, 6, 4))
    xs = np.array([-3, -1.7, -0.6, 0.1, 1.0, 2.2, 3.0])
    vertices[:, 0] = xs[np.arange(len(vertices)) % 7]
    table = mirror_table(vertices, triangles, neighbours=3)
    opposite = table.apply(vertices)
    # The plane is found to about the asymmetry itself; whatever it is, the sum of the two x is constant inside.
    inside = np.abs(vertices[:, 0]) < 2.0
    assert np.ptp((opposite + vertices)[inside, 0]) < 1e-5
    np.testing.assert_allclose(opposite[:, 1], vertices[:, 1], atol=1e-6)


def test_the_mirror_of_the_real_face_swaps_its_sides(store: Store) -> None:
    model, _ = morphable(store)
    table = model.mirror
    # Spacing of the vertices is about 700 micrometres; the mean face itself is not quite symmetric.
    assert np.median(table.gap) < 300 and np.percentile(table.gap, 99) < 1200
    points = model.mean[model.keypoint_indices]
    opposite = table.apply(model.mean)[model.keypoint_indices]
    pairs = [(36, 45), (39, 42), (48, 54), (31, 35), (17, 26), (21, 22), (0, 16), (4, 12)]
    for right, left in pairs:
        assert np.linalg.norm(opposite[right] - points[left]) < 4000, (right, left)
    assert np.abs(opposite[[27, 28, 29, 30, 33, 51, 57, 8]] - points[[27, 28, 29, 30, 33, 51, 57, 8]]).max() < 1500


@pytest.mark.parametrize("rounds", [0, 3])
def test_the_mirror_twice_is_nearly_where_it_began(store: Store, rounds: int) -> None:
    model, _ = morphable(store)
    table = model.mirror
    height = spread(model.mean[:, 1].astype(np.float32), model.triangles, rounds)[:, None]
    assert np.abs(table.apply(table.apply(height)) - height).mean() < 600
