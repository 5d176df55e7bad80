"""Writing: pixels, time stamps, tags, names and failure."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from faceloom.errors import MediaError
from faceloom.media import CODECS, ClipWriter, open_clip, probe
from faceloom.types import Box, Frame


def copy(source, out, *, open_with=None, **options):
    with open_clip(source, **(open_with or {})) as clip, ClipWriter.like(clip, out, **options) as sink:
        for frame in clip:
            sink.write(frame)
    return out


def paint(frame: Frame, box: Box, colour=(200, 40, 90)) -> Frame:
    image = frame.image.copy()
    image[box.slices] = colour
    return frame.edited(image, box)


@pytest.mark.parametrize("fmt", ["yuv420p", "yuv420p10le", "yuv422p10le", "yuv444p", "yuv420p12le", "gray", "gbrp10le"])
def test_unedited_frames_are_copied_bit_for_bit(tmp_path, tools, fmt):
    planes = [tools.noise_planes(fmt, 50, 38, seed) for seed in range(5)]
    source = tools.make_clip(tmp_path / "a.mkv", planes, codec="ffv1", fmt=fmt)
    out = copy(source, tmp_path / "b.mkv", codec="ffv1")
    assert probe(out).pixel_format == fmt
    written = tools.decoded_planes(out)
    assert len(written) == 5
    for have, want in zip(written, planes, strict=True):
        assert all(map(np.array_equal, have, want))


def test_eight_bit_rgb_is_copied_bit_for_bit(tmp_path, tools):
    planes = [tools.noise_planes("gbrp", 50, 38, seed) for seed in range(3)]
    source = tools.make_clip(tmp_path / "a.avi", planes, codec="utvideo", fmt="gbrp")
    copy(source, tmp_path / "b.mkv", codec="ffv1")
    with open_clip(tmp_path / "b.mkv") as clip:
        written = [frame.native.planes for frame in clip]
    for have, want in zip(written, planes, strict=True):
        assert all(map(np.array_equal, have, want))


@pytest.mark.parametrize("fmt", ["yuv420p", "yuv420p10le"])
@pytest.mark.parametrize("size", [(64, 48), (37, 25)])
def test_pixels_outside_the_edit_are_bit_identical(tmp_path, tools, fmt, size):
    planes = [tools.noise_planes(fmt, *size, seed) for seed in range(4)]
    source = tools.make_clip(tmp_path / "a.mkv", planes, codec="ffv1", fmt=fmt)
    box, inner = Box(5, 4, 20, 17), Box(9, 7, 14, 12)
    with open_clip(source) as clip, ClipWriter.like(clip, tmp_path / "b.mkv", codec="ffv1") as sink:
        for frame in clip:
            image = frame.image.copy()
            image[inner.slices] = (230, 30, 30)
            sink.write(frame.edited(image, box))
    for have, want in zip(tools.decoded_planes(tmp_path / "b.mkv"), planes, strict=True):
        luma = np.zeros(want[0].shape, bool)
        luma[inner.slices] = True
        chroma = np.zeros(want[1].shape, bool)
        chroma[7 // 2 : -(-12 // 2), 9 // 2 : -(-14 // 2)] = True
        assert np.array_equal(have[0][~luma], want[0][~luma])
        assert (have[0][luma] != want[0][luma]).any()
        for plane in (1, 2):
            assert np.array_equal(have[plane][~chroma], want[plane][~chroma])
            assert (have[plane][chroma] != want[plane][chroma]).any()


def test_an_edit_arrives_in_the_picture(tmp_path, clips):
    box = Box(16, 16, 48, 48)
    with open_clip(clips["ntsc"]) as clip, ClipWriter.like(clip, tmp_path / "b.mkv", codec="ffv1") as sink:
        for frame in clip:
            sink.write(paint(frame, box))
    with open_clip(tmp_path / "b.mkv") as clip:
        image = next(clip).image
    assert np.abs(image[20:44, 20:44].astype(int) - (200, 40, 90)).max() <= 2


def test_time_stamps_survive(tmp_path, clips, tools):
    ntsc = copy(clips["ntsc"], tmp_path / "ntsc.mp4")
    assert tools.decoded_times(ntsc) == [Fraction(1001 * index, 30000) for index in range(48)]
    assert probe(ntsc).fps == Fraction(30000, 1001)
    assert tools.decoded_times(copy(clips["vfr"], tmp_path / "vfr.mp4")) == tools.vfr_times


def test_the_last_frame_keeps_a_duration(tmp_path, clips):
    out = copy(clips["ntsc"], tmp_path / "b.mp4", audio=False)
    assert abs(probe(out).duration - probe(clips["ntsc"]).duration) < Fraction(2, 1000)


def test_a_trimmed_clip_starts_at_zero(tmp_path, clips, tools):
    out = copy(clips["vfr"], tmp_path / "b.mp4", open_with={"start": 0.5, "end": 1.2})
    expected = [time for time in tools.vfr_times if Fraction(1, 2) <= time < Fraction(6, 5)]
    assert tools.decoded_times(out) == [time - expected[0] for time in expected]


@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (6, 6, 6, 1), (9, 9, 16, 1), (1, 1, 13, 2), (2, 2, 2, 0)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_colour_tags_survive(tmp_path, tools, tags, suffix):
    planes = [tools.flat_planes("yuv420p", 64, 48, index) for index in range(3)]
    source = tools.make_clip(tmp_path / f"a{suffix}", planes, tags=tags)
    before = probe(source).colour
    after = probe(copy(source, tmp_path / f"b{suffix}")).colour
    assert (before.space, before.primaries, before.transfer) == tags[:3]
    assert after == before


@pytest.mark.parametrize(
    ("codec", "suffix", "planes"),
    [
        ("h264", ".mp4", "yuv420p"),
        ("hevc", ".mp4", "yuv420p"),
        ("av1", ".mp4", "yuv420p"),
        ("vp9", ".webm", "yuv420p"),
        ("prores", ".mov", "yuv422p10le"),
        ("ffv1", ".mkv", "yuv420p"),
    ],
)
def test_every_codec_writes_every_frame(tmp_path, clips, codec, suffix, planes):
    out = copy(clips["ntsc"], tmp_path / f"b{suffix}", codec=codec)
    with open_clip(clips["ntsc"]) as before, open_clip(out) as after:
        pairs = list(zip(before, after, strict=True))
    assert len(pairs) == 48
    assert after.info.planes.name == planes
    worst = max(np.abs(a.image.astype(int) - b.image).mean() for a, b in pairs)
    assert worst < 6, worst


def test_the_menu_names_encoders_that_exist():
    for entry in CODECS.values():
        assert av.Codec(entry.encoder, "w").is_encoder


def test_ten_bits_stay_ten_bits_in_h264(tmp_path, tools):
    planes = [tools.flat_planes("yuv420p10le", 64, 48, index) for index in range(3)]
    source = tools.make_clip(tmp_path / "a.mkv", planes, codec="ffv1", fmt="yuv420p10le")
    info = probe(copy(source, tmp_path / "b.mp4"))
    assert (info.pixel_format, info.bit_depth) == ("yuv420p10le", 10)


@pytest.mark.parametrize("size", [(33, 24), (32, 25), (33, 25), (2, 2), (1, 1)])
def test_odd_sizes_are_never_cropped(tmp_path, tools, size):
    planes = [tools.noise_planes("yuv420p", *size, seed) for seed in range(3)]
    source = tools.make_clip(tmp_path / "a.mkv", planes, codec="ffv1")
    info = probe(copy(source, tmp_path / "b.mp4", crf=0))
    assert (info.width, info.height) == size
    assert info.planes.name == ("yuv420p" if size == (2, 2) else "yuv422p" if size[0] % 2 == 0 else "yuv444p")
    with open_clip(source) as before, open_clip(tmp_path / "b.mp4") as after:
        worst = max(np.abs(a.image.astype(int) - b.image).mean() for a, b in zip(before, after, strict=True))
    assert worst == 0


def test_frames_made_by_the_caller_are_converted_whole(tmp_path, clips):
    with open_clip(clips["ntsc"]) as clip, ClipWriter.like(clip, tmp_path / "b.mkv", codec="ffv1") as sink:
        for frame in clip:
            sink.write(Frame(frame.index, frame.time, np.full_like(frame.image, (10, 200, 120))))
    with open_clip(tmp_path / "b.mkv") as clip:
        assert np.abs(next(clip).image.astype(int) - (10, 200, 120)).max() <= 2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_metadata_is_written(tmp_path, clips, suffix):
    out = copy(clips["ntsc"], tmp_path / f"b{suffix}", metadata={"comment": "made with faceloom é", "recipe": "m=1"})
    metadata = probe(out).metadata
    assert metadata["comment"] == "made with faceloom é"
    assert metadata["recipe"] == "m=1"


def test_nothing_is_left_behind_by_an_exception(tmp_path, clips):
    before = threading.active_count()
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error), open_clip(clips["ntsc"]) as clip, ClipWriter.like(clip, tmp_path / "b.mp4") as sink:
            for frame in clip:
                sink.write(frame)
                if frame.index == 20:
                    assert [path.name for path in tmp_path.iterdir()] == [".b.partial.mp4"]
                    raise error
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before


def test_an_existing_output_survives_a_failed_overwrite(tmp_path, clips):
    out = tmp_path / "b.mp4"
    out.write_bytes(b"precious")
    with (
        pytest.raises(ZeroDivisionError),
        open_clip(clips["ntsc"]) as clip,
        ClipWriter.like(clip, out, overwrite=True) as sink,
    ):
        sink.write(next(clip))
        raise ZeroDivisionError
    assert out.read_bytes() == b"precious"
    copy(clips["ntsc"], out, overwrite=True)
    assert probe(out).frame_count == 48


def test_an_error_in_the_encoder_thread_reaches_the_caller(tmp_path, clips):
    with (
        pytest.raises(MediaError, match="not later") as caught,
        open_clip(clips["ntsc"]) as clip,
        ClipWriter.like(clip, tmp_path / "b.mp4") as sink,
    ):
        frame = next(clip)
        for _ in range(100):
            sink.write(frame)
    assert "b.mp4" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_writing_no_frame_is_an_error(tmp_path, clips):
    with open_clip(clips["ntsc"]) as clip:
        sink = ClipWriter.like(clip, tmp_path / "b.mp4")
        with pytest.raises(MediaError, match="no frame"):
            sink.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "preset", "passes"), [((1280, 720), None, 1), ((1280, 720), "veryfast", 2), ((640, 480), None, 2)]
)
def test_large_frames_are_searched_once(tmp_path, tools, size, preset, passes):
    """x264 notes its settings in the stream. A preset that is asked for is taken as it is."""
    planes = [tools.noise_planes("yuv420p", *size, seed) for seed in range(2)]
    source = tools.make_clip(tmp_path / "a.mp4", planes, options={"preset": "ultrafast"})
    out = copy(source, tmp_path / "b.mp4", preset=preset)
    assert f"subme={passes} ".encode() in out.read_bytes()
    assert probe(out).frame_count == 2


def refuse(clips, out, says, **options):
    with open_clip(clips["ntsc"]) as clip, pytest.raises(MediaError, match=says) as caught:
        ClipWriter.like(clip, out, **options)
    assert Path(out).name in str(caught.value)


def test_refuses_an_output_that_exists(tmp_path, clips):
    (tmp_path / "b.mp4").write_bytes(b"x")
    refuse(clips, tmp_path / "b.mp4", "--overwrite")
    assert (tmp_path / "b.mp4").read_bytes() == b"x"


@pytest.mark.parametrize("overwrite", [False, True])
def test_refuses_to_write_over_its_input(tmp_path, clips, overwrite):
    refuse(clips, clips["ntsc"], "input itself", overwrite=overwrite)
    link = tmp_path / "link.mp4"
    link.symlink_to(clips["ntsc"])
    refuse(clips, link, "input itself", overwrite=overwrite)


@pytest.mark.parametrize(
    ("name", "says", "options"),
    [
        ("b.xyz", "unknown extension", {}),
        ("b", "unknown extension", {}),
        ("b.png", "is a video", {}),
        ("missing/b.mp4", "does not exist", {}),
        ("b.mp4", "unknown codec", {"codec": "h265000"}),
        ("b.webm", "cannot hold h264", {}),
        ("b.mp4", "--codec", {"preset": "warp"}),
        ("b.mkv", "no --crf", {"codec": "ffv1", "crf": 3}),
        ("b.mov", "no --preset", {"codec": "prores", "preset": "fast"}),
    ],
)
def test_refuses_what_cannot_be_written(tmp_path, clips, name, says, options):
    refuse(clips, tmp_path / name, says, **options)
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_folder_as_output_and_a_file_as_folder(tmp_path, clips):
    (tmp_path / "d.mp4").mkdir()
    refuse(clips, tmp_path / "d.mp4", "is a folder", overwrite=True)
    (tmp_path / "file").write_bytes(b"x")
    refuse(clips, tmp_path / "file" / "b.mp4", "does not exist")


def test_refuses_a_folder_that_may_not_be_written(tmp_path, clips, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    refuse(clips, tmp_path / "b.mp4", "may not be written")


def test_names_with_spaces_and_other_scripts(tmp_path, clips):
    folder = tmp_path / "mit Leerzeichen ünd 漢字"
    folder.mkdir()
    source = folder / "Größe 100% 'quoted'.mp4"
    source.write_bytes(clips["ntsc"].read_bytes())
    out = copy(source, folder / "выход файл.mp4")
    assert probe(out).frame_count == 48
    assert sorted(path.name for path in folder.iterdir()) == sorted([source.name, out.name])
