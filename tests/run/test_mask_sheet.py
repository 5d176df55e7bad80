"""The sheet of detection maps."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from faceloom.errors import MediaError
from faceloom.media import read_image
from faceloom.run.mask_sheet import MaskSheet
from faceloom.types import Crop, Frame, PromptMap

CROP = Crop(np.array([[0.5, 0, -10], [0, 0.5, -5]]), 64, 64)


def frame(index: int = 0, time: Fraction = Fraction(0)) -> Frame:
    return Frame(index, time, np.full((200, 200, 3), 90, np.uint8))


def found(columns: slice) -> NDArray[np.float32]:
    values = np.zeros((64, 64), np.float32)
    values[:, columns] = 1
    return values


def magenta(page: NDArray[np.uint8]) -> NDArray[np.bool_]:
    pixels = page.astype(int)
    return (pixels[..., 0] > pixels[..., 1] + 60) & (pixels[..., 2] > pixels[..., 1] + 60)


def test_a_tile_for_each(tmp_path: Path) -> None:
    sheet = MaskSheet(tmp_path / "m.png", overwrite=False)
    assert not sheet.drawn
    maps = [PromptMap("acne", found(slice(0, 32)), CROP), PromptMap("shine", found(slice(0, 0)), CROP)]
    sheet.draw(frame(), [maps])
    assert sheet.drawn and sheet.described == f"{tmp_path / 'm.png'}: what was found in the first frame"
    sheet.write()
    page = read_image(tmp_path / "m.png")
    assert page.shape[1] == 8 + 3 * (256 + 8)
    columns = magenta(page)[8:264].mean(axis=0)
    first, second, third = (columns[8 + k * 264 : 8 + k * 264 + 256] for k in range(3))
    assert not first.any(), "the face itself"
    assert second[:120].min() > 0.95 and not second[136:].any()
    assert not third.any()


def test_many_prompts_and_people_take_several_rows(tmp_path: Path) -> None:
    sheet = MaskSheet(tmp_path / "m.png", overwrite=False)
    maps = [PromptMap(f"kind {n}", found(slice(0, 8)), CROP) for n in range(20)]
    sheet.draw(frame(3, Fraction(1, 4)), [maps, maps[:2]])
    sheet.write()
    height, width = read_image(tmp_path / "m.png").shape[:2]
    assert width == 8 + 6 * 264 and height > 5 * 256
    assert "the frame at 0.25 s" in sheet.described


def test_nothing_drawn_nothing_written(tmp_path: Path) -> None:
    sheet = MaskSheet(tmp_path / "m.png", overwrite=False)
    sheet.write()
    assert list(tmp_path.iterdir()) == [] and sheet.described == ""


def test_names_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "there.png").write_bytes(b"mine")
    for name, says in (("m.mp4", "is a picture"), ("none/m.png", "does not exist"), ("there.png", "exists already")):
        with pytest.raises(MediaError, match=says):
            MaskSheet(tmp_path / name, overwrite=False)
    MaskSheet(tmp_path / "there.png", overwrite=True)
    with pytest.raises(MediaError, match="the target or the output itself"):
        MaskSheet(tmp_path / "o.png", overwrite=True, others=[tmp_path / "t.png", tmp_path / "o.png"])
