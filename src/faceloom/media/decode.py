"""Decode a range of a video, whole frames in presentation order, and notice when the file ends early."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.stream import Discard
from av.video.stream import VideoStream

from faceloom.media.container import open_input, video_stream
from faceloom.media.info import ClipInfo

_SHORTFALL = Fraction(1, 2)
"""Seconds by which a video may end before its stated duration without being called truncated."""
_RETREATS = (Fraction(0), Fraction(1), Fraction(5), Fraction(30))


@dataclass
class Damage:
    """What was wrong with the file, gathered while decoding."""

    reason: str = ""

    def note(self, reason: str) -> None:
        """Keep the first reason."""
        self.reason = self.reason or reason


def decode(
    info: ClipInfo, start: Fraction | None, end: Fraction | None, damage: Damage
) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """Frames with ``start <= time < end``, each with its exact presentation time in seconds from ``info.origin``.

    Begins at the key frame before ``start`` instead of decoding from the beginning. The decoder is flushed at the end.
    What is missing or undecodable is noted in ``damage``; everything that decodes is delivered.
    """
    with open_input(info.path) as container:
        stream = video_stream(container, info.path)
        stream.thread_type = "AUTO"
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        seen = _Reader(container, stream, info, damage)
        for time, frame in seen.frames_from(start):
            if end is not None and time >= end:
                return
            if start is None or time >= start:
                if frame.is_corrupt:  # those before a key frame that was sought are expected to be
                    damage.note("it holds damaged frames")
                yield time, frame
        seen.check_ending()


class _Reader:
    """One pass over the packets of a video stream."""

    def __init__(self, container: InputContainer, stream: VideoStream, info: ClipInfo, damage: Damage) -> None:
        self._container, self._stream, self._info, self._damage = container, stream, info, damage
        self._seeked = False
        # AVI numbers frames in decoding order and calls that their time: with B-frames it is wrong, so count instead.
        self._stamped = container.format.name != "avi"
        self._until = Fraction(0)

    def frames_from(self, start: Fraction | None) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        if start is None:
            yield from self._decode()
            return
        for retreat in _RETREATS:
            target = start - retreat
            # Where frames are counted instead of stamped, only the beginning will do.
            if target <= 0 or not self._stamped or not self._seek(target):
                break
            frames = self._decode()
            first = next(frames, None)
            # With reordered frames a container may land on a key frame that is shown after the target: retreat.
            if first is not None and first[0] <= start and not first[1].is_corrupt:
                yield first
                yield from frames
                return
        if self._seeked and not self._seek(Fraction(0)):
            self._damage.note("it cannot be rewound")
            return
        yield from self._decode()

    def _seek(self, time: Fraction) -> bool:
        assert self._stream.time_base is not None
        stamp = int((time + self._info.origin) / self._stream.time_base)
        try:
            self._container.seek(stamp, stream=self._stream, backward=True)
        except av.FFmpegError:
            return False
        self._seeked = True
        return True

    def _decode(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        tick = self._stream.time_base or self._info.time_base
        previous: Fraction | None = None
        for frame in self._frames():
            if frame.pts is not None and self._stamped:
                time = frame.pts * (frame.time_base or tick) - self._info.origin
            else:
                time = Fraction(0) if previous is None else previous + 1 / self._info.fps
            if previous is not None and time <= previous:
                time = previous + tick  # a repeated time stamp: players show the frame next, so keep it and its place
            previous = time
            self._until = time + (frame.duration * tick if frame.duration else 1 / self._info.fps)
            yield time, frame

    def _frames(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._damage.note(f"it cannot be read further ({error.strerror})")
                packet = None
            if packet is None:
                return
            if packet.is_corrupt and packet.size:
                self._damage.note("it is cut off inside a frame")
                continue
            try:
                frames = packet.decode()
            except av.EOFError:
                return
            except av.FFmpegError:
                self._damage.note("it holds data that cannot be decoded")
                continue
            yield from frames

    def check_ending(self) -> None:
        """Note in ``damage`` if the file ended before what its header promises."""
        if self._container.format.name.startswith("mov") and self._stream.index_entries:
            size = self._info.path.stat().st_size
            entries = list(self._stream.index_entries)
            missing = sum(entry.pos + entry.size > size for entry in entries)
            if missing:
                self._damage.note(f"{missing} of {len(entries)} frames are missing at the end")
        elif self._info.duration - self._until > _SHORTFALL and not self._sound_lasts():
            self._damage.note(f"it ends at {float(self._until):.2f} s of {float(self._info.duration):.2f} s")

    def _sound_lasts(self) -> bool:
        """Whether the sound reaches the stated duration: then the picture is merely shorter, not cut off."""
        with open_input(self._info.path) as container:
            for stream in container.streams.audio:
                goal = self._info.origin + self._info.duration - _SHORTFALL
                try:
                    container.seek(int(goal / stream.time_base) if stream.time_base else 0, stream=stream)
                    stamps = [p.pts * p.time_base for p in container.demux(stream) if p.pts is not None]
                except av.FFmpegError:
                    continue
                if stamps and max(stamps) >= goal:
                    return True
        return False
