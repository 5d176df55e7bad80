"""Pictures: JPEG, PNG, WebP and relatives in, with their orientation applied and their alpha and profile kept."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms, UnidentifiedImageError

from faceloom.errors import MediaError, TruncatedMediaError
from faceloom.media.colour import FULL, ColourTags, Matrix
from faceloom.media.container import check_input
from faceloom.media.formats import PlaneFormat
from faceloom.media.info import ClipInfo
from faceloom.media.native import NativePlanes, Plane

MAX_PIXELS = 178_000_000
"""Largest picture that is decoded, pixels."""

Pillow.init()
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "GIF", "AVIF")
_ORIENTATION = 0x0112
_DESCRIPTION = 0x010E
# (mirrored left to right, then clockwise degrees) for each EXIF orientation that is not upright
_TURNS = {2: (True, 0), 3: (False, 180), 4: (True, 180), 5: (True, 270), 6: (False, 90), 7: (True, 90), 8: (False, 270)}


@dataclass(frozen=True, eq=False)
class Still:
    """A decoded picture and what must survive writing it again.

    native  upright planes, RGB or gray, 8 or 16 bits, alpha last if there is any.
    icc     colour profile, or None.
    exif    EXIF block with the orientation taken out (the planes are upright), or None.
    """

    native: NativePlanes
    icc: bytes | None
    exif: bytes | None


def is_picture(path: Path) -> bool:
    """Whether the file is a still picture; animations and videos are not."""
    try:
        with _opened(path) as picture:
            return not _is_animation(picture)
    except UnidentifiedImageError:
        return False


def _is_animation(picture: Pillow.Image) -> bool:
    return picture.format in ("GIF", "PNG", "WEBP", "AVIF") and getattr(picture, "n_frames", 1) > 1


@contextmanager
def _opened(path: Path) -> Iterator[Pillow.Image]:
    """The picture, opened but not decoded; a MediaError for what the file contents can cause."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            picture = Pillow.open(path, formats=_FORMATS)
        with picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise _too_large(path)
            yield picture
    except UnidentifiedImageError:
        raise
    except Pillow.DecompressionBombError as error:
        raise _too_large(path) from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise TruncatedMediaError(
            f"{path}: the picture is cut off or damaged ({error}; 0 frames decoded). Copy or download it again."
        ) from error


def _too_large(path: Path) -> MediaError:
    return MediaError(
        f"{path}: the picture has more than {MAX_PIXELS // 1_000_000} million pixels. Scale it down first."
    )


def picture_info(path: Path) -> ClipInfo:
    """Describe a picture without decoding it."""
    with _opened(path) as picture:
        orientation = picture.getexif().get(_ORIENTATION, 1)
        mirrored, rotation = _TURNS.get(orientation, (False, 0))
        turned = rotation % 180 == 90
        planes = _format(picture, path)
        return ClipInfo(
            path=path,
            kind="image",
            container=(picture.format or "").lower(),
            codec=(picture.format or "").lower(),
            duration=Fraction(0),
            fps=Fraction(1),
            frame_count=1,
            width=picture.height if turned else picture.width,
            height=picture.width if turned else picture.height,
            rotation=rotation,
            mirrored=mirrored,
            variable_frame_rate=False,
            pixel_format=picture.mode,
            bit_depth=planes.bits,
            colour=ColourTags(range=FULL),
            planes=planes,
            matrix=_MATRIX,
            metadata=_text_of(picture),
        )


_MATRIX = Matrix(space=6, full=True)  # JPEG's own; only used where a picture is gray


def _text_of(picture: Pillow.Image) -> dict[str, str]:
    text = {key: str(value) for key, value in getattr(picture, "text", {}).items()}
    comment = picture.info.get("comment")
    if isinstance(comment, bytes):
        text["comment"] = comment.decode("utf-8", "replace")
    description = picture.getexif().get(_DESCRIPTION)
    if isinstance(description, str):
        text["description"] = description.encode("latin-1", "replace").decode("utf-8", "replace")
    return text


def _is_deep(picture: Pillow.Image, path: Path) -> bool:
    """Whether samples have 16 bits. Pillow reduces 16-bit RGB to 8, so the PNG header is asked (byte 24)."""
    if picture.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24:] == b"\x10"
    return picture.mode.startswith("I;16")


def _format(picture: Pillow.Image, path: Path) -> PlaneFormat:
    alpha = picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info
    gray = picture.mode in ("1", "L", "LA", "La", "F") or picture.mode.startswith("I")
    return PlaneFormat("gray" if gray else "rgb", 16 if _is_deep(picture, path) else 8, alpha=alpha)


def read_still(path: Path) -> Still:
    """Decode a picture: orientation applied, alpha kept as a plane, gray kept gray, 16 bits kept.

    CMYK is taken to sRGB through its profile. Raises MediaError (missing, empty, not a picture, over 178 million
    pixels) and TruncatedMediaError (cut off or damaged).
    """
    check_input(path)
    try:
        with _opened(path) as picture:
            fmt = _format(picture, path)
            exif = picture.getexif()
            mirrored, rotation = _TURNS.get(exif.pop(_ORIENTATION, 1), (False, 0))
            samples: NDArray[Any] | None = _deep_samples(path) if fmt.bits == 16 else None
            icc = picture.info.get("icc_profile")
            if picture.mode == "CMYK":
                picture, icc = _cmyk_to_rgb(picture, icc), None
            if samples is None:
                samples = _samples(picture, fmt)
    except UnidentifiedImageError as error:
        raise MediaError(f"{path}: not a picture that can be read. Give a JPEG, PNG or WebP.") from error
    turned = np.rot90(samples[:, ::-1] if mirrored else samples, -rotation // 90)
    return Still(NativePlanes(_planes(turned, fmt), fmt, _MATRIX), icc, exif.tobytes() if len(exif) else None)


def _samples(picture: Pillow.Image, fmt: PlaneFormat) -> NDArray[np.uint8]:
    """``(h, w, channels)`` uint8."""
    mode = {("gray", False): "L", ("gray", True): "LA", ("rgb", False): "RGB", ("rgb", True): "RGBA"}
    samples = np.asarray(picture.convert(mode[fmt.family, fmt.alpha]))
    return samples if samples.ndim == 3 else samples[:, :, None]


def _deep_samples(path: Path) -> NDArray[np.uint16]:
    """``(h, w, channels)`` uint16 in RGB order."""
    samples = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise OSError("16-bit samples cannot be decoded")
    if samples.ndim == 2:
        return samples[:, :, None]
    return samples[:, :, [2, 1, 0, 3][: samples.shape[2]]]


def _cmyk_to_rgb(picture: Pillow.Image, icc: bytes | None) -> Pillow.Image:
    if not icc:
        return picture.convert("RGB")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        converted = ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError:  # an unusable profile: fall back to the plain conversion every viewer has
        return picture.convert("RGB")
    return converted if converted is not None else picture.convert("RGB")


def _planes(samples: NDArray[Any], fmt: PlaneFormat) -> tuple[Plane, ...]:
    channels = samples.shape[2]
    if fmt.family == "gray":
        order = [0, channels - 1] if fmt.alpha else [0]
    else:
        order = [1, 2, 0, 3] if fmt.alpha else [1, 2, 0]
    return tuple(np.ascontiguousarray(samples[:, :, channel]) for channel in order)
