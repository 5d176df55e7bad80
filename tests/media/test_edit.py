"""An edit written back as a difference: what it may touch, and what it must reach."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceloom.media.colour import Matrix
from faceloom.media.convert import convert
from faceloom.media.edit import block_mean, edited_planes
from faceloom.media.formats import PlaneFormat, choose, exists, name_for, nearest, parse
from faceloom.media.native import NativePlanes, to_rgb
from faceloom.types import Box, Frame

FORMATS = [
    "yuv420p",
    "yuv422p",
    "yuv440p",
    "yuv444p",
    "yuv420p10le",
    "yuv422p12le",
    "gbrp",
    "gbrp12le",
    "gray",
    "gray10le",
]


def random_native(fmt: PlaneFormat, width: int, height: int, matrix: Matrix, rng: np.random.Generator) -> NativePlanes:
    columns, rows = fmt.chroma_size(width, height)
    shapes = [(height, width)] + [(rows, columns)] * (fmt.colour_planes - 1) + [(height, width)] * fmt.alpha
    return NativePlanes(tuple(rng.integers(0, fmt.peak + 1, shape).astype(fmt.dtype) for shape in shapes), fmt, matrix)


def frame_of(native: NativePlanes) -> Frame:
    return Frame(0, Fraction(0), to_rgb(native), native)


@st.composite
def edits(draw):
    fmt = parse(draw(st.sampled_from(FORMATS)))
    width, height = draw(st.integers(1, 17)), draw(st.integers(1, 17))
    left, top = draw(st.integers(-2, width - 1)), draw(st.integers(-2, height - 1))
    box = Box(left, top, left + draw(st.integers(1, 20)), top + draw(st.integers(1, 20)))
    matrix = Matrix(draw(st.sampled_from([1, 6, 9])), draw(st.booleans()))
    return fmt, width, height, box, matrix, draw(st.integers(0, 2**32)), draw(st.floats(0, 1))


@settings(max_examples=200, deadline=None)
@given(edits())
def test_only_edited_samples_change(case):
    fmt, width, height, box, matrix, seed, share = case
    rng = np.random.default_rng(seed)
    native = random_native(fmt, width, height, matrix, rng)
    frame = frame_of(native)
    inside = np.zeros((height, width), bool)
    inside[box.clip(width, height).slices] = True
    touched = inside & (rng.random((height, width)) < share)
    image = np.where(touched[..., None], rng.integers(0, 256, frame.image.shape), frame.image).astype(np.uint8)
    differs = (image != frame.image).any(axis=2)
    result = edited_planes(frame.edited(image, box), fmt, matrix)
    blocks = block_mean(differs.astype(np.float32), fmt.step_x, fmt.step_y) > 0
    for index, (before, after) in enumerate(zip(native.planes, result.planes, strict=True)):
        may_change = blocks if index and fmt.family == "yuv" else differs
        assert np.array_equal(before[~may_change], after[~may_change])
        assert after.dtype == before.dtype


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("size", [(16, 12), (15, 11)])
def test_a_replaced_area_has_the_new_colour(fmt, size):
    rng = np.random.default_rng(0)
    native = random_native(parse(fmt), *size, Matrix(1, False), rng)
    colour = (120, 120, 120) if fmt.startswith("gray") else (150, 100, 90)
    frame = frame_of(native)
    image = np.full_like(frame.image, colour)
    result = edited_planes(frame.edited(image, Box(0, 0, *size)), native.format, native.matrix)
    assert np.abs(to_rgb(result).astype(int) - colour).max() <= 2


def test_depth_below_eight_bits_survives_an_edit():
    """Brightening a 10-bit ramp by one 8-bit level keeps every step between its samples."""
    fmt = parse("yuv444p10le")
    ramp = np.arange(400, 464, dtype=np.uint16).reshape(8, 8)
    native = NativePlanes((ramp, np.full_like(ramp, 512), np.full_like(ramp, 512)), fmt, Matrix(1, False))
    frame = frame_of(native)
    result = edited_planes(frame.edited(frame.image + np.uint8(1), Box(0, 0, 8, 8)), fmt, native.matrix)
    shift = result.planes[0].astype(int) - ramp
    assert np.ptp(shift) == 0
    assert shift[0, 0] == round(219 * 4 / 255)


def test_a_colour_outside_rgb_is_replaced_without_a_trace():
    fmt = parse("yuv420p")
    planes = (np.full((4, 4), 250, np.uint8), np.full((2, 2), 5, np.uint8), np.full((2, 2), 250, np.uint8))
    native = NativePlanes(planes, fmt, Matrix(6, True))
    frame = frame_of(native)
    for level in (0, 255):
        image = np.full_like(frame.image, level)
        result = edited_planes(frame.edited(image, Box(0, 0, 4, 4)), fmt, native.matrix)
        got = to_rgb(result).astype(int)
        assert np.abs(got - level).max() <= 2


def test_a_frame_without_an_edit_hands_over_its_own_planes():
    native = random_native(parse("yuv420p"), 8, 8, Matrix(1, False), np.random.default_rng(0))
    frame = frame_of(native)
    assert edited_planes(frame, native.format, native.matrix) is native
    assert edited_planes(frame.edited(frame.image.copy(), Box(0, 0, 8, 8)), native.format, native.matrix) is native
    assert edited_planes(frame.edited(255 - frame.image, Box(9, 9, 12, 12)), native.format, native.matrix) is native


def test_alpha_is_left_alone():
    fmt = parse("yuva420p")
    native = random_native(fmt, 8, 8, Matrix(1, False), np.random.default_rng(0))
    frame = frame_of(native)
    result = edited_planes(frame.edited(255 - frame.image, Box(0, 0, 8, 8)), fmt, native.matrix)
    assert result.planes[3] is native.planes[3]


def test_block_mean_of_an_odd_picture():
    values = np.arange(9, dtype=np.float32).reshape(3, 3, 1)
    assert block_mean(values, 2, 2).tolist() == [[2.0, 3.5], [6.5, 8.0]]


@pytest.mark.parametrize("name", [*FORMATS, "yuva444p10le", "gbrap", "yuv420p16le", "gbrp14le"])
def test_names_of_formats_round_trip(name):
    assert parse(name).name == name
    assert exists(parse(name))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nv12", "yuv420p"),
        ("p010le", "yuv420p10le"),
        ("yuyv422", "yuv422p"),
        ("yuvj420p", "yuv420p"),
        ("rgb24", "gbrp"),
        ("bgr0", "gbrp"),
        ("rgba", "gbrap"),
        ("rgb48le", "gbrp16le"),
        ("pal8", "gbrap"),
        ("gbrpf32le", "gbrp16le"),
        ("yuv411p", "yuv444p"),
        ("monob", "gray"),
        ("yuv420p10be", "yuv420p10le"),
    ],
)
def test_nearest_planar_format(name, expected):
    assert nearest(name).name == expected


@pytest.mark.parametrize(
    ("wanted", "supported", "size", "expected"),
    [
        ("yuv420p", ["yuv420p", "yuv444p"], (4, 4), "yuv420p"),
        ("yuv420p", ["yuv420p", "yuv444p"], (5, 4), "yuv444p"),
        ("yuv420p", ["yuv420p", "yuv444p"], None, "yuv420p"),
        ("yuv420p12le", ["yuv420p", "yuv420p10le", "yuv444p10le"], (4, 4), "yuv420p10le"),
        ("yuv440p", ["yuv420p", "yuv422p", "yuv444p"], (4, 4), "yuv444p"),
        ("gbrp", ["yuv420p", "yuv444p", "nv12"], (4, 4), "yuv444p"),
        ("gbrp", ["yuv444p", "bgr0"], (4, 4), "gbrp"),
        ("gray", ["yuv420p", "yuv444p", "gbrp"], (4, 4), "yuv420p"),
        ("yuva420p", ["yuv420p", "yuva420p"], (4, 4), "yuva420p"),
    ],
)
def test_choice_of_format(wanted, supported, size, expected):
    assert choose(parse(wanted), supported, size).name == expected


def test_packed_twin_has_its_own_name():
    assert name_for(parse("gbrp"), ["bgr0", "yuv444p"]) == "bgr0"
    assert name_for(parse("gbrp"), ["gbrp", "bgr0"]) == "gbrp"


def test_a_codec_without_planar_formats_is_refused():
    with pytest.raises(ValueError, match="no pixel format"):
        choose(parse("yuv420p"), ["nv12", "pal8"])


@pytest.mark.parametrize(
    ("source", "target"), [("yuv420p", "yuv444p"), ("yuv420p", "yuv420p10le"), ("yuv422p", "yuv444p12le")]
)
@pytest.mark.parametrize("size", [(8, 6), (7, 5)])
def test_conversion_to_a_richer_format_loses_nothing(source, target, size):
    native = random_native(parse(source), *size, Matrix(1, False), np.random.default_rng(0))
    there = convert(native, parse(target))
    assert np.abs(to_rgb(there).astype(int) - to_rgb(native)).max() <= 1
    back = convert(there, parse(source))
    assert all(map(np.array_equal, back.planes, native.planes))


@pytest.mark.parametrize("target", ["yuv420p", "yuv444p10le", "gbrp", "yuva420p"])
def test_gray_becomes_colourless(target):
    native = random_native(parse("gray"), 8, 6, Matrix(6, True), np.random.default_rng(0))
    image = to_rgb(convert(native, parse(target))).astype(int)
    assert np.abs(image - to_rgb(native)).max() <= 1


def test_rgb_becomes_yuv_within_rounding():
    native = random_native(parse("gbrp"), 8, 6, Matrix(1, False), np.random.default_rng(0))
    assert np.abs(to_rgb(convert(native, parse("yuv444p"))).astype(int) - to_rgb(native)).max() <= 2
