"""3D disentangled editing, episodes and flow on a head whose motion is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.unifacegan import SIDE, ball, clip_of, photograph, pose

from faceloom.methods.unifacegan.rendering import Look, dense_flow, render_face, sparse_flow
from faceloom.perceive.morphable import MorphableParameters
from faceloom.train.unifacegan.episodes import Episodes, batched, make_episode, mirrored
from faceloom.train.unifacegan.identity import FACE_SIDE, align_faces, alignment
from faceloom.train.unifacegan.losses import warp
from faceloom.train.unifacegan.recipe import ObjectiveSection


def look(person: int, face: MorphableParameters, side: int = SIDE) -> Look:
    picture = photograph(person, face, side)
    return Look(picture, face, ball().neutral(face.shape), np.full(len(ball().mean), 255, np.uint8))


def episode(how: ObjectiveSection | None = None, **options: bool) -> Episodes:
    now, before = look(1, pose(6, 16)), look(1, pose(0, 15))
    flags = {"intra": True, "hint_of_identity": True, **options}
    pair = now, before
    return batched([make_episode(ball(), pair, pair, pair, how or ObjectiveSection(), **flags)], "cpu")


def test_a_face_drawn_where_it_is_looks_as_it_does() -> None:
    here = look(1, pose(10))
    made = render_face(ball(), here, here, here)
    difference = np.abs(made.picture - here.picture / 255.0)[made.mask]
    assert made.mask.sum() > 200 and difference.max() < 0.01
    assert (made.picture[~made.mask] == 0).all()


def test_equation_4_takes_each_part_from_its_own_picture() -> None:
    wide, open_mouth = np.zeros(40, np.float32), np.zeros(10, np.float32)
    wide[0], open_mouth[0] = 1, 1
    identity = look(1, replace(pose(0), shape=wide))
    expression = look(2, replace(pose(-10), expression=open_mouth))
    where = look(3, pose(5, 13, 17))
    made = render_face(ball(), identity, expression, where)
    assert made.parameters.shape is identity.face.shape and made.parameters.expression is expression.face.expression
    assert (made.parameters.camera == where.face.camera).all()
    torch.testing.assert_close(made.vertices, ball().vertices(made.parameters))
    # The skin is that of the identity.
    alone = render_face(ball(), identity, identity, identity)
    middle = made.picture[17, 13]
    assert np.abs(middle - alone.picture[15, 15]).max() < 0.1
    assert np.abs(middle - where.picture[17, 13] / 255).max() > 0.1


def test_flow_brings_the_next_frame_back() -> None:
    before, now = (render_face(ball(), one, one, one) for one in (look(1, pose(0, 15)), look(1, pose(6, 16.3))))
    flow, visible = dense_flow(ball(), now, before)
    picture = torch.from_numpy(now.picture).permute(2, 0, 1)[None]
    back = warp(picture, torch.from_numpy(flow).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    difference = np.abs(back - before.picture).mean(axis=2)
    # Away from the outline, where looking up mixes in the black around the face.
    inside = visible & np.isin(np.arange(SIDE), range(9, 22))[:, None] & np.isin(np.arange(SIDE), range(9, 22))
    assert inside.sum() > 150
    assert difference[inside].mean() < 0.005
    assert np.abs(now.picture - before.picture).mean(axis=2)[inside].mean() > 0.02
    # 1.3 pixels to the right at the centre, and more where the near side turns.
    assert flow[15, 15, 0] == pytest.approx(1.3 + 9 * np.sin(np.radians(6)), abs=0.05)


def test_sparse_flow_is_the_dense_one_at_vertices() -> None:
    poses = pose(0, 60, 60, 40), pose(3, 61, 60, 40)
    before, now = (render_face(ball(), one, one, one) for one in (look(1, face, 128) for face in poses))
    dense, everywhere = dense_flow(ball(), now, before)
    sparse, some = sparse_flow(now, before)
    assert 0 < some.sum() < 0.9 * everywhere.sum()
    both = some & everywhere
    assert both.sum() > 0.85 * some.sum()  # they differ along the outline
    assert np.abs(sparse - dense)[both].max() < 0.3
    assert (sparse[~some] == 0).all()


def test_frames_at_another_size() -> None:
    large = look(1, pose(10, 40, 25, 20), side=64)
    small = large.resized(32)
    assert small.picture.shape == (32, 32, 3)
    # A pixel centre p of the large picture lies at (p + 1/2) / 2 - 1/2 of the small one.
    torch.testing.assert_close(ball().vertices(small.face)[:, :2], (ball().vertices(large.face)[:, :2] + 0.5) / 2 - 0.5)
    assert large.resized(64) is large
    made = render_face(ball(), small, small, small)
    assert np.abs(made.picture - small.picture / 255)[made.mask].mean() < 0.02


def test_episode_shapes() -> None:
    made = episode()
    assert made.appearance.shape == made.identity.shape == made.rendered.shape == (1, 2, 3, SIDE, SIDE)
    assert made.face.shape == (1, 2, 1, SIDE, SIDE) and set(made.face.unique().tolist()) == {0.0, 1.0}
    assert made.flow.shape == (1, 2, SIDE, SIDE) and made.visible.dtype == torch.bool
    assert made.rendered.min() == -1 and (made.rendered[made.face.expand(-1, -1, 3, -1, -1) == 0] == -1).all()
    assert made.intra.tolist() == [True] and made.faces.shape == (1, 2, 2, 3)


@pytest.mark.parametrize("flow", ["dense", "sparse", "off"])
def test_kinds_of_flow(flow: str) -> None:
    made = episode(ObjectiveSection.model_validate({"flow": flow}))
    assert bool(made.visible.any()) == (flow != "off")
    assert not episode(ObjectiveSection.model_validate({"flow": flow}), intra=False).visible.any()


def test_a_mirrored_episode() -> None:
    made, chosen = episode(), torch.tensor([True])
    twice = mirrored(mirrored(made, chosen), chosen)
    for one, other in zip(made, twice, strict=True):
        torch.testing.assert_close(one, other)
    for one, other in zip(made, mirrored(made, ~chosen), strict=True):
        torch.testing.assert_close(one, other)
    # Warping and aligning commute with the mirror.
    seen = mirrored(made, chosen)
    torch.testing.assert_close(warp(seen.rendered[:, 0], seen.flow), warp(made.rendered[:, 0], made.flow).flip(-1))
    torch.testing.assert_close(
        align_faces(seen.identity[:, 0], seen.faces[:, 1]), align_faces(made.identity[:, 0], made.faces[:, 1]).flip(-1)
    )


def test_alignment_puts_the_points_where_the_network_expects_them() -> None:
    face = replace(pose(0, 60, 40, 30))
    points = ball().keypoints(face)[:, :2]
    where = alignment(points, 128)
    # A picture whose colours are its coordinates tells where the aligned pixels come from.
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    aligned = align_faces(torch.stack([x, y, 0 * x])[None], torch.from_numpy(where)[None])[0]
    assert aligned.shape == (3, FACE_SIDE, FACE_SIDE)
    eyes = (points[36] + points[42]) / 2
    middle = aligned[:2, 52, 54:57].mean(1).numpy()  # between 38.3 and 73.5, at the height of the eyes
    assert np.abs(middle - eyes).max() < 2.5
    assert aligned[1, 90, 55] > aligned[1, 52, 55], "the mouth is below"


def test_clips_of_the_tests_are_what_they_say() -> None:
    clip = clip_of(1)
    assert clip.pairs.tolist() == [1, 3, 4] and clip.frames.shape == (5, SIDE, SIDE, 3)
