from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.command import listing

from faceloom.errors import MediaError
from faceloom.evaluate.benchmark.export import load_faces, save_faces
from faceloom.evaluate.benchmark.files import check_new_folder, read_json, whole_folder, without_paths, write_json
from faceloom.evaluate.benchmark.lossless import read_masks, read_pictures, write_lossless
from faceloom.types import Face


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "a") as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "a").exists()
    assert listing(tmp_path) == ["a", "a/x"]


def test_a_folder_that_fails_leaves_nothing_and_keeps_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "a") as folder:
        (folder / "x").write_text("1")
        raise RuntimeError
    assert listing(tmp_path) == ["a", "a/old"]


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".a.partial").mkdir()
    (tmp_path / ".a.partial" / "half").touch()
    with whole_folder(tmp_path / "a"):
        pass
    assert listing(tmp_path) == ["a"]


def test_a_folder_with_something_in_it_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MediaError, match="not empty"):
        check_new_folder(tmp_path, overwrite=False)
    with pytest.raises(MediaError, match="is a file"):
        check_new_folder(tmp_path / "file", overwrite=True)
    check_new_folder(tmp_path, overwrite=True)


def test_json_has_null_for_what_is_no_number(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": [float("nan"), 1.0, float("inf")]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [None, 1.0, None]}
    assert listing(tmp_path) == ["a.json"]
    with pytest.raises(MediaError, match=r"b\.json"):
        read_json(tmp_path / "b.json", "a test")


def test_messages_lose_absolute_paths() -> None:
    folder = Path("/data/bench")
    assert without_paths("/data/bench/references/a.png: no face", folder) == "references/a.png: no face"
    assert without_paths("cannot read '/home/ann/x/clip.mp4': damaged", folder) == "cannot read 'clip.mp4': damaged"
    assert without_paths("1/2 of the frames and/or more", folder) == "1/2 of the frames and/or more"


def test_lossless_pictures_and_masks_come_back_bit_for_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(4)]
    assert write_lossless(tmp_path / "p.mkv", pictures, Fraction(30000, 1001)) == 4
    assert all(np.array_equal(a, b) for a, b in zip(read_pictures(tmp_path / "p.mkv"), pictures, strict=True))
    write_lossless(tmp_path / "m.mkv", (picture[..., 0] for picture in pictures), Fraction(25))
    for mask, picture in zip(read_masks(tmp_path / "m.mkv"), pictures, strict=True):
        assert np.array_equal((mask * 255).round(), picture[..., 0])


def test_a_failed_lossless_file_leaves_nothing(tmp_path: Path) -> None:
    def broken():
        yield np.zeros((64, 64, 3), np.uint8)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_lossless(tmp_path / "p.mkv", broken(), Fraction(25))
    with pytest.raises(MediaError, match="no frame"):
        write_lossless(tmp_path / "p.mkv", [], Fraction(25))
    assert listing(tmp_path) == []


def test_faces_keep_their_gaps(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    face = Face(random.normal(size=(478, 3)).astype(np.float32), np.ones(52, np.float32), np.eye(4), 0.9)
    save_faces(tmp_path / "f.npz", [None, face, None])
    first, second, third = load_faces(tmp_path / "f.npz")
    assert first is None and third is None and second is not None
    assert np.array_equal(second.landmarks, face.landmarks) and second.confidence == 0.9
    (tmp_path / "f.npz").write_bytes(b"PK broken")
    with pytest.raises(MediaError, match=r"f\.npz"):
        load_faces(tmp_path / "f.npz")
