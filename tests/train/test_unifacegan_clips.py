"""Packed clips: what is written is read, episodes come out of them, and work that was done is not done again."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from support.unifacegan import SIDE, ball, clip_of, packed_clips, pose, tiny_recipe

from faceloom.errors import MediaError, RecipeError
from faceloom.perceive.morphable import CropSquare
from faceloom.train.draws import Draws
from faceloom.train.recipe import AugmentSection
from faceloom.train.unifacegan.clips import read_clip, read_entry, read_index, write_clip
from faceloom.train.unifacegan.crops import camera_in, cut, face_square, follow
from faceloom.train.unifacegan.pack import find_clips
from faceloom.train.unifacegan.samples import ClipSamples, is_held_out

ROWS = np.array([0, 4, 7, 2])
PLAIN = AugmentSection(flip=0.0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_clips(tmp_path_factory.mktemp("clips"))


def test_a_clip_is_read_as_it_was_written(tmp_path: Path) -> None:
    clip = clip_of(2)
    entry = write_clip(tmp_path, "name", "a/b.mp4", clip)
    assert entry == read_entry(tmp_path, "name") and entry.pairs == 3
    again = read_clip(tmp_path, "name")
    assert (again.frames == clip.frames).all() and (again.sides == clip.sides).all()
    assert (again.follows == clip.follows).all() and (again.motion.cameras == clip.motion.cameras).all()
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["name"], "nothing half-written stays"
    assert read_entry(tmp_path, "other") is None


def test_damage_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="pack clips with: faceloom train cache3d"):
        read_index(tmp_path)
    write_clip(tmp_path, "name", "b.mp4", clip_of(0))
    (tmp_path / "clips/name/frames.npy").write_bytes(b"x")
    with pytest.raises(MediaError, match=r"name: cannot be read .* pack again"):
        read_clip(tmp_path, "name")
    (tmp_path / "clips/name/clip.json").write_text("{}")
    with pytest.raises(MediaError, match="is damaged"):
        read_entry(tmp_path, "name")


def test_splits(clips: Path) -> None:
    samples = ClipSamples(clips, ball(), tiny_recipe())
    assert samples.training.tolist() == list(range(9)) and samples.held_out.tolist() == [9, 10, 11]
    assert is_held_out("id1/x/0001.mp4", ["id1/*"]) and is_held_out("a/b.mp4", ["b"]) and not is_held_out("a", ["b"])
    for choice in samples.choices(np.tile(samples.training, 10), Draws(0, 0)):
        assert {choice.appearance[0], choice.identity[0], choice.expression[0]} <= {0, 1, 2}, "3 is held out"


def test_training_episodes_depend_on_seed_and_step_alone(clips: Path) -> None:
    one, other = (ClipSamples(clips, ball(), tiny_recipe(), workers=count) for count in (1, 3))
    first = one.draw(SIDE, ROWS, PLAIN, Draws(0, 5))
    other.expect(SIDE, ROWS, Draws(0, 5))
    for a, b in zip(first, other.draw(SIDE, ROWS, PLAIN, Draws(0, 5)), strict=True):
        assert torch.equal(a, b)
    later = one.draw(SIDE, ROWS, PLAIN, Draws(0, 6))
    assert not torch.equal(first.identity, later.identity)
    assert torch.equal(first.appearance, later.appearance), "the rows say where the appearance comes from"
    other.expect(SIDE, ROWS, Draws(0, 9))  # a step that does not come, as at the end of a stage
    assert torch.equal(other.draw(SIDE, ROWS, PLAIN, Draws(0, 6)).identity, later.identity)


def test_measured_episodes_are_within_and_between_clips(clips: Path) -> None:
    samples = ClipSamples(clips, ball(), tiny_recipe())
    made = samples.batch(SIDE, ROWS)
    assert made.intra.tolist() == [True, False, True, False]
    assert all(torch.equal(a, b) for a, b in zip(made, samples.batch(SIDE, ROWS), strict=True))
    assert made.visible[0].any() and not made.visible[1].any()


def test_consecutive_frames(clips: Path) -> None:
    samples, clip = ClipSamples(clips, ball(), tiny_recipe()), clip_of(1)
    made = samples.batch(SIDE, np.array([4]))  # second pair of the second clip: frames 3 and 2
    shown = ((made.appearance[0] + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    assert (shown[0] == clip.frames[3]).all() and (shown[1] == clip.frames[2]).all()


def test_flips_by_half(clips: Path) -> None:
    samples = ClipSamples(clips, ball(), tiny_recipe())
    plain, flipped = (samples.draw(SIDE, ROWS, AugmentSection(flip=flip), Draws(0, 1)) for flip in (0.0, 1.0))
    assert torch.equal(plain.appearance.flip(-1), flipped.appearance)


def test_what_clips_cannot_give(clips: Path, tmp_path: Path) -> None:
    samples = ClipSamples(clips, ball(), tiny_recipe())
    with pytest.raises(MediaError, match="was packed at 32 pixels, and the recipe wants 64"):
        samples.check([32, 64])
    with pytest.raises(MediaError, match="no pair of frames for training"):
        ClipSamples(clips, ball(), tiny_recipe(data={"hold_out": ["*"]})).check([32])
    with pytest.raises(RecipeError, match=r"mirrored only; leave augment.rotate, augment.brightness at 0"):
        ClipSamples(clips, ball(), tiny_recipe(augment={"rotate": 3, "brightness": 0.1}))
    alone = packed_clips(tmp_path / "one", people=1)
    with pytest.raises(RecipeError, match=r"say sampling.intra = 1.0"):
        ClipSamples(alone, ball(), tiny_recipe())
    other = replace(ball(), mean=ball().mean[:-1])
    with pytest.raises(MediaError, match="packed with a morphable model of"):
        ClipSamples(clips, other, tiny_recipe()).batch(SIDE, ROWS)


def test_squares_follow_the_face() -> None:
    times = [Fraction(index, 25) for index in range(20)]
    boxes = np.column_stack([50 + 2.0 * np.arange(20), np.full(20, 40.0), 30 + np.tile([-1.0, 1.0], 10)])
    boxes[12] = np.nan
    cuts = np.zeros(20, bool)
    cuts[5] = True
    squares, follows = follow(boxes, times, cuts, margin=2.0)
    assert squares[12] is None and np.flatnonzero(~follows).tolist() == [0, 5, 12, 13]
    sides = [{square.side for square in squares[part] if square} for part in (slice(0, 5), slice(5, 12), slice(13, 20))]
    assert sides == [{58}, {62}, {62}], "one size a run, twice the median face"
    for index, square in enumerate(squares):
        if square:
            assert abs(square.left + (square.side - 1) / 2 - boxes[index, 0]) <= 0.5
            assert abs(square.top + (square.side - 1) / 2 - 40) <= 0.5


def test_a_camera_moves_with_its_picture() -> None:
    square = CropSquare(10, -4, 50)
    face = pose(20, 40, 22, 15)
    inside = replace(face, camera=camera_in(face.camera, square, 25))
    wanted = (ball().vertices(face)[:, :2] - [10, -4] + 0.5) / 2 - 0.5
    np.testing.assert_allclose(ball().vertices(inside)[:, :2], wanted, atol=1e-4)


def test_beyond_the_edge_the_picture_is_mirrored() -> None:
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    cut_out = cut(image, CropSquare(-2, -1, 4), 4)
    rows, columns = [1, 0, 1, 2], [2, 1, 0, 1]
    assert (cut_out == image[np.ix_(rows, columns)]).all()
    assert cut(image[:1, :1], CropSquare(-3, 0, 5), 2).shape == (2, 2, 3)


def test_box_of_landmarks() -> None:
    assert face_square(np.array([[10.0, 20.0, 1.0], [30.0, 60.0, 2.0]])) == (20.0, 40.0, 30.0)


def test_layouts_of_clips(tmp_path: Path) -> None:
    for name in ("dev/mp4/id01/abc/00001.mp4", "dev/mp4/id01/abc/00002.mp4", "loose.MOV", ".hidden/a.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for name in ("frames/shot/1.png", "frames/shot/2.png", "single/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Pillow.new("RGB", (8, 8)).save(tmp_path / name)
    found = [str(path.relative_to(tmp_path)) for path in find_clips(tmp_path)]
    assert found == ["dev/mp4/id01/abc/00001.mp4", "dev/mp4/id01/abc/00002.mp4", "frames/shot", "loose.MOV"]
    with pytest.raises(MediaError, match="there is no clip in it"):
        find_clips(tmp_path / "single")
    with pytest.raises(MediaError, match="is not a folder"):
        find_clips(tmp_path / "none")


def test_the_index_is_plain_json(clips: Path) -> None:
    content = json.loads((clips / "index.json").read_text())
    assert content["size"] == SIDE and [clip["pairs"] for clip in content["clips"]] == [3, 3, 3, 3]
