"""The loop as a whole, on lossless clips, so that what was not to be touched can be compared bit for bit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image as Pillow
from support.fixtures import Footage, References
from support.footage import Picture, planes, same_planes

from faceloom import edit
from faceloom.errors import FaceError, MediaError, TruncatedMediaError
from faceloom.methods.multiband import Multiband
from faceloom.perceive import FaceClass, FaceParser
from faceloom.run import Output, Report, build_recipe, edit_clip, pipeline
from faceloom.types import Face, Patch, Recipe, Window
from faceloom.weights import Store

LOSSLESS = Output(codec="ffv1")


def take(**paths: Path) -> Recipe:
    return build_recipe({"take": {name: str(path) for name, path in paths.items()}})


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory, footage: Footage, references: References, store: Store) -> Path:
    """The plain clip with another mouth, lossless."""
    out = tmp_path_factory.mktemp("edited") / "out.mkv"
    edit_clip(take(mouth=references.mouth), footage.plain, out, LOSSLESS, store=store)
    return out


class Watched(Multiband):
    """multiband, and where its mattes lay: by time, (H, W) bool frame pixels."""

    where: dict[Fraction, np.ndarray]

    def apply(self, window: Window, faces: Sequence[Face | None], prepared: Any) -> list[list[Patch]]:
        patches = super().apply(window, faces, prepared)
        for frame, here in zip(window.frames[window.core], patches, strict=True):
            touched = self.where.setdefault(frame.time, np.zeros((frame.height, frame.width), bool))
            for patch in here:
                assert patch.crop.offset is not None
                x, y = patch.crop.offset
                touched[y : y + patch.crop.height, x : x + patch.crop.width] |= patch.matte > 0
        return patches


def test_pixels_outside_the_matte_are_untouched(
    tmp_path: Path, footage: Footage, references: References, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: dict[Fraction, np.ndarray] = {}
    monkeypatch.setattr(Watched, "where", where, raising=False)
    monkeypatch.setattr(pipeline, "make_method", lambda recipe, store=None: Watched(recipe.options))
    edit_clip(take(mouth=references.mouth), footage.plain, tmp_path / "o.mkv", LOSSLESS, store=store)
    before, after = planes(footage.plain), planes(tmp_path / "o.mkv")
    assert len(before) == len(after) == len(where) == 16
    for old, new, touched in zip(before, after, (where[time] for time in sorted(where)), strict=True):
        blocks = touched.reshape(128, 2, 128, 2).any(axis=(1, 3))
        for old_plane, new_plane, mask in zip(old, new, (touched, blocks, blocks), strict=True):
            np.testing.assert_array_equal(old_plane[~mask], new_plane[~mask])
        assert 0.02 < touched.mean() < 0.3
        assert (old[0] != new[0])[touched].mean() > 0.3, "inside, the picture has changed"


@pytest.mark.parametrize("window", [1, 5, 16])
def test_windows_leave_no_trace(
    tmp_path: Path, footage: Footage, references: References, store: Store, edited: Path, window: int
) -> None:
    out = tmp_path / "o.mkv"
    edit_clip(take(mouth=references.mouth), footage.plain, out, Output(codec="ffv1", window=window), store=store)
    assert same_planes(planes(out), planes(edited))


def test_the_same_recipe_gives_the_same_file(
    tmp_path: Path, footage: Footage, references: References, store: Store, edited: Path
) -> None:
    edit_clip(take(mouth=references.mouth), footage.plain, tmp_path / "o.mkv", LOSSLESS, store=store)
    assert same_planes(planes(tmp_path / "o.mkv"), planes(edited))


def test_strength_zero_is_the_target(tmp_path: Path, footage: Footage, references: References, store: Store) -> None:
    out = tmp_path / "o.mkv"
    report = edit(footage.plain, out, take={"mouth": references.mouth}, strength=0, codec="ffv1", store=store)
    assert same_planes(planes(out), planes(footage.plain))
    assert (report.frames_edited, report.frames_passed, report.warnings) == (0, 16, [])


def test_strength_one_half_is_half_the_way(
    tmp_path: Path, footage: Footage, references: References, store: Store, edited: Path
) -> None:
    out = tmp_path / "o.mkv"
    edit(footage.plain, out, take={"mouth": references.mouth}, strength=0.5, codec="ffv1", store=store)
    luma = [np.array([frame[0] for frame in planes(path)], np.int16) for path in (footage.plain, out, edited)]
    half, full = luma[1] - luma[0], luma[2] - luma[0]
    assert np.abs(full).max() > 20
    error = np.abs(half - full / 2)[full != 0]
    # Rounding of RGB, then of luma; a few dark pixels lie outside of what RGB can show and are cut off.
    assert np.percentile(error, 99.5) <= 1.5 and error.max() <= 6


def test_frames_without_the_face_pass_and_are_counted(
    tmp_path: Path, footage: Footage, references: References, store: Store
) -> None:
    out = tmp_path / "o.mkv"
    report = edit(footage.gaps, out, take={"eyes": references.eyes}, codec="ffv1", store=store)
    before, after = planes(footage.gaps), planes(out)
    changed = [not same_planes([a], [b]) for a, b in zip(before, after, strict=True)]
    assert changed == [True] * 6 + [False] * 4 + [True] * 6
    assert (report.frames_read, report.frames_edited, report.frames_passed, report.faces_lost) == (16, 12, 4, 4)


@pytest.mark.parametrize(
    ("face", "left", "right", "tracks"),
    [("largest", True, False, [1]), (1, True, False, [1]), ("2", False, True, [2]), ("all", True, True, [1, 2])],
)
def test_whose_face(
    tmp_path: Path, footage: Footage, references: References, store: Store,
    face: str | int, left: bool, right: bool, tracks: list[int],
) -> None:  # fmt: skip
    out = tmp_path / "o.mkv"
    report = edit(footage.two, out, take={"mouth": references.mouth}, face=face, codec="ffv1", store=store)
    difference = np.array([a[0] != b[0] for a, b in zip(planes(footage.two), planes(out), strict=True)])
    assert (difference[..., :256].any(), difference[..., 256:].any()) == (left, right)
    assert report.edited_tracks == tracks
    assert [track["id"] for track in report.tracks] == [1, 2]


def test_several_references_at_once(
    tmp_path: Path, footage: Footage, references: References, store: Store, edited: Path
) -> None:
    eyes, both = tmp_path / "eyes.mkv", tmp_path / "both.mkv"
    edit_clip(take(eyes=references.eyes), footage.plain, eyes, LOSSLESS, store=store)
    edit_clip(take(mouth=references.mouth, eyes=references.eyes), footage.plain, both, LOSSLESS, store=store)
    base, mouth_only, eyes_only, together = (
        np.array([frame[0] for frame in planes(path)]) for path in (footage.plain, edited, eyes, both)
    )
    by_mouth, by_eyes = mouth_only != base, eyes_only != base
    assert by_mouth.any() and by_eyes.any()
    alone = by_mouth & ~by_eyes
    np.testing.assert_array_equal(together[alone], mouth_only[alone])
    np.testing.assert_array_equal(together[by_eyes & ~by_mouth], eyes_only[by_eyes & ~by_mouth])
    np.testing.assert_array_equal(together[~by_mouth & ~by_eyes], base[~by_mouth & ~by_eyes])


def test_trimming_keeps_sound_in_time(tmp_path: Path, footage: Footage, references: References, store: Store) -> None:
    out = tmp_path / "o.mp4"
    report = edit(footage.sound, out, take={"mouth": references.mouth}, start=0.2, end=1.0, store=store)
    assert report.frames_read == 20
    with av.open(str(out)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([index / 25 for index in range(20)])
    with av.open(str(out)) as container:
        blocks = [(frame.time, frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    assert blocks[0][0] == pytest.approx(0, abs=0.03)
    assert blocks[-1][0] + len(blocks[-1][1]) / 48000 == pytest.approx(0.8, abs=0.03)
    sound = np.concatenate([samples for _, samples in blocks])[4800:28800]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert np.argmax(spectrum) * 48000 / len(sound) == pytest.approx(440, abs=3)


def test_sound_is_copied(tmp_path: Path, footage: Footage, references: References, store: Store) -> None:
    out = tmp_path / "o.mp4"
    edit(footage.sound, out, take={"mouth": references.mouth}, store=store)

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert packets(out) == packets(footage.sound) != []


def test_report_is_complete(tmp_path: Path, footage: Footage, references: References, store: Store) -> None:
    seen: list[tuple[int, int | None, int]] = []
    report = edit(
        footage.sound, tmp_path / "o.mp4", take={"mouth": references.mouth}, end=0.4, store=store, seed=5,
        progress=lambda *numbers: seen.append(numbers),
    )  # fmt: skip
    assert isinstance(report, Report)
    assert seen == [(number, 10, 0) for number in range(1, 11)]
    read = json.loads(report.to_json())
    assert read["target"] == str(footage.sound) and read["output"] == str(tmp_path / "o.mp4")
    assert read["recipe"]["take"] == {"mouth": str(references.mouth)} and read["recipe"]["seed"] == 5
    assert read["method"] == "multiband" and read["edited_tracks"] == [1] and read["truncated"] is False
    assert set(read["stage_seconds"]) >= {"prepare", "decode", "perceive", "edit", "compose", "write"}
    assert all(value >= 0 for value in read["stage_seconds"].values()) and read["seconds"] > 0
    assert set(read["weights"]) == {"face_landmarker", "yunet", "sface"}
    assert {"faceloom", "python", "numpy", "av"} <= set(read["versions"])
    (track,) = read["tracks"]
    assert track["frames"] == 10 and track["first"] == 0 and track["last"] == pytest.approx(0.36)
    assert 100 < track["mean_size"] < 256


def test_the_file_says_that_it_was_edited(edited: Path) -> None:
    with av.open(str(edited)) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    assert tags["comment"].startswith("Edited with faceloom ")
    assert "mouth taken from a reference picture (method multiband)" in tags["comment"]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_pictures(
    tmp_path: Path, portraits: dict[str, Picture], references: References, store: Store, suffix: str
) -> None:
    target, out = tmp_path / "in.png", tmp_path / f"out{suffix}"
    pixels = np.dstack([portraits["person_02"], np.tile(np.arange(512) // 2, (512, 1)).astype(np.uint8)])
    Pillow.fromarray(pixels).save(target)
    report = edit(target, out, take={"eyes": references.eyes, "eyebrows": references.eyes}, store=store)
    assert (report.frames_read, report.frames_edited) == (1, 1)
    with Pillow.open(out) as picture:
        after = np.asarray(picture)
    if suffix == ".jpg":
        assert after.shape == (512, 512, 3)
        return
    np.testing.assert_array_equal(after[..., 3], pixels[..., 3])
    changed = (after[..., :3] != pixels[..., :3]).any(axis=2)
    assert changed[150:330].mean() > 0.05 and not changed[400:].any()


def test_a_part_that_is_out_of_sight_is_said(
    tmp_path: Path, footage: Footage, references: References, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Multiband, "apply", lambda self, window, faces, prepared: [[] for _ in window.frames[window.core]]
    )
    report = edit(footage.plain, tmp_path / "o.mkv", take={"mouth": references.mouth}, codec="ffv1", store=store)
    assert report.frames_edited == 0
    assert "never in sight" in report.warnings[0]


def test_what_the_parser_sees_in_front_stays(
    tmp_path: Path, portraits: dict[str, Picture], references: References, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    store.ensure(FaceParser.weights)
    hair = np.full((512, 512), FaceClass.UPPER_LIP, np.uint8)
    hair[:, :256] = FaceClass.HAIR
    monkeypatch.setattr(FaceParser, "parse", lambda self, image, landmarks: hair)
    target = tmp_path / "target.png"
    Pillow.fromarray(portraits["person_02"]).save(target)
    pictures = {}
    for occlusion in ("colour", "parser"):
        out = tmp_path / f"{occlusion}.png"
        report = edit(target, out, take={"mouth": references.mouth}, occlusion=occlusion, store=store)
        with Pillow.open(out) as after:
            pictures[occlusion] = np.asarray(after)
    assert "bisenet_celebamask" in report.weights and report.stage_seconds["parse"] > 0
    before, free, kept = portraits["person_02"], pictures["colour"], pictures["parser"]
    assert (free[:, :240] != before[:, :240]).any() and (free[:, 272:] != before[:, 272:]).any()
    np.testing.assert_array_equal(kept[:, :240], before[:, :240])
    np.testing.assert_array_equal(kept[:, 272:], free[:, 272:])


def test_nothing_is_left_of_a_run_that_fails(
    tmp_path: Path, footage: Footage, references: References, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply, calls = Multiband.apply, []

    def fails_later(self: Multiband, *arguments: Any) -> list[list[Patch]]:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("the method broke")
        return apply(self, *arguments)

    monkeypatch.setattr(Multiband, "apply", fails_later)
    with pytest.raises(RuntimeError, match="the method broke"):
        edit_clip(
            take(mouth=references.mouth), footage.plain, tmp_path / "o.mkv", Output(codec="ffv1", window=4), store=store
        )
    assert list(tmp_path.iterdir()) == []


def test_a_broken_target_is_edited_as_far_as_it_goes(
    tmp_path: Path, footage: Footage, references: References, store: Store
) -> None:
    cut, out = tmp_path / "cut.mp4", tmp_path / "out.mp4"
    cut.write_bytes(footage.sound.read_bytes()[: footage.sound.stat().st_size * 7 // 10])
    with pytest.raises(TruncatedMediaError, match=r"were edited and written to .*out\.mp4") as error:
        edit(cut, out, take={"mouth": references.mouth}, store=store)
    kept = len(planes(out))
    assert 0 < kept < 30
    assert error.value.report.frames_edited == kept and error.value.report.truncated
    report = edit(cut, out, take={"mouth": references.mouth}, allow_partial=True, overwrite=True, store=store)
    assert report.truncated and report.frames_read == report.frames_edited == kept


def test_errors_leave_nothing(tmp_path: Path, footage: Footage, references: References, store: Store) -> None:
    with pytest.raises(FaceError, match="no face was found in any frame"):
        edit(footage.nobody, tmp_path / "o.mkv", take={"mouth": references.mouth}, store=store)
    with pytest.raises(MediaError, match="after the end"):
        edit(footage.sound, tmp_path / "o.mp4", take={"mouth": references.mouth}, start=99, store=store)
    assert list(tmp_path.iterdir()) == []


def test_real_clip(tmp_path: Path, real_clip: Path, references: References, store: Store) -> None:
    report = edit(real_clip, tmp_path / "o.mkv", take={"mouth": references.mouth}, codec="ffv1", end=1, store=store)
    assert report.frames_edited == report.frames_read > 20
    with av.open(str(real_clip)) as container:
        height = container.streams.video[0].height
    before, after = planes(real_clip)[: report.frames_read], planes(tmp_path / "o.mkv")
    top = height // 10
    assert all(np.array_equal(a[0][:top], b[0][:top]) for a, b in zip(before, after, strict=True))
    assert all(not np.array_equal(a[0], b[0]) for a, b in zip(before, after, strict=True))
