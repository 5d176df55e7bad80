"""Contact sheets: the frames of an edit that flicker most, and a few that are spread over the clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from edited_frames import Variant
from numpy.typing import NDArray

from faceloom.media import write_image
from faceloom.types import Box, Frame, Image

_WORST, _SPREAD = 5, 3
_APART = 4
"""Frames between two of the worst: neighbours show the same thing."""
_WIDTH, _FACE_HEIGHT, _PART_HEIGHT = 300, 340, 170
_AMPLIFY = 4
_LABEL = 22


@dataclass(frozen=True, eq=False)
class _Tile:
    """One frame: target, output and increase of the warping residual, cut out around the face.

    focus  where the part lies in them.
    """

    index: int
    worse: float
    label: str
    target: Image
    output: Image
    increase: NDArray[np.float32]
    focus: Box


class Gallery:
    """Keeps the frames worth looking at while a clip passes by; memory does not grow with its length."""

    def __init__(self) -> None:
        self._worst: list[_Tile] = []
        self._spread: list[_Tile] = []
        self._stride = 1

    @property
    def worst_frames(self) -> list[int]:
        """Indices of the frames whose warping error rises most, worst first."""
        return [tile.index for tile in sorted(self._worst, key=lambda tile: -tile.worse)]

    def offer(
        self,
        target: Frame,
        output: Frame,
        box: Box,
        focus: Box,
        increase: NDArray[np.float32],
        worse: float,
        own: float,
    ) -> None:
        """Look at the next frame.

        box, focus  the face and the part, frame pixels.
        increase    (h, w) by how much its warping residual grows over ``box``, summed over channels.
        worse, own  the rise of its warping error and the target's own.
        """
        label = f"{target.index}: {own:.2f} {worse:+.2f}"

        def tile() -> _Tile:
            before, after = (frame.image[box.slices].copy() for frame in (target, output))
            grown = cv2.resize(increase, (box.width, box.height))
            inside = Box(focus.left - box.left, focus.top - box.top, focus.right - box.left, focus.bottom - box.top)
            return _Tile(target.index, worse, label, before, after, grown, inside.clip(box.width, box.height))

        self._keep_spread(target.index, tile)
        near = [kept for kept in self._worst if abs(kept.index - target.index) < _APART]
        if near:
            if all(kept.worse < worse for kept in near):
                self._worst = [kept for kept in self._worst if kept not in near] + [tile()]
        elif len(self._worst) < _WORST:
            self._worst.append(tile())
        elif (least := min(self._worst, key=lambda kept: kept.worse)).worse < worse:
            self._worst = [kept for kept in self._worst if kept is not least] + [tile()]

    def write(self, folder: Path, clip: str, variant: Variant, frames: int) -> Path | None:
        """Write the sheet, ``clip_part_reference.png``: the worst frames, then the spread ones; None if there are none.

        Rows: target, output; the part of both enlarged, their difference, and where the warping residual grows (the
        last two amplified). A label reads "frame: target's warping error, rise in the output".
        """
        wanted = [frames * (2 * i + 1) // (2 * _SPREAD) for i in range(_SPREAD)]
        others = [tile for tile in self._spread if tile.index not in self.worst_frames]
        spread = [min(others, key=lambda tile: abs(tile.index - index)) for index in wanted if others]
        tiles = sorted(self._worst, key=lambda tile: -tile.worse) + spread
        if not tiles:
            return None
        path = folder / f"{clip}_{variant.part.value}_{variant.reference.stem}.png"
        write_image(path, np.hstack([_column(tile) for tile in tiles]), overwrite=True)
        return path

    def _keep_spread(self, index: int, tile: Callable[[], _Tile]) -> None:
        """Every n-th frame, n doubling as the clip turns out longer; between 8 and 16 are kept."""
        if index % self._stride:
            return
        self._spread.append(tile())
        if len(self._spread) > 16:
            self._stride *= 2
            self._spread = [kept for kept in self._spread if kept.index % self._stride == 0]


def _column(tile: _Tile) -> Image:
    difference = np.abs(tile.output.astype(np.int16) - tile.target).clip(0, 255 // _AMPLIFY) * _AMPLIFY
    grown = np.repeat((tile.increase * 255 * _AMPLIFY / 3).clip(0, 255)[..., None], 3, axis=-1)
    faces = [_fit(picture, _FACE_HEIGHT) for picture in (tile.target, tile.output)]
    near = [
        _fit(picture[tile.focus.slices].astype(np.uint8), _PART_HEIGHT)
        for picture in (tile.target, tile.output, difference, grown)
    ]
    strip = np.zeros((_LABEL, _WIDTH, 3), np.uint8)
    cv2.putText(strip, tile.label, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([strip, *faces, *near])


def _fit(image: Image, height: int) -> Image:
    """The picture enlarged or reduced to a tile of ``_WIDTH`` x ``height``, on black."""
    tile = np.zeros((height, _WIDTH, 3), np.uint8)
    if not image.size:
        return tile
    scale = min(_WIDTH / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    top, left = (height - size[1]) // 2, (_WIDTH - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = resized
    return tile
