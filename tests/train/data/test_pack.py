"""Pictures to packed faces."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from faceloom.errors import FaceError, MediaError
from faceloom.perceive import Perception
from faceloom.train.data.faces import PackedFaces, read_faces, shuffled_rows
from faceloom.train.data.pack import is_held_out, is_packed, pack_faces
from faceloom.types import Image
from faceloom.weights import Store


@pytest.fixture
def folder(tmp_path: Path, portraits: Mapping[str, Image]) -> Path:
    """Three portraits at different depths."""
    for name, person in (("a.png", "person_01"), ("sub/b.png", "person_02"), ("sub/c_7.png", "person_03")):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(portraits[person]).save(path)
    return tmp_path / "pictures"


def test_pixels_are_the_pictures(tmp_path: Path, folder: Path, portraits: Mapping[str, Image]) -> None:
    entries = pack_faces(folder, tmp_path / "out", [32, 64], perception=None, hold_out=["c_*"])
    assert [entry.file for entry in entries] == ["a.png", "sub/b.png", "sub/c_7.png"]
    large = np.load(tmp_path / "out" / "faces_64.npy")
    assert large.shape == (3, 64, 64, 3) and large.dtype == np.uint8
    assert np.array_equal(large[1], cv2.resize(portraits["person_02"], (64, 64), interpolation=cv2.INTER_AREA))
    assert entries[1].sha256 == hashlib.sha256(large[1].tobytes()).hexdigest()
    small = np.load(tmp_path / "out" / "faces_32.npy")
    assert np.abs(small[2].astype(int) - large[2].reshape(32, 2, 32, 2, 3).mean((1, 3))).max() <= 1

    faces = PackedFaces(tmp_path / "out")
    assert faces.names == ("a.png", "sub/b.png", "sub/c_7.png")
    assert faces.training.tolist() == [0, 1] and faces.held_out.tolist() == [2]
    batch = faces.batch(64, faces.held_out)
    assert batch.shape == (1, 3, 64, 64)
    assert np.allclose(batch[0].permute(1, 2, 0).numpy(), large[2] / 127.5 - 1, atol=1e-6)


def test_faces_are_found_and_aligned(tmp_path: Path, portraits: Mapping[str, Image], store: Store) -> None:
    canvas = np.full((900, 1300, 3), 127, np.uint8)
    canvas[100:612, 50:562], canvas[300:812, 700:1212] = portraits["person_01"], portraits["person_02"]
    (tmp_path / "in").mkdir()
    Pillow.fromarray(canvas).save(tmp_path / "in" / "two.png")
    Pillow.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(tmp_path / "in" / "wall.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    said: list[str] = []
    entries = pack_faces(tmp_path / "in", tmp_path / "out", [64], perception=Perception(store), complain=said.append)
    assert [(entry.file, entry.face) for entry in entries] == [("two.png", 0), ("two.png", 1)]
    assert len(said) == 2 and "broken.png" in said[0] and "wall.png: no face" in said[1]
    # The portraits are aligned already, so what is found in the larger picture is the portrait again.
    found = np.load(tmp_path / "out" / "faces_64.npy").astype(int)
    for person in ("person_01", "person_02"):
        whole = cv2.resize(portraits[person], (64, 64), interpolation=cv2.INTER_AREA).astype(int)
        nearest = min(np.abs(face - whole)[16:48, 16:48].mean() for face in found)
        assert nearest < 12, f"{person} is off by {nearest:.1f} grey levels"


def test_the_same_face_is_kept_once(tmp_path: Path, folder: Path) -> None:
    (folder / "again.png").write_bytes((folder / "a.png").read_bytes())
    entries = pack_faces(folder, tmp_path / "out", [16], perception=None)
    assert [entry.file for entry in entries] == ["a.png", "sub/b.png", "sub/c_7.png"]


@pytest.mark.parametrize(
    ("name", "held_out"), [("omi_912.jpg", True), ("omi_192.jpg", False), ("msg_17.png", True), ("msg_171.png", False)]
)
def test_hold_out_patterns(name: str, held_out: bool) -> None:
    assert is_held_out(Path("any") / name, ["omi_9*", "msg_*7"]) is held_out


def test_bad_folders(tmp_path: Path, folder: Path, store: Store) -> None:
    with pytest.raises(MediaError, match="is not a folder"):
        pack_faces(tmp_path / "nowhere", tmp_path / "out", [16], perception=None)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    with pytest.raises(MediaError, match="no picture in it"):
        pack_faces(tmp_path / "empty", tmp_path / "out", [16], perception=None)
    with pytest.raises(FaceError, match="every face is held out by"):
        pack_faces(folder, tmp_path / "out", [16], perception=None, hold_out=["*"])
    Pillow.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "empty" / "black.png")
    with pytest.raises(FaceError, match="no face was found in any picture"):
        pack_faces(tmp_path / "empty", tmp_path / "out", [16], perception=Perception(store))
    assert not is_packed(tmp_path / "out")
    assert not list((tmp_path / "out").glob("*")) and not list((tmp_path / "out").glob(".*"))


def test_pictures_that_are_not_square_are_not_aligned(tmp_path: Path, folder: Path) -> None:
    Pillow.fromarray(np.zeros((64, 80, 3), np.uint8)).save(folder / "wide.png")
    said: list[str] = []
    assert len(pack_faces(folder, tmp_path / "out", [16], perception=None, complain=said.append)) == 3
    assert len(said) == 1 and "wide.png: is not square" in said[0]


def test_packed_folders_that_do_not_serve(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(MediaError, match="faceloom train pack"):
        PackedFaces(folder)
    pack_faces(folder, tmp_path / "out", [16], perception=None)
    with pytest.raises(MediaError, match=r"was packed at 16 pixels, not at 32; .*--size 16 --size 32"):
        PackedFaces(tmp_path / "out").check([16, 32])
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    del index["faces"][0]["held_out"]
    (tmp_path / "out" / "index.json").write_text(json.dumps(index))
    with pytest.raises(MediaError, match="is damaged"):
        PackedFaces(tmp_path / "out")


def test_shuffles_go_on_where_they_stopped() -> None:
    rows = np.array([3, 5, 8, 9, 12])
    whole = shuffled_rows(rows, 1, 0, 15)
    for epoch in whole.reshape(3, 5):
        assert sorted(epoch) == rows.tolist()
    assert len({tuple(epoch) for epoch in whole.reshape(3, 5)}) > 1
    parts = [shuffled_rows(rows, 1, begin, 3) for begin in range(0, 15, 3)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(shuffled_rows(rows, 2, 0, 15), whole)


def test_read_faces_without_packing(folder: Path) -> None:
    faces = read_faces(folder, 16, 2, None, lambda message: None)
    assert faces.shape == (2, 3, 16, 16) and faces.min() >= -1 and faces.max() <= 1
