"""Training pairs: choice of prompts, planes, painted faces, folders of before and after."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from faceloom.errors import FaceError, MediaError
from faceloom.methods.langbrt.prompts import PREDEFINED, TABLE, Area, Blemish, Prompt, Side
from faceloom.perceive import Perception
from faceloom.train.blemishes.anatomy import Anatomy
from faceloom.train.blemishes.atlas import NAME, Atlas, prepare_atlas
from faceloom.train.blemishes.before_after import BeforeAfter, has_after, pack_before_after
from faceloom.train.blemishes.choose import VOCABULARY, draw_choice
from faceloom.train.blemishes.dataset import PaintedFaces, share_of
from faceloom.train.blemishes.maker import make_pair
from faceloom.train.blemishes.planes import FIXED, OWN, PROMPTS, Pairs, pack, unpack
from faceloom.train.data.faces import PackedFaces
from faceloom.train.draws import Draws
from faceloom.train.recipe import AugmentSection
from faceloom.types import Image

FLIPPED, PLAIN = AugmentSection(flip=0.5), AugmentSection(flip=0)


def same(one: Pairs, other: Pairs) -> bool:
    return all(torch.equal(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True))


def test_choices() -> None:
    painted = {Prompt(Blemish.ACNE, Area.CHEEKS, Side.LEFT): 0, Prompt(Blemish.SHINE, Area.NOSE): 0}
    choices = [draw_choice(painted, np.random.default_rng(seed)) for seed in range(300)]
    for choice in choices:
        assert choice.prompts[:FIXED] == PREDEFINED and len(set(choice.prompts)) == PROMPTS == len(choice.asked)
        assert set(choice.prompts) <= set(VOCABULARY) and len(choice.wanted) >= 1
    whole = [choice for choice in choices if all(choice.asked)]
    assert 0.2 < len(whole) / len(choices) < 0.5 and all(choice.prompts == TABLE for choice in whole)
    part = [choice for choice in choices if not all(choice.asked)]
    assert max(len(choice.wanted) for choice in part) == 3
    hits = [any(one.covers(prompt) for one in choice.wanted for prompt in painted) for choice in part]
    assert 0.6 < np.mean(hits) < 1, "mostly for what is there, not always"


def test_what_is_asked_for_is_gone_and_nothing_else(face: Image, anatomy: Anatomy) -> None:
    changed = 0
    for seed in range(12):
        pair = make_pair(face, anatomy, seed)
        difference = np.abs(pair.blemished.astype(int) - pair.target.astype(int)).max(-1) > 0
        asked = pair.masks[pair.asked].max(0, initial=0)
        # A change of 6 in sum is below the dead zone of a mask, and two of them may lie upon each other.
        visible = np.abs(pair.blemished.astype(int) - pair.target.astype(int)).sum(-1) > 12
        assert asked[visible].min(initial=1) > 0
        assert (asked[~difference] > 0.5).mean() < 1e-4, "two changes may cancel out where they meet"
        changed += bool(difference.any())
        assert pair.masks.shape == (PROMPTS, 256, 256) and pair.areas.shape == (FIXED, 256, 256)
    assert changed >= 6


def test_mirrored_pairs_keep_their_sides(face: Image, anatomy: Anatomy) -> None:
    """Pre-defined prompt 2 is the right cheek: it stays on the side of the picture where right cheeks are."""
    for flip in (0.0, 1.0):
        pairs = [make_pair(face, anatomy, seed, flip=flip) for seed in range(50)]
        mask, area = sum(pair.masks[2] for pair in pairs), pairs[0].areas[2]
        columns = np.arange(256)
        assert mask.sum() > 10
        assert (mask.sum(0) @ columns) / mask.sum() < 128 > (area.sum(0) @ columns) / area.sum()


def test_planes(face: Image, anatomy: Anatomy) -> None:
    pair = make_pair(face, anatomy, 1)
    pairs = unpack([pack(pair)] * 2)
    assert pairs.blemished.shape == (2, 3, 256, 256) and pairs.masks.shape == (2, PROMPTS, 256, 256)
    for tensor, image in ((pairs.blemished, pair.blemished), (pairs.target, pair.target)):
        back = ((tensor[1] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(back, image)
    np.testing.assert_allclose(pairs.masks[0], pair.masks, atol=0.003)
    np.testing.assert_allclose(pairs.areas[0], pair.areas, atol=0.003)
    assert pairs.own[1].tolist() == pair.own.tolist() and pairs.own.shape == (2, OWN)
    assert pairs.asked[0].bool().tolist() == pair.asked.tolist() and pairs.labelled.tolist() == [1, 1]
    with pytest.raises(ValueError, match="at least 32 pixels"):
        pack(type(pair)(face[:16, :16], face[:16, :16], pair.masks, pair.areas, pair.own, pair.asked, True))


def test_colours_change_both_pictures_alike(face: Image, anatomy: Anatomy) -> None:
    pairs = unpack([pack(make_pair(face, anatomy, seed)) for seed in (1, 2)])
    changed = pairs.coloured(AugmentSection(brightness=0.2, contrast=0.2, saturation=0.2), Draws(0, 0))
    assert not torch.equal(changed.blemished, pairs.blemished) and torch.equal(changed.masks, pairs.masks)
    equal = (pairs.blemished == pairs.target).all(1)
    assert ((changed.blemished - changed.target).abs().amax(1)[equal]).max() < 1e-5


def test_atlas(packed: Path, perception: Perception) -> None:
    faces = PackedFaces(packed)
    atlas = Atlas(faces)
    assert atlas.found.all()
    large, small = atlas.anatomy(0, 256), atlas.anatomy(0, 64)
    np.testing.assert_allclose((small.landmarks + 0.5) * 4, large.landmarks + 0.5, rtol=1e-4)
    assert small.skin.shape == (64, 64) and small.skin.mean() == pytest.approx(large.skin.mean(), rel=0.1)
    before = (packed / NAME).stat().st_mtime_ns
    prepare_atlas(faces, perception, parser=False)
    assert (packed / NAME).stat().st_mtime_ns == before, "found once"


def test_damaged_atlases(packed: Path, tmp_path: Path, perception: Perception) -> None:
    for name in ("index.json", "faces_64.npy"):
        (tmp_path / name).write_bytes((packed / name).read_bytes())
    with pytest.raises(MediaError, match="is missing"):
        PaintedFaces(tmp_path)
    (tmp_path / NAME).write_bytes((packed / NAME).read_bytes()[:500])
    with pytest.raises(MediaError, match="is damaged"):
        PaintedFaces(tmp_path)
    np.savez(tmp_path / NAME, landmarks=np.zeros((1, 478, 2)), skin=np.zeros((1, 8)), found=np.ones(1, bool))
    with pytest.raises(MediaError, match="belongs to other faces"):
        PaintedFaces(tmp_path)


def test_no_faces_to_paint(tmp_path: Path, perception: Perception) -> None:
    from faceloom.train.data.pack import pack_faces

    (tmp_path / "walls").mkdir()
    Pillow.fromarray(np.full((64, 64, 3), 120, np.uint8)).save(tmp_path / "walls" / "wall.png")
    pack_faces(tmp_path / "walls", tmp_path / "out", [64], perception=None)
    with pytest.raises(FaceError, match="no face was found"):
        prepare_atlas(PackedFaces(tmp_path / "out"), perception, parser=False)
    assert not list((tmp_path / "out").glob("*anatomy*"))


def test_painted_faces(packed: Path) -> None:
    faces = PaintedFaces(packed)
    faces.check([64])
    assert len(faces.held_out) == 2 and not set(faces.held_out) & set(faces.training)
    rows = faces.training[:3]
    one, again = (faces.draw(64, rows, FLIPPED, Draws(0, 5)) for _ in range(2))
    assert same(one, again) and one.blemished.shape == (3, 3, 64, 64)
    assert not same(one, faces.draw(64, rows, FLIPPED, Draws(0, 6)))
    assert same(faces.batch(64, faces.held_out), faces.batch(64, faces.held_out))
    clean = PackedFaces(packed).batch(64, rows[:1])
    np.testing.assert_array_equal(faces.clean(64, int(rows[0])), ((clean[0] + 1) * 127.5).round().permute(1, 2, 0))


def test_other_processes_paint_the_same(packed: Path) -> None:
    alone, helped = PaintedFaces(packed), PaintedFaces(packed, workers=1)
    try:
        rows = alone.training[:2]
        helped.expect(64, rows, Draws(0, 1))
        assert len(helped._begun) == 2
        assert same(helped.draw(64, rows, PLAIN, Draws(0, 1)), alone.draw(64, rows, PLAIN, Draws(0, 1)))
        assert not helped._begun, "what was expected was used"
        assert same(helped.draw(64, rows, PLAIN, Draws(0, 2)), alone.draw(64, rows, PLAIN, Draws(0, 2)))
    finally:
        helped.close()


def test_shares_are_nested() -> None:
    rows = np.arange(1000, 2000)
    parts = [set(share_of(rows, share)) for share in (0.01, 0.05, 0.1, 0.2, 1.0)]
    assert [len(part) for part in parts] == [10, 50, 100, 200, 1000]
    assert all(small < large for small, large in pairwise(parts))
    assert len(share_of(rows[:5], 0.01)) == 1


@pytest.fixture
def folders(tmp_path: Path, face: Image, anatomy: Anatomy) -> tuple[Path, Path]:
    """As FFHQ and FFHQR are: the same names, in folders of a thousand and without."""
    before, after = tmp_path / "ffhq" / "00000", tmp_path / "ffhqr"
    before.mkdir(parents=True)
    after.mkdir()
    for number in range(3):
        pair = make_pair(np.roll(face, number, 1), anatomy, number)
        Pillow.fromarray(pair.blemished).save(before / f"{number:05}.png")
        Pillow.fromarray(pair.target).save(after / f"{number:05}.png")
    return tmp_path / "ffhq", after


def test_before_and_after(folders: tuple[Path, Path], tmp_path: Path, perception: Perception) -> None:
    out = tmp_path / "out"
    entries = pack_before_after(*folders, out, [64, 256], hold_out=["00002"])
    assert [entry.held_out for entry in entries] == [False, False, True] and has_after(out)
    pairs = BeforeAfter(out)
    pair = pairs.pair(256, 1, mirror=False)
    for image, folder in ((pair.blemished, folders[0] / "00000"), (pair.target, folders[1])):
        np.testing.assert_array_equal(image, np.asarray(Pillow.open(folder / "00001.png")))
    assert not pair.labelled and pair.asked.all() and pair.areas.max() == 0, "no atlas yet"
    prepare_atlas(PackedFaces(out), perception, parser=False)
    pairs = BeforeAfter(out)
    pair, turned = (pairs.pair(256, 1, mirror=mirror) for mirror in (False, True))
    np.testing.assert_array_equal(turned.target, pair.target[:, ::-1])
    columns = np.arange(256)
    for one in (pair, turned):
        right_cheek = one.areas[2].sum(0)
        assert (right_cheek @ columns) / right_cheek.sum() < 128
    batch = pairs.draw(64, pairs.training, FLIPPED, Draws(0, 0))
    assert batch.blemished.shape == (2, 3, 64, 64) and batch.labelled.tolist() == [0, 0]
    assert len(BeforeAfter(out, share=0.01).training) == 1


def test_before_and_after_that_do_not_match(folders: tuple[Path, Path], tmp_path: Path) -> None:
    before, after = folders
    Pillow.fromarray(np.zeros((300, 300, 3), np.uint8)).save(after / "00001.png")
    with pytest.raises(MediaError, match="differs in size"):
        pack_before_after(before, after, tmp_path / "out", [64])
    assert not has_after(tmp_path / "out")
    (after / "00001.png").unlink()
    with pytest.raises(MediaError, match=r"has no retouched version in .*one named 00001\.\* is needed"):
        pack_before_after(before, after, tmp_path / "out", [64])
    (after / "more").mkdir()
    cv2.imwrite(str(after / "more" / "00002.jpg"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(MediaError, match="names must be unique"):
        pack_before_after(before, after, tmp_path / "out", [64])
