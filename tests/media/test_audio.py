"""Sound: the same packets, at the same distance to the picture."""

from __future__ import annotations

import logging
from fractions import Fraction

import av
import pytest

from faceloom.media import ClipWriter, open_clip, probe

TICK = Fraction(1, 48000)


def copy(source, out, *, open_with=None, take=None, **options):
    with open_clip(source, **(open_with or {})) as clip, ClipWriter.like(clip, out, **options) as sink:
        for frame in clip:
            if take is not None and frame.index >= take:
                break
            sink.write(frame)
    return out


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_packets_are_copied_byte_for_byte(tmp_path, clips, tools, suffix):
    before = tools.audio_packets(clips["ntsc"])
    after = tools.audio_packets(copy(clips["ntsc"], tmp_path / f"b{suffix}"))
    assert len(before) > 50
    assert [data for _, data in after] == [data for _, data in before]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_packets_keep_their_time(tmp_path, clips, tools, suffix):
    before = tools.audio_packets(clips["ntsc"])
    after = tools.audio_packets(copy(clips["ntsc"], tmp_path / f"b{suffix}"))
    assert [time for time, _ in after] == [time for time, _ in before]


@pytest.mark.parametrize(("start", "end"), [(0.5, 1.1), (0.33, None), (None, 0.7)])
def test_a_trimmed_clip_keeps_sound_and_picture_together(tmp_path, clips, tools, start, end):
    source = clips["ntsc"]
    with open_clip(source, start=start, end=end) as clip:
        times = [frame.time for frame in clip]
    first = times[0] if start else Fraction(0)
    last = times[-1] + Fraction(1001, 30000)
    out = copy(source, tmp_path / "b.mp4", open_with={"start": start, "end": end})
    expected = [
        (time - first, data)
        for time, data in tools.audio_packets(source)
        if (not start or time >= first) and (end is None or time < last)
    ]
    after = tools.audio_packets(out)
    assert [data for _, data in after] == [data for _, data in expected]
    assert all(abs(have - want) <= TICK for (have, _), (want, _) in zip(after, expected, strict=True))
    assert tools.decoded_times(out)[0] == 0
    if start:
        assert 0 <= after[0][0] < 1024 * TICK


def test_sound_longer_than_the_picture_is_kept_whole(tmp_path, tools):
    planes = [tools.flat_planes("yuv420p", 32, 32, index) for index in range(10)]
    source = tools.make_clip(tmp_path / "a.mp4", planes, audio="aac", audio_seconds=2.0)
    out = copy(source, tmp_path / "b.mp4")
    assert tools.audio_packets(out) == tools.audio_packets(source)


def test_sound_ends_with_the_picture_when_the_caller_stops_early(tmp_path, clips, tools):
    out = copy(clips["ntsc"], tmp_path / "b.mp4", take=15)
    end = 15 * Fraction(1001, 30000)
    times = [time for time, _ in tools.audio_packets(out)]
    assert end - 1024 * TICK <= max(times) < end


def test_sound_can_be_left_out(tmp_path, clips):
    assert probe(copy(clips["ntsc"], tmp_path / "b.mp4", audio=False)).audio == ()


def test_sound_that_does_not_fit_is_re_encoded_in_sync(tmp_path, clips, caplog):
    with caplog.at_level(logging.WARNING):
        out = copy(clips["ntsc"], tmp_path / "b.webm", codec="vp9")
    assert "re-encoded" in caplog.text
    info = probe(out)
    assert info.audio[0].codec == "opus"
    with av.open(str(out)) as container:
        frames = list(container.decode(container.streams.audio[0]))
    lasts = sum(frame.samples for frame in frames) / 48000
    assert lasts == pytest.approx(1.6, abs=0.05)
    assert abs(frames[0].pts * frames[0].time_base) < Fraction(1, 20)


def test_every_sound_stream_is_copied(tmp_path, clips, tools):
    source = tmp_path / "two.mkv"
    with av.open(str(clips["ntsc"])) as a, av.open(str(source), "w") as sink:
        video = sink.add_stream_from_template(a.streams.video[0])
        sounds = [sink.add_stream_from_template(a.streams.audio[0]) for _ in range(2)]
        sounds[1].metadata["language"] = "fre"
        for packet in a.demux():
            if packet.size == 0:
                continue
            if packet.stream.type == "video":
                packet.stream = video
                sink.mux(packet)
                continue
            twin = av.Packet(bytes(packet))
            twin.pts, twin.dts, twin.time_base = packet.pts, packet.dts, packet.time_base
            packet.stream, twin.stream = sounds
            sink.mux([packet, twin])
    out = copy(source, tmp_path / "b.mkv")
    assert [sound.language for sound in probe(out).audio] == ["und", "fre"]
    assert [data for _, data in tools.audio_packets(out)] == [data for _, data in tools.audio_packets(clips["ntsc"])]


def test_a_transport_stream_that_starts_late_keeps_its_sync(tmp_path, clips, tools):
    source = tmp_path / "late.ts"
    with av.open(str(clips["ntsc"])) as a, av.open(str(source), "w") as sink:
        streams = [sink.add_stream_from_template(stream) for stream in a.streams]
        for packet in a.demux():
            if packet.size:
                delay = round(5 / packet.time_base)
                packet.pts, packet.dts = packet.pts + delay, packet.dts + delay
                packet.stream = streams[packet.stream.index]
                sink.mux(packet)
    info = probe(source)
    assert 4 < info.origin < 6
    with open_clip(source) as clip:
        times = [frame.time for frame in clip]
    assert len(times) == 48
    assert 0 <= times[0] < Fraction(1, 10)
    out = copy(source, tmp_path / "b.mp4")
    before, after = tools.audio_packets(source), tools.audio_packets(out)
    assert len(after) == len(before)
    gap_before = before[3][0] - info.origin - times[0]
    gap_after = after[3][0] - tools.decoded_times(out)[0]
    assert abs(gap_before - gap_after) <= 2 * TICK
