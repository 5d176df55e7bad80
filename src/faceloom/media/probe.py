"""Look at a file: what it is, how large, how fast, how coloured, without reading all of it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import Type as SideDataType
from av.video.stream import VideoStream

from faceloom.errors import MediaError
from faceloom.media.colour import resolve
from faceloom.media.container import check_input, open_input, origin_of, video_stream
from faceloom.media.formats import nearest
from faceloom.media.info import AudioInfo, ClipInfo
from faceloom.media.native import frame_tags, oriented_format
from faceloom.media.still import MAX_PIXELS, is_picture, picture_info

_MAX_PACKETS = 1000
_MAX_BYTES = 48 << 20
_REORDER = 32  # time stamps at the end of a partial scan that later packets could still fall between


def probe(path: str | os.PathLike[str]) -> ClipInfo:
    """Describe the video or picture at ``path``.

    Reads the header, the time stamps of at most the first 1000 packets, and decodes one frame.

    Raises MediaError if the file is missing, a folder, empty, not a video or picture, has no video stream, or has no
    frame that can be decoded.
    """
    path = Path(path)
    check_input(path)
    if is_picture(path):
        return picture_info(path)
    with open_input(path) as container:
        return _describe(path, container, video_stream(container, path))


@dataclass
class _Scan:
    """First decoded frame and the presentation time stamps of the first packets."""

    frame: av.VideoFrame | None = None
    stamps: list[int] = field(default_factory=list)
    complete: bool = False


def _scan(container: InputContainer, stream: VideoStream) -> _Scan:
    found, size = _Scan(), 0
    for packet in _packets(container, stream):
        if packet.size == 0:
            found.complete = True
        if found.frame is None:
            found.frame = _first_frame(packet)
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None and packet.size and not packet.is_discard:
            found.stamps.append(stamp)
        size += packet.size
        if found.frame is not None and (len(found.stamps) >= _MAX_PACKETS or size >= _MAX_BYTES):
            break
        if size >= 8 * _MAX_BYTES:
            break
    return found


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return  # damage further on is reported when the clip is read, where it matters


def _first_frame(packet: Packet[VideoStream]) -> av.VideoFrame | None:
    try:
        frames = packet.decode()
    except av.FFmpegError:
        return None
    return frames[0] if frames else None


def _describe(path: Path, container: InputContainer, stream: VideoStream) -> ClipInfo:
    scan = _scan(container, stream)
    if scan.frame is None:
        raise MediaError(f"{path}: no frame of the video can be decoded. Copy or download the file again.")
    frame = scan.frame
    if frame.width * frame.height > MAX_PIXELS:
        raise MediaError(f"{path}: frames of {frame.width}x{frame.height} are too large. Scale the video down first.")
    rotation, mirrored = orientation(frame)
    stored = nearest(frame.format.name)
    tags = frame_tags(frame)
    full = "yuvj" in frame.format.name or stored.family != "yuv"
    turned = rotation % 180 == 90
    aspect = stream.sample_aspect_ratio or Fraction(1)
    rate = _rate(stream, scan)
    return ClipInfo(
        path=path,
        kind="video",
        container=container.format.name,
        codec=stream.codec_context.name,
        duration=_duration(container, stream, scan, rate),
        fps=rate,
        frame_count=stream.frames or (len(scan.stamps) if scan.complete else None),
        width=frame.height if turned else frame.width,
        height=frame.width if turned else frame.height,
        rotation=rotation,
        mirrored=mirrored,
        variable_frame_rate=_is_variable(scan),
        pixel_format=frame.format.name,
        bit_depth=max(part.bits for part in frame.format.components),
        colour=tags,
        planes=oriented_format(stored, frame.width, frame.height, rotation, mirrored),
        matrix=resolve(tags, frame.height, full_by_default=full),
        time_base=stream.time_base or Fraction(1, 90000),
        origin=origin_of(container),
        pixel_aspect=1 / aspect if turned else aspect,
        audio=tuple(_audio(container)),
        metadata={key.lower(): value for key, value in container.metadata.items()},
    )


def _audio(container: InputContainer) -> Iterator[AudioInfo]:
    for stream in container.streams.audio:
        context = stream.codec_context
        if context is not None:
            yield AudioInfo(context.name, context.sample_rate or 0, context.channels, stream.language or "und")


def _rate(stream: VideoStream, scan: _Scan) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    if rate:
        return rate
    steps = np.diff(np.sort(np.array(scan.stamps, dtype=np.int64)))
    if len(steps) and steps.mean() > 0 and stream.time_base:
        return 1 / (Fraction(int(steps.sum()), len(steps)) * stream.time_base)
    return Fraction(25)


def _duration(container: InputContainer, stream: VideoStream, scan: _Scan, rate: Fraction) -> Fraction:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    if container.duration:
        return Fraction(container.duration, 1_000_000)
    if scan.complete and stream.time_base and scan.stamps:
        return (max(scan.stamps) - min(scan.stamps)) * stream.time_base + 1 / rate
    return Fraction(stream.frames) / rate


def _is_variable(scan: _Scan) -> bool:
    """Whether intervals differ by more than one tick, which is what rounding a constant rate can cause."""
    stamps = np.unique(np.array(scan.stamps, dtype=np.int64))
    steps = np.diff(stamps if scan.complete else stamps[:-_REORDER])
    return bool(len(steps) > 1 and steps.max() - steps.min() > 1)


def orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """``(rotation, mirrored)`` from the display matrix: mirror left to right if so, then turn clockwise.

    The matrix takes stored to displayed coordinates, y down: ``x' = a x + c y``, ``y' = b x + d y``. Angles that are
    not quarter turns are rounded to one.
    """
    side_data = frame.side_data.get(SideDataType.DISPLAYMATRIX)  # type: ignore[call-overload]
    if side_data is None:
        return 0, False
    a, b, _, c, d = np.frombuffer(side_data, np.int32)[:5].astype(float)
    mirrored = a * d - b * c < 0
    angle = math.atan2(-b, -a) if mirrored else math.atan2(b, a)
    return round(math.degrees(angle) / 90) % 4 * 90, mirrored
