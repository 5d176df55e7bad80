from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from support.benchmark import FRAMES, SMALL

from faceloom.errors import MediaError
from faceloom.evaluate.benchmark.build import build_benchmark, rebuild_benchmark
from faceloom.evaluate.benchmark.choose import shuffled
from faceloom.evaluate.benchmark.errors import BenchmarkError
from faceloom.evaluate.benchmark.manifest import read_manifest
from faceloom.evaluate.benchmark.sources import list_videos, recall
from faceloom.perceive import SAME_PERSON
from faceloom.types import Attribute


def test_what_a_benchmark_holds(desk) -> None:
    manifest = read_manifest(desk.bench)
    assert manifest == desk.manifest
    assert [target.id for target in manifest.targets] == ["t001", "t002"]
    assert all(target.frames == FRAMES and target.first_frame == 0 for target in manifest.targets)
    pool = manifest.pool(Attribute.MOUTH)
    assert [one.id for one in pool] == ["mouth-001", "mouth-002"]
    taken = {target.file for target in manifest.targets}
    for one in pool:
        assert one.file not in taken and one.likeness < SAME_PERSON
        with Pillow.open(desk.bench / one.image) as image, Pillow.open(desk.bench / one.mask) as mask:
            assert image.size == mask.size == (128, 128)
            assert 100 < (np.array(mask) > 127).sum() < 2000
        landmarks = np.load(desk.bench / one.landmarks)
        assert landmarks.shape == (478, 3) and 30 < landmarks[4, 0] < 98
    manifest.check_references(desk.bench)


def test_no_absolute_path_is_written(desk) -> None:
    for file in desk.bench.glob("*.json"):
        assert str(desk.folder) not in file.read_text()


def test_the_same_seed_gives_the_same_set_and_another_another(desk, tmp_path: Path) -> None:
    again, _ = build_benchmark(desk.videos, tmp_path / "again", SMALL, portraits=desk.portraits, jobs=2)
    assert again == desk.manifest
    for one in again.references:
        assert (tmp_path / "again" / one.image).read_bytes() == (desk.bench / one.image).read_bytes()
    files = list_videos(desk.videos)
    seed = next(seed for seed in range(1, 99) if shuffled(files, seed)[:2] != shuffled(files, 0)[:2])
    settings = SMALL.model_copy(update={"refs_per_part": 1, "seed": seed})
    other, _ = build_benchmark(desk.videos, tmp_path / "other", settings, portraits=desk.portraits)
    wanted = [file for file in shuffled(files, seed) if file != "nobody.mkv"][:2]
    assert [target.file for target in other.targets] == wanted


def test_a_manifest_makes_the_same_set_again(desk, tmp_path: Path) -> None:
    warnings = rebuild_benchmark(desk.manifest, desk.videos, tmp_path / "b", portraits=desk.portraits)
    assert warnings == []
    assert read_manifest(tmp_path / "b") == desk.manifest


def test_a_changed_source_is_named(desk, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(desk.videos, videos)
    changed = videos / desk.manifest.targets[0].file
    changed.write_bytes(changed.read_bytes() + b"x")
    with pytest.raises(MediaError, match=changed.name):
        rebuild_benchmark(desk.manifest, videos, tmp_path / "b", portraits=desk.portraits)
    assert not (tmp_path / "b").exists()


def test_too_few_says_how_many_and_why(desk, tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"targets": 9})
    videos = tmp_path / "videos"
    shutil.copytree(desk.videos, videos)
    (videos / "clip_2.mkv").write_bytes(b"no video at all")
    with pytest.raises(
        BenchmarkError, match=r"only 2 of 9 targets(?=.*no face 1)(?=.*cannot be read 1).*--allow-fewer"
    ):
        build_benchmark(videos, tmp_path / "b", settings, portraits=desk.portraits)
    assert not (tmp_path / "b").exists()
    made, warnings = build_benchmark(videos, tmp_path / "b", settings, portraits=desk.portraits, allow_fewer=True)
    assert len(made.targets) == 2 and "2 of 9 targets" in warnings[0]


def test_clips_that_are_too_short_are_counted(desk, tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"min_frames": 100})
    with pytest.raises(BenchmarkError, match=r"fewer than 100 consecutive frames with one face 3"):
        build_benchmark(desk.videos, tmp_path / "b", settings, portraits=desk.portraits, allow_fewer=True)


def test_an_empty_folder_and_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="there is no video"):
        build_benchmark(tmp_path, tmp_path / "b", SMALL)
    with pytest.raises(MediaError, match="is no folder"):
        build_benchmark(tmp_path / "nowhere", tmp_path / "c", SMALL)


def test_faceforensics_is_known_by_its_layout(tmp_path: Path) -> None:
    for file in ("original_sequences/youtube/c23/videos/000.mp4", "original_sequences/youtube/raw/videos/000.mp4",
                 "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4"):  # fmt: skip
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    assert list_videos(tmp_path) == ["original_sequences/youtube/c23/videos/000.mp4"]
    assert len(list_videos(tmp_path / "original_sequences")) == 2


def test_sources_are_found_again_or_asked_for(desk, tmp_path: Path) -> None:
    assert recall(desk.bench, "videos", None).samefile(desk.videos)
    alone = tmp_path / "moved"
    shutil.copytree(desk.bench, alone)
    (alone / "sources.json").write_text(json.dumps({"videos": "nowhere"}))
    with pytest.raises(MediaError, match="--videos DIR"):
        recall(alone, "videos", None)
    assert recall(alone, "videos", desk.videos) == desk.videos
