"""Planar pixel formats: the ones frames are kept in, and the nearest one to any other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import av
import numpy as np

Family = Literal["yuv", "gray", "rgb"]

_CHROMA = {"420": (2, 2), "422": (2, 1), "440": (1, 2), "444": (1, 1)}
_CHROMA_NAMES = {step: name for name, step in _CHROMA.items()}
_DEPTHS = (8, 10, 12, 14, 16)
_PATTERN = re.compile(
    r"(?:(?P<yuv>yuv[aj]?)(?P<chroma>420|422|440|444)p|(?P<gray>gray)|(?P<rgb>gbra?p))(?P<bits>9|1[0246])?(?P<le>le)?"
)


@dataclass(frozen=True)
class PlaneFormat:
    """A planar pixel format with ``bits`` bits a sample.

    Planes are Y, Cb, Cr for "yuv", Y for "gray", and G, B, R (libav's order) for "rgb"; alpha, if any, is the last.
    One chroma sample covers ``step_x`` by ``step_y`` pixels; both are 1 unless the family is "yuv".
    """

    family: Family
    bits: int
    step_x: int = 1
    step_y: int = 1
    alpha: bool = False

    @property
    def name(self) -> str:
        """libav's name, e.g. ``yuv420p10le``."""
        depth = "" if self.bits == 8 else f"{self.bits}le"
        if self.family == "gray":
            return f"gray{depth}"
        if self.family == "rgb":
            return f"gbr{'a' if self.alpha else ''}p{depth}"
        return f"yuv{'a' if self.alpha else ''}{_CHROMA_NAMES[self.step_x, self.step_y]}p{depth}"

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Sample type of the planes."""
        return np.uint8 if self.bits == 8 else np.uint16

    @property
    def peak(self) -> int:
        """Largest sample value."""
        return (1 << self.bits) - 1

    @property
    def colour_planes(self) -> int:
        """Planes without alpha."""
        return 1 if self.family == "gray" else 3

    def chroma_size(self, width: int, height: int) -> tuple[int, int]:
        """``(columns, rows)`` of a chroma plane; the last block of an odd-sized picture is partly outside."""
        return -(-width // self.step_x), -(-height // self.step_y)


def exists(fmt: PlaneFormat) -> bool:
    """Whether libav knows the format (it has, for example, no ``yuva440p``)."""
    try:
        av.VideoFormat(fmt.name)
    except ValueError:
        return False
    return True


def parse(name: str) -> PlaneFormat | None:
    """The planar format that libav calls ``name``, or None if it is packed, palette, float or big-endian."""
    match = _PATTERN.fullmatch(name)
    if match is None:
        return None
    bits = int(match["bits"] or 8)
    if (bits > 8) != bool(match["le"]):
        return None
    if match["gray"]:
        return PlaneFormat("gray", bits)
    if match["rgb"]:
        return PlaneFormat("rgb", bits, alpha=match["rgb"] == "gbrap")
    step_x, step_y = _CHROMA[match["chroma"]]
    return PlaneFormat("yuv", bits, step_x, step_y, alpha=match["yuv"] == "yuva")


def nearest(name: str) -> PlaneFormat:
    """The planar format that loses least of ``name``: itself if planar, ``gbrp`` for packed RGB, and so on."""
    known = parse(name)
    if known is not None:
        return known
    fmt = av.VideoFormat(name, 64, 64)
    parts = fmt.components
    alpha = any(part.is_alpha for part in parts) or fmt.has_palette
    widest = max(part.bits for part in parts)
    bits = next((depth for depth in _DEPTHS if depth >= widest), 16)
    colours = sum(not part.is_alpha for part in parts)
    if fmt.is_rgb or fmt.has_palette or fmt.is_bayer:
        found = PlaneFormat("rgb", bits, alpha=alpha)
    elif colours == 1:
        found = PlaneFormat("gray", bits)
    else:
        step = 64 // fmt.chroma_width(64), 64 // fmt.chroma_height(64)
        found = PlaneFormat("yuv", bits, *(step if step in _CHROMA_NAMES else (1, 1)), alpha=alpha)
    return found if exists(found) else replace(found, bits=16 if found.bits > 12 else 12)


def without_subsampling(fmt: PlaneFormat) -> PlaneFormat:
    """The same format with one chroma sample for each pixel."""
    return replace(fmt, step_x=1, step_y=1)


_PACKED = {"bgr0": PlaneFormat("rgb", 8), "bgra": PlaneFormat("rgb", 8, alpha=True)}
"""Packed formats that hold exactly what a planar one holds, for codecs that take 8-bit RGB only so."""


def _encodable(name: str) -> PlaneFormat | None:
    return parse(name) or _PACKED.get(name)


def name_for(fmt: PlaneFormat, supported: Iterable[str]) -> str:
    """The name under which a codec takes ``fmt``: its own, or that of its packed twin."""
    names = set(supported)
    return next((name for name, twin in _PACKED.items() if twin == fmt and fmt.name not in names), fmt.name)


def choose(wanted: PlaneFormat, supported: Iterable[str], size: tuple[int, int] | None = None) -> PlaneFormat:
    """The format nearest to ``wanted`` among the ``supported`` names.

    With a ``size`` (width, height), only formats whose chroma blocks fill it exactly qualify, if there are any: H.264
    and HEVC refuse a partial block, and nothing is ever cropped, so an odd-sized 4:2:0 clip becomes 4:4:4.

    Raises ValueError if no supported format can be used.
    """
    candidates = {fmt for fmt in map(_encodable, supported) if fmt is not None}
    if size is not None:
        whole = {fmt for fmt in candidates if size[0] % fmt.step_x == 0 and size[1] % fmt.step_y == 0}
        candidates = whole or candidates
    if not candidates:
        raise ValueError("the codec takes no pixel format that planes can be written in")

    def loss(fmt: PlaneFormat) -> tuple[float, ...]:
        # Ordered by what hurts most: colour, then fine colour detail, depth, alpha; then by wasted space.
        lost_colour = wanted.family != "gray" and fmt.family == "gray"
        lost_chroma = wanted.family != "gray" and (fmt.step_x > wanted.step_x) + (fmt.step_y > wanted.step_y)
        converted = 0 if fmt.family == wanted.family else 2 if fmt.family == "rgb" else 1
        return (
            lost_colour,
            lost_chroma,
            max(0, wanted.bits - fmt.bits),
            wanted.alpha and not fmt.alpha,
            converted,
            max(0, fmt.bits - wanted.bits),
            fmt.alpha and not wanted.alpha,
            1.0 / (fmt.step_x * fmt.step_y),
        )

    return min(sorted(candidates, key=lambda fmt: fmt.name), key=loss)
