"""Contact sheets: labelled pictures in rows and columns, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from faceloom.types import Box, Image

_PAPER, _INK, _FAINT = (250, 250, 248), (24, 24, 24), (120, 120, 120)
_GAP = 8
_TEXT, _SMALL_TEXT = 15, 12
_LINE = 1.35
"""Height of a line of text over the size of the type."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One picture of a sheet, ``(H, W, 3)`` uint8 RGB, and the lines of text under it; None leaves the place empty."""

    image: Image | None
    caption: Sequence[str] = field(default_factory=tuple)


def draw_sheet(rows: Sequence[Sequence[Cell]], cell: int, row_names: Sequence[str] = ()) -> Image:
    """Rows of cells as one picture, ``(H, W, 3)`` uint8 RGB.

    Args:
        rows: cells from top to bottom and left to right; rows may differ in length.
        cell: side in pixels of the square that each picture is fitted into, centred.
        row_names: a name for each row, written to its left; empty for none.

    Raises:
        ValueError: no cell at all, or names that do not match the rows.
    """
    if not any(rows) or cell < 1:
        raise ValueError("a sheet needs at least one cell, of at least one pixel")
    if row_names and len(row_names) != len(rows):
        raise ValueError(f"{len(row_names)} row names for {len(rows)} rows")
    font = ImageFont.load_default(_TEXT)
    left = _GAP + (max(int(font.getlength(name)) for name in row_names) + _GAP if row_names else 0)
    heights = [cell + _caption_height(row) for row in rows]
    width = left + max(len(row) for row in rows) * (cell + _GAP)
    page = Pillow.new("RGB", (width, _GAP + sum(height + _GAP for height in heights)), _PAPER)
    draw, top = ImageDraw.Draw(page), _GAP
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        if row_names:
            draw.text((_GAP, top + cell / 2), row_names[number], fill=_INK, font=font, anchor="lm")
        for column, content in enumerate(row):
            _draw_cell(page, draw, content, left + column * (cell + _GAP), top, cell)
        top += height + _GAP
    return np.asarray(page)


def _caption_height(row: Sequence[Cell]) -> int:
    lines = max((len(content.caption) for content in row), default=0)
    return round(lines * _LINE * _SMALL_TEXT) + (4 if lines else 0)


def _draw_cell(page: Pillow.Image, draw: ImageDraw.ImageDraw, content: Cell, x: int, y: int, side: int) -> None:
    if content.image is not None:
        picture = fit(content.image, side)
        shift = ((side - picture.shape[1]) // 2, (side - picture.shape[0]) // 2)
        page.paste(Pillow.fromarray(picture), (x + shift[0], y + shift[1]))
    font = ImageFont.load_default(_SMALL_TEXT)
    for number, line in enumerate(content.caption):
        place = (x + side / 2, y + side + 4 + number * _LINE * _SMALL_TEXT)
        draw.text(place, line, fill=_FAINT if number else _INK, font=font, anchor="ma")


def fit(image: Image, side: int) -> Image:
    """``image`` scaled to fit a square of ``side`` pixels, aspect kept: averaged down, cubic up."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return np.asarray(scaled, np.uint8)


def cut_square(image: Image, box: Box, margin: float) -> Image:
    """A copy of the square around ``box`` (frame pixels), grown by ``margin`` of its side on each side.

    Where the square leaves the picture, the picture's edge is repeated, so the result is always square.
    """
    side = max(box.width, box.height, 1)
    side += 2 * round(side * margin)
    left, top = (box.left + box.right - side) // 2, (box.top + box.bottom - side) // 2
    height, width = image.shape[:2]
    # The part that exists, at least one pixel of it, then its edges repeated up to the square.
    x0, x1 = np.clip([left, left + side], 0, width)
    y0, y1 = np.clip([top, top + side], 0, height)
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    before_x, before_y = int(np.clip(x0 - left, 0, side - 1)), int(np.clip(y0 - top, 0, side - 1))
    inside = image[y0:y1, x0:x1][: side - before_y, : side - before_x]
    after_y, after_x = side - before_y - inside.shape[0], side - before_x - inside.shape[1]
    padded = cv2.copyMakeBorder(inside, before_y, after_y, before_x, after_x, cv2.BORDER_REPLICATE)
    return np.asarray(padded, np.uint8)
