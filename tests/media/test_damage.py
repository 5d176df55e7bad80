"""Bad input: each says which file and what to do, and what decodes is delivered first."""

from __future__ import annotations

import random

import av
import numpy as np
import pytest
from PIL import Image

from faceloom.errors import MediaError, TruncatedMediaError
from faceloom.media import ClipWriter, open_clip, probe, read_image


def cut(source, path, share):
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory, tools):
    folder = tmp_path_factory.mktemp("long")
    planes = [tools.noise_planes("yuv420p", 64, 64, seed) for seed in range(90)]
    options = {"g": "15", "preset": "ultrafast"}
    return {
        suffix: tools.make_clip(
            folder / f"long{suffix}",
            planes,
            options={**options, "bf": "0" if suffix == ".avi" else "2"},  # AVI has no time stamps, only an order
            audio="aac",
            container_options=container,
        )
        for suffix, container in ((".mp4", {"movflags": "+faststart"}), (".mkv", {}), (".avi", {}))
    }


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_truncated_video_delivers_what_decodes_and_then_says_so(tmp_path, long_clips, suffix):
    path = cut(long_clips[suffix], tmp_path / f"cut{suffix}", 0.6)
    with open_clip(long_clips[suffix]) as clip:
        whole = {frame.time: frame.native.planes for frame in clip}
    frames = []
    with pytest.raises(TruncatedMediaError) as caught, open_clip(path) as clip:
        for frame in clip:
            frames.append(frame)
    assert 40 < len(frames) < 90
    assert clip.truncated and not clip.finished
    message = str(caught.value)
    assert path.name in message and f"{len(frames)} frames" in message and "--allow-partial" in message
    for frame in frames:
        assert all(map(np.array_equal, frame.native.planes, whole[frame.time]))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_allow_partial_ends_quietly_and_flags_it(tmp_path, long_clips, suffix):
    path = cut(long_clips[suffix], tmp_path / f"cut{suffix}", 0.6)
    with open_clip(path, allow_partial=True) as clip, ClipWriter.like(clip, tmp_path / "b.mp4") as sink:
        for frame in clip:
            sink.write(frame)
    assert clip.truncated and clip.finished
    assert probe(tmp_path / "b.mp4").frame_count == clip.frames_read


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_cut_inside_the_range_asked_for_is_noticed_too(tmp_path, long_clips, suffix):
    path = cut(long_clips[suffix], tmp_path / f"cut{suffix}", 0.6)
    with open_clip(path, start=0.5, end=1.0) as clip:
        assert [frame.index for frame in clip] == list(range(12))
    assert not clip.truncated
    with pytest.raises(TruncatedMediaError, match="cut"), open_clip(path, start=0.5) as clip:
        list(clip)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_whole_video_is_not_called_truncated(long_clips, suffix):
    with open_clip(long_clips[suffix]) as clip:
        assert len(list(clip)) == 90
    assert not clip.truncated


def test_sound_that_outlasts_the_picture_is_not_truncation(tmp_path, tools):
    planes = [tools.flat_planes("yuv420p", 32, 32, index) for index in range(10)]
    for suffix in (".mp4", ".mkv"):
        path = tools.make_clip(tmp_path / f"a{suffix}", planes, audio="aac", audio_seconds=3.0)
        with open_clip(path) as clip:
            assert len(list(clip)) == 10


def test_damage_inside_the_video_is_reported(tmp_path, long_clips):
    data = bytearray(long_clips[".mp4"].read_bytes())
    rng = random.Random(1)
    for place in range(len(data) // 3, len(data) // 2):
        data[place] = rng.randrange(256)
    path = tmp_path / "holes.mp4"
    path.write_bytes(data)
    with pytest.raises(TruncatedMediaError, match=r"holes\.mp4"), open_clip(path) as clip:
        for _ in clip:
            pass
    assert clip.frames_read > 20


def test_an_mp4_cut_off_before_its_index(tmp_path, long_clips, tools):
    planes = [tools.noise_planes("yuv420p", 64, 64, seed) for seed in range(5)]
    path = cut(tools.make_clip(tmp_path / "a.mp4", planes), tmp_path / "cut.mp4", 0.5)
    with pytest.raises(TruncatedMediaError, match=r"cut\.mp4.*cut off.*0 decoded"):
        open_clip(path)


@pytest.mark.parametrize("use", [probe, open_clip, read_image])
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.mp4", None, "no such file"),
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"this is not a video\n" * 50, "not a"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "not a"),
        ("zeros.jpg", b"\0" * 5000, "not a"),
    ],
)
def test_what_is_not_a_clip_is_refused(tmp_path, use, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MediaError, match=says) as caught:
        use(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("use", [probe, open_clip, read_image])
def test_a_folder_is_refused(tmp_path, use):
    with pytest.raises(MediaError, match="is a folder"):
        use(tmp_path)


def test_sound_without_picture_is_refused(tmp_path):
    path = tmp_path / "song.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(MediaError, match=r"song\.wav.*no video stream"):
        probe(path)


def test_a_video_is_not_a_picture(clips):
    with pytest.raises(MediaError, match=r"ntsc\.mp4: not a picture"):
        read_image(clips["ntsc"])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_truncated_picture_is_refused(tmp_path, suffix):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / f"a{suffix}")
    path = cut(tmp_path / f"a{suffix}", tmp_path / f"cut{suffix}", 0.6)
    with pytest.raises(TruncatedMediaError, match="cut"):
        read_image(path)
    with pytest.raises(TruncatedMediaError, match="cut"):
        open_clip(path)


def test_a_decompression_bomb_is_refused_without_decoding(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    for use in (probe, open_clip, read_image):
        with pytest.raises(MediaError, match=r"bomb\.png.*178 million"):
            use(path)


def test_a_picture_cannot_be_trimmed(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(MediaError, match="--start"):
        open_clip(tmp_path / "a.png", start=1)
