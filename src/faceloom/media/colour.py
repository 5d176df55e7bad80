"""What the numbers in a picture mean: colour tags and the Y'CbCr matrix they select (ITU-T H.273)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNSPECIFIED = 2
"""H.273 code point "unspecified" of space, primaries and transfer."""
LIMITED, FULL = 1, 2
"""Values of ``ColourTags.range``; 0 is unspecified."""

_WEIGHTS: dict[int, tuple[float, float]] = {  # H.273 table 4: matrix coefficients -> (KR, KB)
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
_SCALER_CODE = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # libswscale numbers the same matrices its own way
_NAMES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020c"}


@dataclass(frozen=True)
class ColourTags:
    """Colour description as the file states it.

    ``space`` (matrix), ``primaries`` and ``transfer`` are H.273 code points, 2 where the file is silent; ``range``
    is 0 where it is silent, 1 for limited (16..235 of 255), 2 for full.
    """

    space: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    range: int = 0

    @property
    def space_name(self) -> str:
        """Usual name of the matrix, "unspecified" where the file is silent."""
        return _NAMES.get(self.space, "unspecified" if self.space == UNSPECIFIED else f"H.273 matrix {self.space}")


@dataclass(frozen=True)
class Matrix:
    """The Y'CbCr encoding in force: luma weights ``kr``, ``kb`` and whether samples use the full range.

    ``space`` is the H.273 code point that the weights belong to.
    """

    space: int
    full: bool

    @property
    def kr(self) -> float:
        """Weight of red in luma."""
        return _WEIGHTS[self.space][0]

    @property
    def kb(self) -> float:
        """Weight of blue in luma."""
        return _WEIGHTS[self.space][1]

    @property
    def scaler_code(self) -> int:
        """The same matrix in libswscale's numbering."""
        return _SCALER_CODE[self.space]

    @property
    def scaler_range(self) -> int:
        """The range in libav's numbering."""
        return FULL if self.full else LIMITED

    def forward(self) -> NDArray[np.float64]:
        """``(3, 3)``: R'G'B' in [0, 1] to Y' in [0, 1], Cb and Cr in [-0.5, 0.5] (H.273, equations 38 to 40)."""
        kr, kb = self.kr, self.kb
        luma = np.array([kr, 1.0 - kr - kb, kb])
        blue = (np.array([0.0, 0.0, 1.0]) - luma) / (2.0 * (1.0 - kb))
        red = (np.array([1.0, 0.0, 0.0]) - luma) / (2.0 * (1.0 - kr))
        return np.stack([luma, blue, red])

    def scales(self, bits: int) -> tuple[float, float, float]:
        """``(luma scale, luma offset, chroma scale)`` in code values at this bit depth; chroma is centred at half."""
        unit = float(1 << (bits - 8))
        if self.full:
            peak = float((1 << bits) - 1)
            return peak, 0.0, peak
        return 219.0 * unit, 16.0 * unit, 224.0 * unit


def resolve(tags: ColourTags, stored_height: int, *, full_by_default: bool = False) -> Matrix:
    """The encoding to decode with: the tags where they speak, else what players assume.

    Untagged pictures are BT.709 from 720 stored rows up and BT.601 below; untagged range is limited unless the pixel
    format itself says full (``yuvj420p``, ``gray``).
    """
    space = tags.space if tags.space in _WEIGHTS else (1 if stored_height >= 720 else 6)
    full = tags.range == FULL or (tags.range != LIMITED and full_by_default)
    return Matrix(space, full)
