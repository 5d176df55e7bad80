"""Sound of a clip into its new file: packets are copied as they are; only what the container refuses is re-encoded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Discard

from faceloom.media.container import open_input
from faceloom.media.info import ClipInfo

log = logging.getLogger(__name__)


class _Copy:
    """Packets of one stream, byte for byte; only their time stamps move."""

    def __init__(self, source: AudioStream, sink: OutputContainer) -> None:
        self._sink = sink
        self.stream: AudioStream = sink.add_stream_from_template(source)

    def put(self, packet: Packet[AudioStream], shift: Fraction) -> None:
        ticks = round(shift / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - ticks
        packet.dts = None if packet.dts is None else packet.dts - ticks
        packet.stream = self.stream
        self._sink.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class _Encode:
    """One stream decoded and encoded again, for a container that cannot hold it as it is."""

    def __init__(self, source: AudioStream, sink: OutputContainer, encoder: str) -> None:
        rate = 48000 if encoder == "libopus" else source.codec_context.sample_rate
        self._sink = sink
        stream = sink.add_stream(encoder, rate=rate)
        assert isinstance(stream, AudioStream)
        self.stream = stream
        self.stream.codec_context.layout = source.codec_context.layout
        self.stream.codec_context.bit_rate = 96_000 * max(1, source.codec_context.channels)
        self.stream.codec_context.time_base = Fraction(1, rate)
        self._resampler: AudioResampler | None = None

    def put(self, packet: Packet[AudioStream], shift: Fraction) -> None:
        for frame in packet.decode():
            if frame.pts is not None and frame.time_base is not None:
                frame.pts -= round(shift / frame.time_base)
            self._encode(frame)

    def _encode(self, frame: av.AudioFrame | None) -> None:
        if self._resampler is None:
            context = self.stream.codec_context
            self._resampler = AudioResampler(
                format=context.format, layout=context.layout, rate=context.sample_rate, frame_size=context.frame_size
            )
        for piece in self._resampler.resample(frame):
            self._sink.mux(self.stream.encode(piece))

    def finish(self) -> None:
        """Write what the resampler and the encoder still hold."""
        if self._resampler is not None:
            self._encode(None)
            self._sink.mux(self.stream.encode(None))


class AudioCopier:
    """All audio streams of a clip, read from its file as the video is written, so that memory stays bounded.

    Rule for a trimmed clip: with T0 the time of the first video frame written and T1 the end of the last, the packets
    that begin in [T0, T1) are kept and moved by exactly -T0, like the video. Sound and picture therefore keep their
    distance to within half a tick of the audio clock; less than one packet is missing at the start and the last packet
    may outlast the picture by less than its length. An untrimmed clip keeps all packets.
    """

    def __init__(self, info: ClipInfo, sink: OutputContainer) -> None:
        self._info = info
        self._input = open_input(info.path)
        self._tracks: dict[int, _Copy | _Encode] = {}
        for stream in self._input.streams:
            track = _track(stream, sink, info) if isinstance(stream, AudioStream) else None
            if track is None:
                stream.discard = Discard.all
            else:
                self._tracks[stream.index] = track
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self._pending: Packet[AudioStream] | None = None
        self._shift = info.origin

    def start(self, first: Fraction | None) -> None:
        """Begin at ``first`` seconds (the new time 0), or with the first packet if None."""
        if not self._tracks:
            return
        streams = [stream for stream in self._input.streams.audio if stream.index in self._tracks]
        if first is not None:
            self._shift += first
            self._seek(streams[0], first)
        self._packets = self._demux(streams, first)
        self._pending = next(self._packets, None)

    def _seek(self, stream: AudioStream, time: Fraction) -> None:
        target = max(Fraction(0), time - 1) + self._info.origin
        try:
            self._input.seek(int(target / stream.time_base), stream=stream)  # type: ignore[operator]
        except av.FFmpegError:
            log.info("%s: cannot seek in the sound; reading it from the beginning", self._info.path)

    def _demux(self, streams: list[AudioStream], first: Fraction | None) -> Iterator[Packet[AudioStream]]:
        try:
            for packet in self._input.demux(tuple(streams)):
                if packet.size and (first is None or self._time(packet) >= first):
                    yield packet
        except av.FFmpegError as error:
            log.warning("%s: the sound cannot be read to its end (%s)", self._info.path, error.strerror)

    def _time(self, packet: Packet[AudioStream]) -> Fraction:
        stamp = packet.dts if packet.pts is None else packet.pts
        return Fraction(0) if stamp is None else stamp * packet.time_base - self._info.origin

    def pump(self, until: Fraction | None) -> None:
        """Write the packets that begin before ``until`` seconds (file time), or all that remain if None."""
        while self._pending is not None and (until is None or self._time(self._pending) < until):
            packet = self._pending
            self._tracks[packet.stream.index].put(packet, self._shift)
            self._pending = next(self._packets, None)

    def finish(self) -> None:
        """Write what encoders still hold."""
        for track in self._tracks.values():
            track.finish()

    def close(self) -> None:
        """Release the file."""
        self._input.close()


def _track(source: AudioStream, sink: OutputContainer, info: ClipInfo) -> _Copy | _Encode | None:
    try:
        track: _Copy | _Encode = _Copy(source, sink)
    except ValueError:
        name = source.codec_context.name if source.codec_context is not None else "unknown"
        encoder = next((codec for codec in ("aac", "libopus") if codec in sink.supported_codecs), None)
        if encoder is None or source.codec_context is None:
            log.warning("%s: %s sound does not fit the output container and is left out", info.path, name)
            return None
        log.warning("%s: %s sound does not fit the output container; re-encoded as %s", info.path, name, encoder)
        track = _Encode(source, sink, encoder)
    track.stream.metadata.update({k: v for k, v in source.metadata.items() if k in ("language", "title")})
    return track
