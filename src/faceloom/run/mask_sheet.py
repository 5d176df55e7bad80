"""What a retouching method sees: one tile for each thing asked for, its detection map over the face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from faceloom.errors import MediaError
from faceloom.geometry.similarity import scale_of
from faceloom.media import write_image
from faceloom.media.output import PICTURES, OutputFile
from faceloom.run.sheet import Cell, draw_sheet
from faceloom.types import Frame, Image, PromptMap

_TILE = 256
_COLUMNS = 6
_TINT = np.array([255, 0, 200], np.float32)
"""A colour that faces do not have."""
_SEEN = 0.5


class MaskSheet:
    """A sheet of one frame: for each face a row that begins with the face itself; the certainer, the more magenta.

    Raises MediaError when ``path`` is no picture's name, is taken, or is one of ``others`` (target and output).
    """

    def __init__(self, path: Path, *, overwrite: bool, others: Sequence[Path] = ()) -> None:
        if not OutputFile(path, overwrite=overwrite).is_picture:
            raise MediaError(f"{path}: --show-mask is a picture. Use one of {' '.join(PICTURES)}.")
        if any(path.absolute() == other.absolute() for other in others):
            raise MediaError(f"{path}: --show-mask is the target or the output itself. Choose another name.")
        self.path, self._overwrite = path, overwrite
        self._page: Image | None = None
        self.described = ""

    @property
    def drawn(self) -> bool:
        """Whether there is something to write."""
        return self._page is not None

    def draw(self, frame: Frame, maps: Sequence[Sequence[PromptMap]]) -> None:
        """Draw the maps of each face of one frame; those of a face share one crop."""
        rows: list[list[Cell]] = []
        for number, own in enumerate(maps, 1):
            cells = [Cell(_face(frame, own[0]), (f"face {number}" if len(maps) > 1 else "the face",))]
            cells += [Cell(_over(frame, one), (one.name, _amount(one))) for one in own]
            rows += [cells[begin : begin + _COLUMNS] for begin in range(0, len(cells), _COLUMNS)]
        self._page = draw_sheet(rows, _TILE)
        when = f"the frame at {float(frame.time):.2f} s" if frame.index or frame.time else "the first frame"
        self.described = f"{self.path}: what was found in {when}"

    def write(self) -> None:
        """Write the sheet, if there is one. Raises MediaError."""
        if self._page is not None:
            write_image(self.path, self._page, overwrite=self._overwrite)


def _face(frame: Frame, one: PromptMap) -> Image:
    size = (one.crop.width, one.crop.height)
    reduce = scale_of(one.crop.matrix)
    image = frame.image
    if reduce < 0.8:
        image = cv2.GaussianBlur(image, (0, 0), 0.45 / reduce)
    return np.asarray(cv2.warpAffine(image, one.crop.matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _over(frame: Frame, one: PromptMap) -> Image:
    face = _face(frame, one).astype(np.float32)
    grey = face.mean(axis=2, keepdims=True)
    weight = 0.8 * one.found[..., None]
    tinted = grey + weight * (_TINT - grey)
    return np.asarray(np.clip(tinted + 0.5, 0, 255), np.uint8)


def _amount(one: PromptMap) -> str:
    share = float((one.found > _SEEN).mean())
    if share == 0:
        return "not found"
    return f"{100 * share:.1f} % of the picture"
