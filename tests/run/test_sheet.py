from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceloom.run.sheet import Cell, cut_square, draw_sheet, fit
from faceloom.types import Box

RED = np.full((20, 40, 3), (200, 10, 10), np.uint8)


@pytest.mark.parametrize(("shape", "expected"), [((20, 40, 3), (16, 32, 3)), ((900, 3, 3), (32, 1, 3))])
def test_fit_keeps_the_aspect(shape: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    assert fit(np.zeros(shape, np.uint8), 32).shape == expected


def test_cut_square_inside_is_a_plain_cut() -> None:
    image = np.arange(30 * 40 * 3, dtype=np.uint8).reshape(30, 40, 3)
    np.testing.assert_array_equal(cut_square(image, Box(10, 8, 20, 18), 0.0), image[8:18, 10:20])
    np.testing.assert_array_equal(cut_square(image, Box(10, 8, 20, 18), 0.2), image[6:20, 8:22])


def test_cut_square_repeats_the_edge() -> None:
    image = np.arange(10 * 10 * 3, dtype=np.uint8).reshape(10, 10, 3)
    cut = cut_square(image, Box(-3, 5, 3, 11), 0.0)
    np.testing.assert_array_equal(cut[:5, 3:], image[5:, :3])
    np.testing.assert_array_equal(cut[:5, :3], np.repeat(image[5:, :1], 3, axis=1))
    np.testing.assert_array_equal(cut[5], cut[4])


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.tuples(*[st.integers(-30, 30)] * 2),
    st.tuples(*[st.integers(0, 25)] * 2),
    st.floats(0, 1),
)
def test_cut_square_is_square_wherever_it_lies(
    size: tuple[int, int], corner: tuple[int, int], extent: tuple[int, int], margin: float
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    box = Box(*corner, corner[0] + extent[0], corner[1] + extent[1])
    cut = cut_square(image, box, margin)
    side = max(*extent, 1)
    assert cut.shape == (side + 2 * round(side * margin),) * 2 + (3,)
    colours = {tuple(pixel) for pixel in image.reshape(-1, 3).tolist()}
    assert {tuple(pixel) for pixel in cut.reshape(-1, 3).tolist()} <= colours


def test_sheet_places_pictures_in_rows_and_columns() -> None:
    page = draw_sheet([[Cell(RED), Cell(None)], [Cell(None), Cell(RED)]], 40)
    red = (page == RED[0, 0]).all(axis=2)
    assert page.shape == (2 * 48 + 8, 2 * 48 + 8, 3)
    assert red.sum() == 2 * 20 * 40
    assert red[8 + 10 : 8 + 30, 8:48].all() and red[56 + 10 : 56 + 30, 56:96].all()


def test_captions_and_names_are_written() -> None:
    bare, written = draw_sheet([[Cell(RED)]], 60), draw_sheet([[Cell(RED, ("two", "lines"))]], 60, ["name"])
    assert written.shape[0] > bare.shape[0] and written.shape[1] > bare.shape[1]
    left = written.shape[1] - bare.shape[1]
    assert (written[:, :left] < 100).any(), "the name of the row"
    assert (written[bare.shape[0] :] < 100).any(), "the caption"


@pytest.mark.parametrize(("rows", "names"), [([], []), ([[]], []), ([[Cell(RED)]], ["a", "b"])])
def test_sheets_that_cannot_be(rows: list[list[Cell]], names: list[str]) -> None:
    with pytest.raises(ValueError):
        draw_sheet(rows, 10, names)
