"""Frames into a video file: planes to the encoder, sound beside them, exact time stamps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import av

from faceloom.errors import MediaError
from faceloom.media.audio import AudioCopier
from faceloom.media.codecs import add_video, frame_duration
from faceloom.media.convert import convert
from faceloom.media.edit import edited_planes
from faceloom.media.info import ClipInfo
from faceloom.media.native import to_frame
from faceloom.media.output import OutputFile
from faceloom.media.reader import Clip
from faceloom.types import Frame

_TECHNICAL_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
_STANDARD_TAGS = {"title", "artist", "album", "comment", "date", "genre", "copyright", "description", "creation_time"}


def _movie_clock(info: ClipInfo) -> int:
    """Ticks a second of an MP4's edit lists, which say when a track begins; the usual 1000 would move sound by 0.5 ms.

    A clock that both the picture's and the first sound's time base divide, unless that is unreasonably fast.
    """
    common = math.lcm(info.time_base.denominator, *(sound.sample_rate for sound in info.audio[:1]))
    return common if 1000 <= common <= 1_000_000 else 90_000


class VideoSink:
    """Encodes the frames of one clip into ``output.temporary``; used from one thread at a time."""

    def __init__(
        self,
        clip: Clip,
        output: OutputFile,
        *,
        codec: str,
        crf: int | None,
        preset: str | None,
        metadata: Mapping[str, str],
        audio: bool,
    ) -> None:
        self._clip, self._info, self._output = clip, clip.info, output
        tags = {k: v for k, v in self._info.metadata.items() if k.lower() not in _TECHNICAL_TAGS}
        tags.update(metadata)
        self._audio: AudioCopier | None = None
        self._container = self._open(tags)
        try:
            self._stream, self._format = add_video(self._container, self._info, codec, crf, preset, output.path)
            if audio and self._info.audio:
                self._audio = AudioCopier(self._info, self._container)
            self._container.metadata.update(tags)
            self._container.start_encoding()
        except av.FFmpegError as error:
            self.abort()
            raise MediaError(
                f"{output.path}: the {codec} encoder cannot be set up for {self._info.width}x{self._info.height} "
                f"{self._format.name} ({error.strerror}). Choose another --codec, --crf, --preset or extension."
            ) from error
        except BaseException:
            self.abort()
            raise
        self._pending: Frame | None = None
        self._offset: Fraction | None = None
        self._step = 1 / self._info.fps
        self._last_stamp: int | None = None

    def _open(self, tags: Mapping[str, str]) -> av.container.OutputContainer:
        options = {}
        if self._output.path.suffix.lower() in (".mp4", ".m4v", ".mov"):
            # The index goes to the front so that players can start at once; other tags than the usual need a flag.
            extra = "+use_metadata_tags" if set(map(str.lower, tags)) - _STANDARD_TAGS else ""
            options["movflags"] = f"+faststart{extra}"
            options["movie_timescale"] = str(_movie_clock(self._info))
        try:
            return av.open(str(self._output.temporary.absolute()), "w", container_options=options)
        except (av.FFmpegError, ValueError, OSError) as error:
            raise MediaError(f"{self._output.path}: cannot be written ({error}). Choose another name.") from error

    def write(self, frame: Frame) -> None:
        """Encode a frame; it is held until the next one shows how long it lasts."""
        if self._pending is not None:
            self._step = frame.time - self._pending.time
            if self._step <= 0:
                raise MediaError(f"{self._output.path}: frame {frame.index} is not later than the one before it.")
            self._encode(self._pending)
        self._pending = frame

    def _encode(self, frame: Frame) -> None:
        if self._offset is None:
            trimmed = self._clip.start is not None
            self._offset = frame.time if trimmed else Fraction(0)
            if self._audio is not None:
                self._audio.start(frame.time if trimmed else None)
        if self._audio is not None:
            self._audio.pump(frame.time + self._step)
        planes = convert(edited_planes(frame, self._info.planes, self._info.matrix), self._format)
        picture = to_frame(planes, self._stream.codec_context.pix_fmt)
        time_base, context = self._info.time_base, self._stream.codec_context
        stamp = round((frame.time - self._offset) / time_base)
        if self._last_stamp is not None and stamp <= self._last_stamp:
            stamp = self._last_stamp + 1
        picture.pts = self._last_stamp = stamp
        picture.time_base, picture.duration = time_base, frame_duration(self._step, time_base)
        picture.colorspace, picture.color_range = context.colorspace, context.color_range
        picture.color_primaries, picture.color_trc = context.color_primaries, context.color_trc
        self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        """Encode what is held, write the remaining sound and the trailer."""
        if self._pending is not None:
            last, self._pending = self._pending, None
            self._encode(last)
            self._finish_audio(last.time + self._step)
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def _finish_audio(self, end: Fraction) -> None:
        if self._audio is None:
            return
        whole = self._clip.finished and not self._clip.truncated and self._clip.end is None
        self._audio.pump(None if whole else end)
        self._audio.finish()
        self._audio.close()

    def abort(self) -> None:
        """Close everything; the temporary file may be left for the caller to delete."""
        if self._audio is not None:
            self._audio.close()
        try:
            self._container.close()
        except (av.FFmpegError, OSError):
            return  # the file is about to be deleted, so a trailer that cannot be written does not matter
