from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from support.meshes import about_y, face_of, grid, morphable, sphere

from faceloom.geometry.mesh_flow import mesh_flow
from faceloom.geometry.mesh_visibility import passes_depth, visible_vertices
from faceloom.geometry.rasteriser import rasterise
from faceloom.types import Image
from faceloom.weights import Store


def test_a_plane_that_turns_and_shrinks_moves_as_the_formula_says() -> None:
    """Any affine motion of a slanted plane z = p x + q y + r, whose flow is affine in the pixel."""
    a, triangles = grid(12, 12, (10.0, 12.0, 52.0, 50.0))
    p, q, r = 0.31, -0.22, 4.0
    a[:, 2] = p * a[:, 0] + q * a[:, 1] + r
    linear = np.array([[0.93, -0.11, 0.24], [0.10, 0.95, -0.18], [-0.2, 0.1, 0.9]])
    shift = np.array([3.3, -1.7, 6.0])
    found = mesh_flow(a, a @ linear.T + shift, triangles, 64, 64)
    y, x = np.nonzero(found.visible)
    assert len(y) > 1500
    surface = np.column_stack([x, y, p * x + q * y + r])
    expected = surface @ (linear - np.eye(3)).T[:, :2] + shift[:2]
    np.testing.assert_allclose(found.flow[y, x], expected, atol=1e-4)


@pytest.mark.parametrize("degrees", [4.0, -12.0, 50.0])
def test_a_turning_sphere_moves_as_the_formula_says_and_hides_what_turns_away(degrees: float) -> None:
    centre, radius = (40.0, 38.0, 0.0), 30.0
    a, triangles = sphere(centre, radius, rings=160)
    found = mesh_flow(a, about_y(a, degrees, centre), triangles, 80, 78)
    y, x = np.mgrid[:78, :80].astype(float)
    inside = (x - 40) ** 2 + (y - 38) ** 2 <= radius**2
    front = -np.sqrt(np.maximum(radius**2 - (x - 40) ** 2 - (y - 38) ** 2, 0))
    moved = about_y(np.stack([x, y, front], axis=-1).reshape(-1, 3), degrees, centre).reshape(78, 80, 3)
    # Near the limb depth changes by several pixels within one, and the test for it has a tolerance.
    firmly = inside & (front < -0.25 * radius)
    expected = (moved - np.stack([x, y, front], axis=-1))[..., :2]
    seen = firmly & (moved[..., 2] < -0.25 * radius)
    assert found.visible[seen].all()
    np.testing.assert_allclose(found.flow[seen], expected[seen], atol=0.01)
    hidden = firmly & (moved[..., 2] > 0.25 * radius)
    assert not found.visible[hidden].any()
    assert hidden.sum() > 20 or abs(degrees) < 15
    assert (found.flow[~found.visible] == 0).all() and not found.visible[~inside].any()


def test_what_another_part_comes_to_cover_is_not_visible() -> None:
    far, triangles = grid(20, 20, (0, 0, 59, 59), z=10.0)
    near, small = grid(8, 8, (5.0, 20.0, 20.0, 40.0), z=-10.0)
    both = np.vstack([triangles, small + len(far)])
    moved = np.add(near, (25.0, 0.0, 0.0))
    found = mesh_flow(np.vstack([far, near]), np.vstack([far, moved]), both, 60, 60)
    covered_later = np.zeros((60, 60), bool)
    covered_later[20:41, 30:46] = True
    assert not found.visible[covered_later].any()
    assert found.visible[~covered_later].all()
    np.testing.assert_allclose(found.flow[21:40, 6:20], np.tile([25, 0], (19, 14, 1)), atol=1e-5)
    assert np.abs(found.flow[:19]).max() == 0


def test_the_way_back_undoes_the_way_there() -> None:
    centre = (40.0, 38.0, 0.0)
    a, triangles = sphere(centre, 30.0, rings=120)
    b = np.add(about_y(a, 9.0, centre), (2.0, 1.0, 0.0))
    there, back = mesh_flow(a, b, triangles, 84, 80), mesh_flow(b, a, triangles, 84, 80)
    y, x = np.nonzero(there.visible & (np.hypot(*(np.indices((80, 84)) - np.array([38, 40])[:, None, None])) < 22))
    u, v = x + there.flow[y, x, 0], y + there.flow[y, x, 1]
    rows, columns = np.rint(v).astype(int), np.rint(u).astype(int)
    returned = np.column_stack([u, v]) + back.flow[rows, columns]
    assert back.visible[rows, columns].all()
    assert np.abs(returned - np.column_stack([x, y])).max() < 0.25


def test_what_leaves_the_picture_is_not_visible() -> None:
    a, triangles = grid(9, 9, (0, 0, 31, 31))
    found = mesh_flow(a, np.add(a, (10.0, 0, 0)), triangles, 32, 32)
    assert found.visible[:, :21].all() and not found.visible[:, 22:].any()


def test_a_real_head_turned_rigidly(store: Store, portraits: Mapping[str, Image]) -> None:
    """Turned as a rigid body, the flow is an affine function of the pixel and its depth."""
    model, _ = morphable(store)
    a = model.vertices(face_of(store, portraits["person_05"], "person_05")).astype(np.float64) / 2
    centre = tuple(a.mean(axis=0))
    b = about_y(a, 10.0, centre)
    found = mesh_flow(a, b, model.triangles, 256, 256)
    raster = rasterise(a, model.triangles, 256, 256, soft=False)
    y, x = np.nonzero(found.visible)
    place = np.column_stack([x, y, raster.depth[y, x].astype(np.float64)])
    np.testing.assert_allclose(found.flow[y, x], (about_y(place, 10.0, centre) - place)[:, :2], atol=1e-3)
    share = found.visible.sum() / (raster.triangle >= 0).sum()
    assert 0.95 < share < 0.995  # one side of the nose and a strip of the far cheek go
    assert mesh_flow(a, a, model.triangles, 256, 256).visible.sum() == (raster.triangle >= 0).sum()


def test_half_the_vertices_of_a_sphere_are_seen() -> None:
    vertices, triangles = sphere((40.0, 38.0, 0.0), 30.0)
    raster = rasterise(vertices, triangles, 80, 78, soft=False)
    seen, facing = visible_vertices(vertices, raster)
    assert seen[vertices[:, 2] < -7.5].all() and not seen[vertices[:, 2] > 3].any()
    firmly = np.abs(vertices[:, 1] - 38) < 25
    np.testing.assert_allclose(facing[firmly], -vertices[firmly, 2] / 30, atol=0.05)


def test_depth_is_compared_between_the_pixel_centres() -> None:
    """On a slope of 3 pixels a pixel, points of the surface pass anywhere and points well behind it do not."""
    vertices, triangles = grid(6, 6, (0, 0, 30, 30))
    vertices[:, 2] = 3 * vertices[:, 0]
    raster = rasterise(vertices, triangles, 31, 31)
    where = np.random.default_rng(0).uniform(1, 29, (500, 2))
    on = np.column_stack([where, 3 * where[:, 0]])
    assert passes_depth(on, raster, vertices, 0.01).all()
    assert not passes_depth(np.add(on, (0, 0, 0.5)), raster, vertices, 0.01).any()
    assert passes_depth(np.add(on, (0, 0, 0.5)), raster, vertices, 1.0).all()
    assert not passes_depth(np.add(on, (40.0, 0, 0)), raster, vertices).any()
