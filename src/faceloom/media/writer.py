"""Write a clip: frames are encoded in a background thread, and the output appears only when it is whole."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

import av

from faceloom.errors import MediaError
from faceloom.media.channel import Channel, Finished, depth_for
from faceloom.media.output import OutputFile
from faceloom.media.reader import Clip
from faceloom.media.still_sink import StillSink
from faceloom.media.video_sink import VideoSink
from faceloom.types import Frame


class ClipWriter:
    """A new file for the frames of a clip: a context manager with ``write``.

    What reaches the encoder outside ``frame.changed``, and at every unedited pixel inside it, is bit for bit what was
    decoded; the edit is added to the decoded planes as a difference (see ``edit.edited_planes``).

    The file is written under a temporary name in the same folder (``.out.partial.mp4``) and renamed when the ``with``
    block ends; an exception that leaves the block, an interrupt among them, deletes it. To keep what a truncated clip
    gave, catch its ``TruncatedMediaError`` inside the block.

    frames_written  frames handed over so far.
    """

    def __init__(self, sink: VideoSink | StillSink, output: OutputFile, depth: int) -> None:
        self._sink, self._output = sink, output
        self._channel: Channel[Frame] = Channel(depth)
        self._error: BaseException | None = None
        self.frames_written = 0
        self._thread = threading.Thread(target=self._consume, name="faceloom-encode", daemon=True)
        self._thread.start()

    @classmethod
    def like(
        cls,
        clip: Clip,
        out: str | os.PathLike[str],
        *,
        codec: str = "h264",
        crf: int | None = None,
        preset: str | None = None,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        audio: bool = True,
    ) -> ClipWriter:
        """A writer with the clip's size, rate, time base, colour tags and sound.

        codec     "h264", "hevc", "av1", "vp9", "prores", or the lossless "ffv1" (for .mkv); see ``codecs.CODECS``.
        crf       quality, lower is better; None for the codec's default (h264: 18).
        preset    the encoder's own name of a speed; None for the default (h264: "veryfast").
        metadata  tags written to the container (or picture), e.g. ``{"comment": "..."}``; added to the clip's own.
        audio     copy the sound; see ``audio.AudioCopier`` for what a trimmed clip keeps.

        The pixel format is the clip's if the codec takes it, else the nearest; an odd-sized 4:2:0 clip becomes 4:4:4
        where the codec needs even sizes, never cropped. The output is upright and carries no rotation. A trimmed clip
        starts at time 0. MKV and WebM store times in whole milliseconds; MP4, MOV and NUT store them exactly.

        A picture becomes .png or .webp (lossless) or .jpg (quality 95, 4:4:4); codec, crf, preset and audio do not
        apply.

        Raises MediaError if the output cannot be written: see ``OutputFile``; unknown codec; codec and container do
        not fit; a picture to a video extension or the reverse.
        """
        output = OutputFile(out, overwrite=overwrite, source=clip.info.path)
        picture = clip.info.kind == "image"
        if picture != output.is_picture:
            kind, other = ("picture", ".png, .jpg or .webp") if picture else ("video", ".mp4, .mov, .mkv or .webm")
            raise MediaError(f"{output.path}: {clip.info.path} is a {kind}. Choose an output ending in {other}.")
        try:
            sink: VideoSink | StillSink
            if picture:
                sink = StillSink(clip, output, metadata or {})
            else:
                sink = VideoSink(
                    clip, output, codec=codec, crf=crf, preset=preset, metadata=metadata or {}, audio=audio
                )
        except BaseException:
            output.discard()
            raise
        edited_bytes = clip.info.frame_bytes + 3 * clip.info.width * clip.info.height  # decoded and edited RGB
        return cls(sink, output, depth_for(edited_bytes))

    def write(self, frame: Frame) -> None:
        """Hand a frame to the encoder; waits while the queue is full. Frames must come in order of time.

        ``frame`` and its arrays must not be modified afterwards. Raises MediaError if encoding failed.
        """
        if not self._channel.put(frame):
            raise self._failure()
        self.frames_written += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def close(self) -> None:
        """Finish the file and give it its name. Raises MediaError, and leaves no file, if anything failed."""
        try:
            self._channel.finish()
            self._thread.join()
            if self._error is not None:
                raise self._failure()
            if not self.frames_written:
                raise MediaError(f"{self._output.path}: no frame was written, so there is no file.")
            self._output.commit()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Stop, and delete what was written."""
        self._channel.cancel()
        self._thread.join()
        with suppress(PermissionError):  # some systems do not delete open files
            self._output.discard()  # first, so that closing does not rearrange a file nobody wants
        self._sink.abort()
        self._output.discard()

    def _consume(self) -> None:
        try:
            while True:
                self._sink.write(self._channel.take())
        except Finished:
            self._finish()
        except BaseException as error:
            self._error = error
            self._channel.cancel()

    def _finish(self) -> None:
        if self._channel.cancelled or not self.frames_written:
            return
        try:
            self._sink.finish()
        except BaseException as error:
            self._error = error

    def _failure(self) -> BaseException:
        error = self._error
        if isinstance(error, (av.FFmpegError, OSError)):
            failure = MediaError(
                f"{self._output.path}: writing failed at frame {self.frames_written} ({error}). "
                "Check the free space, or choose another --codec."
            )
            failure.__cause__ = error
            return failure
        if error is not None:
            return error
        return MediaError(f"{self._output.path}: the writer is closed.")
