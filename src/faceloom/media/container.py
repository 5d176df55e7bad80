"""Open a container for reading: only files, only formats that can hold a clip, and errors that say what is wrong."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from faceloom.errors import MediaError, TruncatedMediaError

# A closed list: the library would also open play lists, which refer to other files, and text as terminal art.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,live_flv,ogg,asf,"
    "mxf,nut,gif,apng,yuv4mpegpipe,dv,wav,mp3,flac,aac"
)
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}


def check_input(path: Path) -> None:
    """Raise MediaError unless ``path`` is a file with something in it."""
    if not path.exists():
        raise MediaError(f"{path}: no such file. Check the path.")
    if path.is_dir():
        raise MediaError(f"{path}: is a folder, not a video or picture. Name one file in it.")
    if not path.is_file():
        raise MediaError(f"{path}: is not a regular file. Save the video or picture to a file first.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty (0 bytes). Copy or download it again.")


def open_input(path: Path) -> InputContainer:
    """The container at ``path``, opened for reading.

    Raises MediaError if it is not a video, TruncatedMediaError if it is an MP4 or MOV cut off before its index.
    """
    try:
        return av.open(str(path.absolute()), "r", options=_OPTIONS, metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        if _is_cut_off(path):
            raise TruncatedMediaError(
                f"{path}: the video is cut off before its index, so no frame can be read (0 decoded). "
                "Copy or download it again."
            ) from error
        if isinstance(error, PermissionError):
            raise MediaError(f"{path}: may not be read. Change its permissions.") from error
        raise MediaError(
            f"{path}: not a video or picture that can be read. "
            "Give a video (MP4, MOV, MKV, WebM, AVI, ...) or a picture (JPEG, PNG, WebP)."
        ) from error


def _is_cut_off(path: Path) -> bool:
    """Whether a file that does not open is the beginning of an MP4 or MOV."""
    with path.open("rb") as file:
        return file.read(12)[4:8] in (b"ftyp", b"mdat", b"wide")


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not cover art. Raises MediaError if there is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            return stream
    if container.streams.audio:
        raise MediaError(f"{path}: has sound but no video stream. Give a file with a picture.")
    raise MediaError(f"{path}: has no video stream that can be decoded. Convert it to H.264 in MP4 first.")


def origin_of(container: InputContainer) -> Fraction:
    """Time stamp, seconds, that counts as time 0: the earliest stream start if that is later than 0, else 0."""
    starts = [
        stream.start_time * stream.time_base
        for stream in (*container.streams.video, *container.streams.audio)
        if stream.start_time is not None and stream.time_base is not None
    ]
    return max(Fraction(0), min(starts, default=Fraction(0)))
