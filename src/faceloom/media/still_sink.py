"""A picture out: PNG and WebP without loss, JPEG at quality 95 and full chroma; alpha, profile and EXIF kept."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from faceloom.errors import MediaError
from faceloom.media.edit import edited_planes
from faceloom.media.native import NativePlanes
from faceloom.media.output import OutputFile
from faceloom.media.reader import Clip
from faceloom.media.still import Still
from faceloom.types import Frame

log = logging.getLogger(__name__)

JPEG_QUALITY = 95
_DESCRIPTION = 0x010E
_WEBP_SIDE, _JPEG_SIDE = 16383, 65535


class StillSink:
    """Writes the one frame of a picture clip."""

    def __init__(self, clip: Clip, output: OutputFile, metadata: Mapping[str, str]) -> None:
        self._clip, self._output, self._metadata = clip, output, metadata
        self._written = False

    def write(self, frame: Frame) -> None:
        """Encode the picture. Raises MediaError at a second frame."""
        if self._written:
            raise MediaError(f"{self._output.path}: a picture holds one frame. Choose a video extension such as .mp4.")
        planes = edited_planes(frame, self._clip.info.planes, self._clip.info.matrix)
        still = self._clip.still
        kept = Still(planes, still.icc if still else None, still.exif if still else None)
        self._output.temporary.write_bytes(encode_still(kept, self._output, self._metadata))
        self._written = True

    def finish(self) -> None:
        """Nothing is held back."""

    def abort(self) -> None:
        """Nothing is open."""


def encode_still(still: Still, output: OutputFile, metadata: Mapping[str, str]) -> bytes:
    """The bytes of a picture file of the kind that the extension of ``output`` names.

    PNG carries ``metadata`` as text chunks, JPEG as its comment, WebP as EXIF ImageDescription.

    Raises MediaError if the picture is larger than the format allows.
    """
    kind = output.path.suffix.lower()
    height, width = still.native.height, still.native.width
    limit = {".webp": _WEBP_SIDE, ".png": 1 << 30}.get(kind, _JPEG_SIDE)
    if max(width, height) > limit:
        raise MediaError(f"{output.path}: {width}x{height} is too large for {kind} ({limit} a side). Use .png.")
    samples = _interleaved(still.native)
    if kind == ".png":
        return _png(samples, still, metadata)
    if samples.dtype == np.uint16:
        samples = np.rint(samples / 257.0).astype(np.uint8)
    if kind == ".webp":
        return _webp(samples, still, metadata)
    return _jpeg(samples, still, metadata)


def _interleaved(native: NativePlanes) -> NDArray[Any]:
    """``(h, w)`` gray or ``(h, w, channels)`` in the order gray, alpha or red, green, blue, alpha."""
    planes = list(native.planes)
    if native.format.family == "rgb":
        planes[:3] = planes[2], planes[0], planes[1]
    return planes[0] if len(planes) == 1 else np.dstack(planes)


def _png(samples: NDArray[Any], still: Still, metadata: Mapping[str, str]) -> bytes:
    if samples.dtype == np.uint16:
        return _deep_png(samples, still, metadata)
    text = PngInfo()
    for key, value in metadata.items():
        text.add_itxt(key, value)
    return _save(samples, "PNG", pnginfo=text, icc_profile=still.icc, exif=still.exif or b"")


def _deep_png(samples: NDArray[Any], still: Still, metadata: Mapping[str, str]) -> bytes:
    """Pillow writes no 16-bit colour, so OpenCV encodes the samples and the chunks it leaves out are added."""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    if channels == 2:
        samples = samples[:, :, [0, 0, 0, 1]]
    elif channels >= 3:
        samples = samples[:, :, [2, 1, 0, 3][:channels]]
    _, data = cv2.imencode(".png", np.ascontiguousarray(samples))
    chunks = [_chunk(b"iCCP", b"icc\0\0" + zlib.compress(still.icc))] if still.icc else []
    chunks += [_chunk(b"eXIf", still.exif.removeprefix(b"Exif\0\0"))] if still.exif else []
    chunks += [_chunk(b"iTXt", key.encode() + b"\0\0\0\0\0" + text.encode()) for key, text in metadata.items()]
    encoded = data.tobytes()
    after_header = 33  # 8 bytes of signature and the 25 of the IHDR chunk
    return encoded[:after_header] + b"".join(chunks) + encoded[after_header:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk: length, type, body, CRC of type and body (PNG specification, section 5.3)."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _jpeg(samples: NDArray[Any], still: Still, metadata: Mapping[str, str]) -> bytes:
    if still.native.format.alpha:
        log.warning("JPEG has no transparency: the picture is laid over white. Write PNG or WebP to keep it.")
        alpha = samples[..., -1:].astype(np.float32) / 255.0
        over = samples[..., :-1] * alpha + 255.0 * (1.0 - alpha)
        samples = np.rint(over).astype(np.uint8)
        samples = samples[..., 0] if samples.shape[2] == 1 else samples
    comment = _lines(metadata)
    return _save(
        samples,
        "JPEG",
        quality=JPEG_QUALITY,
        subsampling=0,
        icc_profile=still.icc,
        exif=still.exif or b"",
        **({"comment": comment.encode()} if comment else {}),
    )


def _webp(samples: NDArray[Any], still: Still, metadata: Mapping[str, str]) -> bytes:
    exif = Pillow.Exif()
    if still.exif:
        exif.load(still.exif)
    if metadata:
        exif[_DESCRIPTION] = _lines(metadata).encode()  # EXIF says ASCII; readers take UTF-8
    options = {"exif": exif.tobytes()} if len(exif) else {}
    return _save(samples, "WEBP", lossless=True, exact=True, quality=50, icc_profile=still.icc or b"", **options)


def _lines(metadata: Mapping[str, str]) -> str:
    if set(metadata) == {"comment"}:
        return metadata["comment"]
    return "\n".join(f"{key}: {value}" for key, value in metadata.items())


def _save(samples: NDArray[Any], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(samples).save(buffer, kind, **options)
    return buffer.getvalue()
