"""Frames of a video or picture, decoded ahead in a background thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from types import TracebackType
from typing import Self

from av.video.reformatter import VideoReformatter

from faceloom.errors import MediaError, TruncatedMediaError
from faceloom.media.channel import Channel, Finished, depth_for
from faceloom.media.convert import convert
from faceloom.media.decode import Damage, decode
from faceloom.media.formats import nearest, without_subsampling
from faceloom.media.info import ClipInfo
from faceloom.media.native import NativePlanes, orient, planes_of, to_planar, to_rgb
from faceloom.media.probe import probe
from faceloom.media.still import Still, read_still
from faceloom.types import Frame, Image

Seconds = Fraction | float | int


def open_clip(
    path: str | os.PathLike[str],
    *,
    start: Seconds | None = None,
    end: Seconds | None = None,
    allow_partial: bool = False,
) -> Clip:
    """Open a video or picture for reading.

    ``start`` and ``end`` are presentation times in seconds: frames with ``start <= time < end`` are delivered. With
    ``allow_partial`` a cut-off or damaged video ends quietly after what decodes (see ``Clip.truncated``).

    Raises MediaError for what ``probe`` refuses and for a range that holds no part of the clip.
    """
    info = probe(path)
    first, last = _exact(start), _exact(end)
    _check_range(info, first, last)
    return Clip(info, first or None, last, allow_partial)


def _exact(value: Seconds | None) -> Fraction | None:
    """Floats become the time a person means: 0.1 is 1/10, and ``float(frame.time)`` is the time of that frame."""
    if value is None:
        return None
    return Fraction(value).limit_denominator(1_000_000) if isinstance(value, float) else Fraction(value)


def _check_range(info: ClipInfo, start: Fraction | None, end: Fraction | None) -> None:
    if start is None and end is None:
        return
    if info.kind == "image":
        raise MediaError(f"{info.path}: a picture has no duration to trim. Leave out --start and --end.")
    low, lasts = start or Fraction(0), f"The clip lasts {float(info.duration):.3f} s."
    if low < 0 or (end is not None and end <= low):
        raise MediaError(f"{info.path}: no frames from {float(low)} s to {_text(end)}. Give 0 <= --start < --end.")
    if info.duration and low >= info.duration:
        raise MediaError(f"{info.path}: --start {float(low)} s is after the end. {lasts}")


def _text(time: Fraction | None) -> str:
    return "the end" if time is None else f"{float(time)} s"


class Clip:
    """The frames of a video or picture, in presentation order: a context manager and an iterator of ``Frame``.

    ``Frame.index`` counts from 0 at the first frame delivered; ``Frame.time`` is the exact presentation time in the
    file (not shifted by ``start``). ``Frame.image`` is upright RGB in the file's own primaries and transfer, decoded
    with the file's matrix and range, and read-only: make an edit with ``frame.edited``.

    Decoding and conversion run in a thread that stays at most a few frames ahead (16, fewer for large frames), so
    memory does not grow with the length of the clip. A clip is read once; open it again for another pass.

    info         what ``probe`` says of the file.
    start, end   the range asked for, seconds, or None.
    frames_read  frames delivered so far.
    truncated    the file turned out to be cut off or damaged.
    finished     every frame of the range was delivered.
    still        the decoded picture with its profile and EXIF block, None for a video.
    """

    def __init__(self, info: ClipInfo, start: Fraction | None, end: Fraction | None, allow_partial: bool) -> None:
        self.info, self.start, self.end = info, start, end
        self.frames_read = 0
        self.truncated = False
        self.finished = False
        self.still: Still | None = read_still(info.path) if info.kind == "image" else None
        self._allow_partial = allow_partial
        self._damage = Damage()
        self._channel: Channel[Frame] = Channel(depth_for(info.frame_bytes))
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def expected_frames(self) -> int | None:
        """About how many frames the range holds (exact for an untrimmed clip that states its count)."""
        info = self.info
        if self.start is None and self.end is None:
            return info.frame_count or (ceil(info.duration * info.fps) if info.duration else None)
        last = min(self.end or info.duration, info.duration) if info.duration else self.end
        return None if last is None else max(0, ceil((last - (self.start or 0)) * info.fps))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        """The next frame.

        Raises TruncatedMediaError after the last frame that decodes if the file is cut off or damaged (unless
        ``allow_partial``), and MediaError if no frame lies in the range or the clip is closed.
        """
        if self.finished:
            raise StopIteration
        if self._closed:
            raise MediaError(f"{self.info.path}: the clip is closed. Open it again to read it.")
        if self._thread is None:
            self._thread = threading.Thread(target=self._produce, name="faceloom-decode", daemon=True)
            self._thread.start()
        try:
            frame = self._channel.take()
        except Finished:
            self._conclude()
            raise StopIteration from None
        self.frames_read += 1
        return frame

    def close(self) -> None:
        """Stop decoding and release the file; safe to call twice."""
        self._closed = True
        self._channel.cancel()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _conclude(self) -> None:
        path, reason = self.info.path, self._damage.reason
        self.truncated = bool(reason)
        if reason and not self._allow_partial:
            raise TruncatedMediaError(
                f"{path}: the video is damaged: {reason}. {self.frames_read} frames were decoded. "
                "Copy or download it again, or pass --allow-partial to accept what decodes."
            )
        if not self.frames_read:
            raise MediaError(
                f"{path}: no frame between {_text(self.start or Fraction(0))} and {_text(self.end)}. "
                "Widen --start and --end."
            )
        self.finished = True

    def _produce(self) -> None:
        try:
            for frame in self._still_frames(self.still) if self.still else self._video_frames():
                if not self._channel.put(frame):
                    return
        except BaseException as error:
            self._channel.finish(error)
        else:
            self._channel.finish()

    def _still_frames(self, still: Still) -> Iterator[Frame]:
        yield _frame(0, Fraction(0), to_rgb(still.native), still.native)

    def _video_frames(self) -> Iterator[Frame]:
        info, scaler = self.info, VideoReformatter()
        stored = nearest(info.pixel_format)
        size = (info.height, info.width) if info.rotation % 180 else (info.width, info.height)
        for index, (time, picture) in enumerate(decode(info, self.start, self.end, self._damage)):
            if (picture.width, picture.height) != size:
                raise MediaError(
                    f"{info.path}: frame {index} is {picture.width}x{picture.height}, the ones before it "
                    f"{size[0]}x{size[1]}. Re-encode the video at one size first."
                )
            planar = to_planar(picture, stored, info.matrix, scaler)
            native = self._upright(NativePlanes(planes_of(planar, stored), stored, info.matrix))
            yield _frame(index, time, to_rgb(native, scaler), native)

    def _upright(self, native: NativePlanes) -> NativePlanes:
        info = self.info
        if not info.rotation and not info.mirrored:
            return native
        if info.planes.step_x == info.planes.step_y == 1:  # see oriented_format: what odd sizes are turned in
            native = convert(native, without_subsampling(native.format))
        planes = tuple(orient(plane, info.rotation, info.mirrored) for plane in native.planes)
        return NativePlanes(planes, info.planes, info.matrix)


def _frame(index: int, time: Fraction, image: Image, native: NativePlanes) -> Frame:
    for array in (image, *native.planes):
        array.flags.writeable = False  # an edit made in place would be lost silently: only edited() is written
    return Frame(index, time, image, native)
