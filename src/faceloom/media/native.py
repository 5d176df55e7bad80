"""Decoded planes in the file's own pixel format, and their way from and to the codec library and RGB."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from faceloom.media.colour import FULL, ColourTags, Matrix
from faceloom.media.formats import PlaneFormat, parse, without_subsampling
from faceloom.types import Image

Plane = NDArray[Any]
"""``(rows, columns)`` uint8 or uint16, contiguous."""

# Nearest-neighbour chroma: the mean over a chroma block of what RGB shows is then exactly the stored sample, which is
# what lets an edit be written back as a difference. Full chroma resolution and accurate rounding keep every channel
# within half a level of the exact matrix.
_EXACT = Interpolation.POINT | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


@dataclass(frozen=True, eq=False)
class NativePlanes:
    """One decoded picture in its own format, upright and without padding.

    planes  one array for each plane of ``format``, uint8 for 8 bits and uint16 above.
    matrix  the Y'CbCr encoding of the planes (for "rgb", the one to use if they must become Y'CbCr).
    """

    planes: tuple[Plane, ...]
    format: PlaneFormat
    matrix: Matrix

    @property
    def width(self) -> int:
        """Columns of the picture."""
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return int(self.planes[0].shape[0])


def frame_tags(frame: av.VideoFrame) -> ColourTags:
    """Colour tags of a decoded frame."""
    return ColourTags(
        int(frame.colorspace) or 2, int(frame.color_primaries) or 2, int(frame.color_trc) or 2, int(frame.color_range)
    )


def planes_of(frame: av.VideoFrame, fmt: PlaneFormat) -> tuple[Plane, ...]:
    """Copies of the planes of a frame whose format is ``fmt``, padding removed."""
    itemsize = np.dtype(fmt.dtype).itemsize
    planes = []
    for plane in frame.planes:
        planes.append(np.ascontiguousarray(_rows(plane)[:, : plane.width * itemsize]).view(fmt.dtype))
    return tuple(planes)


def to_planar(frame: av.VideoFrame, fmt: PlaneFormat, matrix: Matrix, scaler: VideoReformatter) -> av.VideoFrame:
    """The frame in planar format ``fmt``; itself if it is already."""
    if parse(frame.format.name) == fmt:
        return frame
    return scaler.reformat(
        frame,
        format=fmt.name,
        interpolation=_EXACT,
        src_colorspace=matrix.scaler_code,
        dst_colorspace=matrix.scaler_code,
        src_color_range=matrix.scaler_range,
        dst_color_range=matrix.scaler_range,
        threads=1,
    )


def orient(plane: Plane, rotation: int, mirrored: bool) -> Plane:
    """The plane mirrored left to right (if so) and then turned ``rotation`` degrees clockwise; contiguous."""
    turned = np.rot90(plane[:, ::-1] if mirrored else plane, -rotation // 90)
    return np.ascontiguousarray(turned)


def oriented_format(fmt: PlaneFormat, width: int, height: int, rotation: int, mirrored: bool) -> PlaneFormat:
    """The format in which a picture of this stored size can be turned.

    A partial chroma block at the right or bottom edge of an odd-sized picture would land where no partial block can
    be, so such a picture gets full-resolution chroma first. Quarter turns exchange the chroma steps.
    """
    if not rotation and not mirrored:
        return fmt
    if width % fmt.step_x or height % fmt.step_y:
        fmt = without_subsampling(fmt)
    return replace(fmt, step_x=fmt.step_y, step_y=fmt.step_x) if rotation % 180 else fmt


def to_rgb(native: NativePlanes, scaler: VideoReformatter | None = None) -> Image:
    """RGB ``uint8`` picture of the planes, chroma repeated over its block.

    Each channel is within half a level of the exact matrix, one and a half for full range above 8 bits.
    """
    fmt = native.format
    if fmt.family == "yuv":
        return _yuv_to_rgb(native, scaler or VideoReformatter())
    if fmt.family == "rgb":
        green, blue, red = (_to_8_bits(plane, fmt.bits) for plane in native.planes[:3])
        return np.dstack([red, green, blue])
    scale, offset, _ = native.matrix.scales(fmt.bits)
    levels = np.clip(np.rint((np.arange(fmt.peak + 1) - offset) * (255.0 / scale)), 0, 255).astype(np.uint8)
    return np.repeat(levels[native.planes[0]][:, :, None], 3, axis=2)


def _yuv_to_rgb(native: NativePlanes, scaler: VideoReformatter) -> Image:
    # From a fresh frame, not the decoder's: that one states where its chroma is sited, and the scaler would shift it.
    # To planar RGB and interleaved here, which is six times as fast as the scaler's own accurate packed output.
    converted = scaler.reformat(
        to_frame(_whole_blocks(native)),
        format="gbrp",
        interpolation=_EXACT,
        src_colorspace=native.matrix.scaler_code,
        dst_colorspace=native.matrix.scaler_code,
        src_color_range=native.matrix.scaler_range,
        dst_color_range=FULL,
        threads=1,
    )
    green, blue, red = (_rows(plane)[: native.height, : native.width] for plane in converted.planes)
    return np.asarray(cv2.merge([red, green, blue]), dtype=np.uint8)


def _rows(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """The bytes of a plane, ``(rows, bytes)`` with padding, sharing its memory."""
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, abs(plane.line_size))  # type: ignore[call-overload]
    return rows[::-1] if plane.line_size < 0 else rows


def _whole_blocks(native: NativePlanes) -> NativePlanes:
    """The picture with its last row and column repeated to fill the last chroma blocks.

    The scaler stretches the chroma plane over the picture; unless the sizes are exact multiples, samples drift.
    """
    margin = (0, native.height % native.format.step_y), (0, native.width % native.format.step_x)
    if margin == ((0, 0), (0, 0)):
        return native
    planes = [plane if index in (1, 2) else np.pad(plane, margin, "edge") for index, plane in enumerate(native.planes)]
    return replace(native, planes=tuple(planes))


def _to_8_bits(plane: Plane, bits: int) -> NDArray[np.uint8]:
    if bits == 8:
        return plane
    return cv2.convertScaleAbs(plane, alpha=255.0 / ((1 << bits) - 1)).astype(np.uint8, copy=False)


def to_frame(native: NativePlanes, name: str | None = None) -> av.VideoFrame:
    """A frame of the codec library with a copy of the planes, in their own format or its packed twin ``name``."""
    frame = av.VideoFrame(native.width, native.height, native.format.name)
    for source, target in zip(native.planes, frame.planes, strict=True):
        _rows(target)[:, : source.shape[1] * source.itemsize] = source.view(np.uint8)
    return frame if name in (None, frame.format.name) else frame.reformat(format=name, interpolation=_EXACT, threads=1)
