from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from support.meshes import about_y, face_of, morphable, sphere

from faceloom.geometry.mesh import mirror_table
from faceloom.geometry.mesh_texture import sample_at, take_texture
from faceloom.geometry.rasteriser import rasterise
from faceloom.types import Image
from faceloom.weights import Store


def smooth_picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x / width, y / height, 0.5 + 0.3 * np.sin(x / 9)], axis=-1).astype(np.float32)


def test_many_points_are_looked_up_bilinearly() -> None:
    picture = smooth_picture(40, 50)
    points = np.random.default_rng(0).uniform(1, 38, (40001, 2)).astype(np.float32)
    found = sample_at(picture, points)
    assert found.shape == (40001, 3)
    # OpenCV places samples to 1/32 of a pixel.
    assert np.abs(found[:, 0] - points[:, 0] / 50).max() < 1.1 / 32 / 50
    assert np.abs(found[:, 1] - points[:, 1] / 40).max() < 1.1 / 32 / 40


def test_drawn_where_it_was_taken_a_mesh_looks_like_the_picture() -> None:
    vertices, triangles = sphere((60.0, 50.0, 0.0), 40.0)
    picture = smooth_picture(100, 120)
    texture = take_texture(picture, vertices, triangles, mirror_table(vertices, triangles))
    raster = rasterise(vertices, triangles, 120, 100)
    squarely = raster.depth < -20
    drawn = texture.draw(raster)
    assert np.abs(drawn - picture)[squarely].max() < 0.01
    assert (drawn[raster.triangle < 0] == 0).all()
    assert np.abs(raster.interpolate(texture.colours()) - drawn)[squarely].max() < 0.02


def test_the_unseen_side_comes_from_the_other_one() -> None:
    """A ball, red on one half and blue on the other, symmetric in front and behind, seen from the side."""
    vertices, triangles = sphere((60.0, 50.0, 0.0), 40.0)
    table = mirror_table(vertices, triangles)
    turned = about_y(vertices, 55.0, (60.0, 50.0, 0.0))
    picture = smooth_picture(100, 120)
    texture = take_texture(picture, turned, triangles, table)
    unseen = (turned[:, 2] > 5) & (table.apply(turned)[:, 2] < -25)
    assert unseen.sum() > 200
    assert (texture.side[unseen] < 0.02).all() and (texture.trust[unseen] > 0.9).all()
    expected = sample_at(picture, table.apply(turned)[:, :2])
    np.testing.assert_allclose(texture.colours()[unseen], expected[unseen], atol=0.02)
    neither = (turned[:, 2] > 8) & (table.apply(turned)[:, 2] > 8)
    assert (texture.trust[neither] == 0).all() and (texture.side[neither] == 1).all()


def test_a_turned_real_face_is_filled_without_the_background(store: Store, portraits: Mapping[str, Image]) -> None:
    model, _ = morphable(store)
    image = portraits["person_02"]
    vertices = model.vertices(face_of(store, image, "person_02")).astype(np.float64)
    picture = image.astype(np.float32) / 255
    # Everything that is not face becomes pure green; none of it may appear on the face.
    cover = rasterise(vertices, model.triangles, 512, 512).coverage[..., None]
    picture = picture * cover + np.array([0, 1, 0], np.float32) * (1 - cover)
    texture = take_texture(picture.astype(np.float32), vertices, model.triangles, model.mirror)
    centre = tuple(vertices.mean(axis=0))
    for degrees in (-25.0, 25.0):
        raster = rasterise(about_y(vertices, degrees, centre), model.triangles, 512, 512)
        drawn = texture.draw(raster)
        trusted = (raster.interpolate(texture.trust[:, None])[..., 0] > 0.5) & (raster.coverage == 1)
        green = drawn[..., 1] - drawn[..., [0, 2]].max(axis=-1)
        assert trusted.sum() > 30000 and (green[trusted] > 0.15).mean() < 2e-3
