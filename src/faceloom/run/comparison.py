"""Target and result side by side at the telling moments, beside what was taken from where."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from faceloom.errors import FaceError
from faceloom.media import open_clip, read_image
from faceloom.perceive import Perception, perceive_image
from faceloom.run.moments import Moment, telling_moments
from faceloom.run.sheet import Cell, cut_square, draw_sheet
from faceloom.types import Image

_CELL = 232
_FACE_MARGIN, _REFERENCE_MARGIN = 0.08, 0.2
_ROWS = ("target", "result")

PathLike = str | os.PathLike[str]


def comparison_sheet(
    target: PathLike, result: PathLike, taken: Mapping[str, PathLike], track: int, perception: Perception
) -> Image:
    """A sheet with the rows target and result, and a column for each moment, after columns for the references.

    Args:
        target, result: videos with the same frames.
        taken: attribute name -> reference picture.
        track: id of the person to show.

    Returns:
        (H, W, 3) uint8 RGB; every face is cut out of its frame, target and result at the same place.

    Raises:
        MediaError: a file cannot be read.
        FaceError: the person is nowhere in the target.
    """
    moments = telling_moments(target, track, perception)
    if not moments:
        raise FaceError(f"{target}: the face '{track}' does not appear; `faceloom inspect` shows who does")
    references = [_reference(name, path, perception) for name, path in taken.items()]
    rows: list[list[Cell]] = [references[0::2], references[1::2]]
    for row in rows:
        row += [Cell(None)] * (len(rows[0]) - len(row))
    for row, path in zip(rows, (target, result), strict=True):
        row += _cells(path, moments)
    return draw_sheet(rows, _CELL, _ROWS)


def _reference(name: str, path: PathLike, perception: Perception) -> Cell:
    image = read_image(path)
    faces = perceive_image(image, perception)
    picture = cut_square(image, faces[0].box, _REFERENCE_MARGIN) if faces else image
    return Cell(picture, (f"{name} from here",))


def _cells(path: PathLike, moments: Sequence[Moment]) -> list[Cell]:
    wanted = {moment.index: moment for moment in moments}
    cells = []
    with open_clip(path, allow_partial=True) as clip:
        for frame in clip:
            moment = wanted.get(frame.index)
            if moment is None:
                continue
            caption = (moment.name, f"{float(frame.time):.2f} s")
            cells.append(Cell(cut_square(frame.image, moment.box, _FACE_MARGIN), caption))
            if len(cells) == len(moments):
                break
    return cells
