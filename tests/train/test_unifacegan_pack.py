"""Packing real pictures with the public morphable model, and the two commands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from support.footage import NOBODY, moving, write_video
from support.meshes import morphable
from support.unifacegan import TINY
from typer.testing import CliRunner

from faceloom.errors import FaceError, MediaError, RecipeError
from faceloom.methods.unifacegan.rendering import Look, render_face
from faceloom.perceive import Perception, perceive_image
from faceloom.perceive.morphable import keypoints_of_landmarks
from faceloom.serve.cli import app
from faceloom.train.unifacegan.clips import PackedClip, read_clip, read_index
from faceloom.train.unifacegan.pack import PackOptions, pack_clip, pack_clips
from faceloom.types import Image
from faceloom.weights import Store

OPTIONS = PackOptions(size=64)


@pytest.fixture(scope="module")
def footage(portraits: Mapping[str, Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos in VoxCeleb2's layout, a folder of frames, a video of nobody and a broken one."""
    folder = tmp_path_factory.mktemp("footage")
    for person in ("person_02", "person_06"):
        path = folder / "mp4" / person / "talk" / "00001.mkv"
        path.parent.mkdir(parents=True)
        write_video(path, moving(portraits[person], 4, 160))
    (folder / "frames").mkdir()
    for index, picture in enumerate(moving(portraits["person_05"], 12, 160)[8:]):  # 10.png comes after 9.png
        Pillow.fromarray(picture).save(folder / "frames" / f"{index + 8}.png")
    write_video(folder / "nobody.mkv", [NOBODY] * 2)
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def packed(footage: Path, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    morphable(store)
    output, said = tmp_path_factory.mktemp("packed"), list[str]()
    entries = pack_clips(footage, output, OPTIONS, store, complain=said.append)
    assert [entry.source for entry in entries] == [
        "frames", "mp4/person_02/talk/00001.mkv", "mp4/person_06/talk/00001.mkv",
    ]  # fmt: skip
    assert (
        len(said) == 2 and said[0].startswith("broken.mp4 is left out") and "no face was found in 2 frames" in said[1]
    )
    return output


def clips(folder: Path) -> list[PackedClip]:
    return [read_clip(folder, entry.name) for entry in read_index(folder)[1]]


def test_frames_hold_the_face(packed: Path, store: Store) -> None:
    model, _ = morphable(store)
    for clip in clips(packed):
        assert clip.frames.shape == (4, 64, 64, 3) and clip.pairs.tolist() == [1, 2, 3]
        assert clip.sides.shape == (4, len(model.mean)) and np.ptp(clip.sides) == 255
        for index in range(4):
            face = clip.motion.parameters(index)
            assert face is not None
            points = model.keypoints(face)[:, :2]
            assert points.min() > 5 and points.max() < 58
            assert np.abs(points[17:].mean(axis=0) - 31.5).max() < 8, "about in the middle"
            look = Look(np.array(clip.frames[index]), face, model.neutral(face.shape), np.array(clip.sides[index]))
            made = render_face(model, look, look, look)
            # The face drawn with its own texture is the picture itself where it is seen.
            difference = np.abs(made.picture - look.picture / 255)[made.mask].mean()
            assert made.mask.mean() > 0.12 and difference < 0.03


def test_parameters_agree_with_the_landmarks(packed: Path, store: Store) -> None:
    """In the packed frame, found anew and enlarged: the model's points lie within a few hundredths of the face."""
    model, _ = morphable(store)
    clip = clips(packed)[1]
    large = np.array(Pillow.fromarray(np.array(clip.frames[1])).resize((256, 256), Pillow.Resampling.BICUBIC))
    (found,) = perceive_image(large, Perception(store))
    face = clip.motion.parameters(1)
    assert face is not None
    points = (model.keypoints(face)[17:, :2] + 0.5) * 4 - 0.5
    error = np.linalg.norm(points - keypoints_of_landmarks(found.landmarks), axis=1).mean()
    assert error < 0.06 * np.linalg.norm(points[19] - points[28])


def test_what_is_done_is_kept(packed: Path, footage: Path, store: Store) -> None:
    folders = sorted(path for path in (packed / "clips").iterdir() if path.is_dir())
    times = [(path / "frames.npy").stat().st_mtime_ns for path in folders]
    (folders[0] / "clip.json").unlink()  # as if the run had been killed in the middle of this one
    folders[0].rename(folders[0].with_name(f".{folders[0].name}.partial"))
    pack_clips(footage, packed, OPTIONS, store)
    again = [(path / "frames.npy").stat().st_mtime_ns for path in folders]
    assert again[0] != times[0] and again[1:] == times[1:]
    with pytest.raises(MediaError, match="holds clips packed with PackOptions"):
        pack_clips(footage, packed, replace(OPTIONS, size=32), store)


def test_small_faces_and_short_clips(footage: Path, store: Store, tmp_path: Path) -> None:
    model, regressor = morphable(store)
    path = footage / "mp4/person_02/talk/00001.mkv"
    with pytest.raises(FaceError, match="no face of at least 674 pixels in two frames in a row"):
        pack_clip(path, PackOptions(size=1280, smallest=1.0), Perception(store), regressor, model)
    short = pack_clip(path, replace(OPTIONS, frames=2), Perception(store), regressor, model)
    assert len(short.frames) == 2
    (tmp_path / "some").mkdir()
    write_video(tmp_path / "some" / "nobody.mkv", [NOBODY] * 2)
    with pytest.raises(FaceError, match="nothing was packed"):
        pack_clips(tmp_path / "some", tmp_path / "out", OPTIONS, store)


def test_the_commands(footage: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    morphable(store)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    done = runner.invoke(app, ["train", "cache3d", str(footage / "mp4"), "-o", "packed", "--size", "32"])
    assert done.exit_code == 0, done.output
    assert "packed: 2 clips, 6 pairs of frames, at 32 pixels" in done.stdout
    model = "\n".join(f"{name} = {json.dumps(value)}" for name, value in TINY.items())
    rest = '[run]\nsamples = 4\nprecision = "fp32"\n[objective]\nidentity = 1.0\n[[stages]]\nsize = 32\nbatch = 2'
    (tmp_path / "tiny.toml").write_text(f"[model]\n{model}\n{rest}")
    command = ["train", "unifacegan", "--data", "packed", "--recipe", "tiny.toml", "-o", "out", "--device", "cpu"]
    done = runner.invoke(app, [*command, "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert "the identity term is left out" in done.stderr
    assert "out/last.ckpt: step 2, 4 episodes" in done.stdout and (tmp_path / "out/model.safetensors").is_file()
    again = runner.invoke(app, command)
    assert isinstance(again.exception, RecipeError) and "go on with --resume" in str(again.exception)
