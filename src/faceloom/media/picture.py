"""Pictures in one call each way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from faceloom.errors import MediaError
from faceloom.media.colour import Matrix
from faceloom.media.edit import from_rgb
from faceloom.media.formats import PlaneFormat
from faceloom.media.native import to_rgb
from faceloom.media.output import PICTURES, OutputFile
from faceloom.media.still import Still, read_still
from faceloom.media.still_sink import encode_still
from faceloom.types import Image


def read_image(path: str | os.PathLike[str]) -> Image:
    """``(H, W, 3)`` uint8 RGB of a JPEG, PNG, WebP, BMP, TIFF or AVIF, upright (EXIF orientation applied).

    Gray is repeated into three channels, 16 bits are rounded to 8, alpha is left out (``open_clip`` keeps all three for
    writing).

    Raises MediaError if the file is missing, a folder, empty, not a picture or over 178 million pixels, and
    TruncatedMediaError if it is cut off or damaged.
    """
    return to_rgb(read_still(Path(path)).native)


def write_image(
    path: str | os.PathLike[str],
    image: Image,
    metadata: Mapping[str, str] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write ``(H, W, 3)`` uint8 RGB as .png or .webp (lossless) or .jpg (quality 95, 4:4:4), whole or not at all.

    Raises MediaError as ``OutputFile`` does, or if the extension is not a picture's.
    """
    output = OutputFile(path, overwrite=overwrite)
    if not output.is_picture:
        raise MediaError(f"{output.path}: is not a picture's extension. Use one of {' '.join(PICTURES)}.")
    native = from_rgb(image, PlaneFormat("rgb", 8), Matrix(space=6, full=True))
    try:
        output.temporary.write_bytes(encode_still(Still(native, None, None), output, metadata or {}))
        output.commit()
    except OSError as error:
        raise MediaError(f"{output.path}: cannot be written ({error.strerror}). Check the free space.") from error
    finally:
        output.discard()
