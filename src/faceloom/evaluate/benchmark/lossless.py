"""Crops and masks as lossless video: FFV1 in Matroska, RGB or one grey channel, bit for bit what was given."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from faceloom.errors import MediaError
from faceloom.media import open_clip
from faceloom.types import Image


def write_lossless(path: Path, pictures: Iterable[NDArray[np.uint8]], fps: Fraction) -> int:
    """Write pictures of one size as they come, and say how many there were.

    pictures  (H, W, 3) uint8 RGB, stored as 8-bit RGB, or (H, W) uint8, stored as grey.
    fps       constant rate. The name appears only when the file is whole.

    Raises:
        MediaError: no pictures, or the file cannot be written.
    """
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    count = 0
    try:
        # Without a random identifier in the file, the same pictures give the same bytes.
        with av.open(str(partial), "w", container_options={"fflags": "+bitexact"}) as container:
            stream: VideoStream | None = None
            for count, picture in enumerate(pictures, start=1):
                stream = stream or _stream(container, picture, fps)
                kind = "rgb24" if picture.ndim == 3 else "gray"
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), kind)
                frame.pts, frame.time_base = count - 1, 1 / fps
                container.mux(stream.encode(frame))
            if stream is None:
                raise MediaError(f"{path}: there is no frame to write")
            container.mux(stream.encode(None))
        partial.replace(path)
    except (OSError, av.FFmpegError) as error:
        raise MediaError(f"{path}: cannot be written ({error}); check the folder and free space") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _stream(container: av.container.OutputContainer, first: NDArray[np.uint8], fps: Fraction) -> VideoStream:
    stream = container.add_stream("ffv1", rate=fps, options={"level": "3", "slicecrc": "1"})
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "bgr0" if first.ndim == 3 else "gray"
    return stream


def read_pictures(path: Path) -> Generator[Image, None, None]:
    """(H, W, 3) uint8 RGB, frame by frame. Raises MediaError if the file is missing or damaged."""
    with open_clip(path) as clip:
        for frame in clip:
            yield frame.image


def read_masks(path: Path) -> Iterator[NDArray[np.float32]]:
    """(H, W) float32 in [0, 1], frame by frame. Raises MediaError if the file is missing or damaged."""
    for picture in read_pictures(path):
        yield picture[..., 0].astype(np.float32) / np.float32(255)
