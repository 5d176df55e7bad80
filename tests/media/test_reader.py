"""Reading: every frame, its exact time, trimming, and clean shutdown."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from faceloom.errors import MediaError
from faceloom.media import open_clip, probe
from faceloom.media.channel import Channel, Finished, depth_for
from faceloom.types import Box


def decoder_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("faceloom")]


def test_delivers_every_frame_of_a_clip_with_b_frames(clips, tools):
    expected = tools.decoded_planes(clips["ntsc"])
    with open_clip(clips["ntsc"]) as clip:
        frames = list(clip)
    assert len(frames) == len(expected) == 48 == clip.frames_read == clip.expected_frames
    assert clip.finished and not clip.truncated
    assert [frame.index for frame in frames] == list(range(48))
    for frame, planes in zip(frames, expected, strict=True):
        assert all(map(np.array_equal, frame.native.planes, planes))


def test_time_stamps_are_exact(clips, tools):
    with open_clip(clips["ntsc"]) as clip:
        assert [frame.time for frame in clip] == [Fraction(1001 * index, 30000) for index in range(48)]
    with open_clip(clips["vfr"]) as clip:
        assert [frame.time for frame in clip] == tools.vfr_times


def test_probe_tells_constant_from_variable_rate(clips):
    assert not probe(clips["ntsc"]).variable_frame_rate
    assert probe(clips["vfr"]).variable_frame_rate
    assert not probe(clips["ffv1"]).variable_frame_rate


def test_millisecond_rounding_is_not_variable_rate(tmp_path, tools):
    planes = [tools.flat_planes("yuv420p", 32, 32, index) for index in range(60)]
    path = tools.make_clip(tmp_path / "a.mkv", planes, codec="ffv1", rate=Fraction(30000, 1001))
    info = probe(path)
    assert not info.variable_frame_rate
    assert info.fps == Fraction(30000, 1001)


def test_probe_describes_the_clip(clips):
    info = probe(clips["ntsc"])
    assert (info.kind, info.codec, info.width, info.height) == ("video", "h264", 96, 64)
    assert info.fps == Fraction(30000, 1001)
    assert info.frame_count == 48
    assert abs(info.duration - Fraction(48 * 1001, 30000)) <= Fraction(1, 1000)  # an edit list counts milliseconds
    assert (info.pixel_format, info.bit_depth, info.rotation) == ("yuv420p", 8, 0)
    (sound,) = info.audio
    assert (sound.codec, sound.sample_rate, sound.channels) == ("aac", 48000, 2)


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 0.5), (0.1, 0.3), (Fraction(1), None), (0.7, 0.75), (None, 1.0), (1.55, 99.0), (0.0, None)],
)
@pytest.mark.parametrize("name", ["ntsc", "vfr", "ffv1", "avi", "open gop"])
def test_trimming_equals_filtering(clips, name, start, end):
    with open_clip(clips[name]) as clip:
        whole = {frame.time: frame.image for frame in clip}
    low = Fraction(str(start or 0))
    high = None if end is None else Fraction(str(end))
    expected = [time for time in whole if time >= low and (high is None or time < high)]
    with open_clip(clips[name], start=start, end=end) as clip:
        part = list(clip)
    assert [frame.time for frame in part] == expected
    assert all(np.array_equal(frame.image, whole[frame.time]) for frame in part)
    assert [frame.index for frame in part] == list(range(len(part)))


def test_start_given_as_the_float_of_a_frame_time_includes_that_frame(clips):
    for index in range(48):
        start = float(Fraction(1001 * index, 30000))
        with open_clip(clips["ntsc"], start=start) as clip:
            assert next(clip).time == Fraction(1001 * index, 30000)


def test_seeking_decodes_from_the_key_frame_and_not_from_the_beginning(clips):
    from faceloom.media.container import open_input, video_stream
    from faceloom.media.decode import Damage, _Reader

    info = probe(clips["ntsc"])
    with open_input(info.path) as container:
        reader = _Reader(container, video_stream(container, info.path), info, Damage())
        first = next(reader.frames_from(Fraction(1)))
    assert Fraction(0) < first[0] <= Fraction(1)


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [(-1, None, "--start"), (1, 0.5, "--end"), (1, 1, "--end"), (50, None, "lasts 1.60"), (0.001, 0.002, "no frame")],
)
def test_ranges_without_frames_are_refused(clips, start, end, says):
    with pytest.raises(MediaError, match=says) as caught, open_clip(clips["ntsc"], start=start, end=end) as clip:
        list(clip)
    assert "ntsc.mp4" in str(caught.value)


def test_closing_early_stops_the_thread(clips):
    before = len(decoder_threads())
    with open_clip(clips["ntsc"]) as clip:
        next(clip)
        assert len(decoder_threads()) == before + 1
    assert len(decoder_threads()) == before
    with pytest.raises(MediaError, match="closed"):
        next(clip)
    clip.close()


def test_an_exception_in_the_block_stops_the_thread(clips):
    before = len(decoder_threads())
    with pytest.raises(ZeroDivisionError), open_clip(clips["ntsc"]) as clip:
        next(clip)
        raise ZeroDivisionError
    assert len(decoder_threads()) == before


def test_a_finished_clip_stays_finished(clips):
    with open_clip(clips["ntsc"]) as clip:
        assert len(list(clip)) == 48
        assert list(clip) == []


def test_pictures_are_read_only_so_that_no_edit_is_lost(clips):
    with open_clip(clips["ntsc"]) as clip:
        frame = next(clip)
    with pytest.raises(ValueError, match="read-only"):
        frame.image[0, 0] = 0
    with pytest.raises(ValueError, match="read-only"):
        frame.native.planes[0][0, 0] = 0
    assert frame.edited(frame.image.copy(), Box(0, 0, 2, 2)).changed == Box(0, 0, 2, 2)


def test_decoding_does_not_run_ahead_of_the_queue(clips, monkeypatch):
    monkeypatch.setattr("faceloom.media.reader.depth_for", lambda _: 2)
    made = []
    from faceloom.media import reader

    original = reader._frame
    monkeypatch.setattr(reader, "_frame", lambda *args: made.append(1) or original(*args))
    with open_clip(clips["ntsc"]) as clip:
        next(clip)
        deadline = time.monotonic() + 5
        while len(made) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(made) <= 4  # one taken, two waiting, one at the door


def test_queue_depth_falls_with_frame_size():
    assert depth_for(512 * 512 * 5) == 16
    assert depth_for(1920 * 1080 * 5) == 6
    assert depth_for(3840 * 2160 * 5) == 1
    assert depth_for(7680 * 4320 * 6) == 1


def test_channel_hands_over_in_order_and_then_ends():
    channel: Channel[int] = Channel(2)
    producer = threading.Thread(target=lambda: ([channel.put(i) for i in range(100)], channel.finish()))
    producer.start()
    taken = [channel.take() for _ in range(100)]
    with pytest.raises(Finished):
        channel.take()
    producer.join()
    assert taken == list(range(100))


def test_channel_delivers_what_came_before_an_error_first():
    channel: Channel[int] = Channel(2)
    channel.put(1)
    channel.finish(KeyError("late"))
    assert channel.take() == 1
    with pytest.raises(KeyError, match="late"):
        channel.take()


def test_cancelling_releases_a_waiting_producer():
    channel: Channel[int] = Channel(1)
    results: list[bool] = []
    producer = threading.Thread(target=lambda: results.extend(channel.put(i) for i in range(3)))
    producer.start()
    time.sleep(0.02)
    channel.cancel()
    producer.join(timeout=5)
    assert not producer.is_alive()
    assert results[-1] is False
