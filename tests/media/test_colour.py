"""Colour: the right matrix and range both ways, against numbers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceloom.media import ClipWriter, open_clip, probe
from faceloom.media.colour import FULL, LIMITED, ColourTags, Matrix, resolve
from faceloom.media.edit import from_rgb
from faceloom.media.formats import parse
from faceloom.media.native import NativePlanes, to_rgb
from faceloom.types import Frame


def exact_rgb(native: NativePlanes) -> np.ndarray:
    """The H.273 equations in float64, chroma repeated."""
    fmt = native.format
    luma_scale, luma_offset, chroma_scale = native.matrix.scales(fmt.bits)
    half = 1 << (fmt.bits - 1)
    blue, red = (
        (np.repeat(np.repeat(p.astype(float), fmt.step_y, 0), fmt.step_x, 1)[: native.height, : native.width] - half)
        / chroma_scale
        for p in native.planes[1:3]
    )
    luma = (native.planes[0] - luma_offset) / luma_scale
    kr, kb = native.matrix.kr, native.matrix.kb
    r = luma + 2 * (1 - kr) * red
    b = luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.stack([r, g, b], -1) * 255, 0, 255)


@pytest.mark.parametrize("fmt", ["yuv420p", "yuv422p", "yuv440p", "yuv444p", "yuv420p10le", "yuv444p12le", "yuva420p"])
@pytest.mark.parametrize("size", [(32, 24), (33, 25), (32, 25), (1, 1), (3, 2)])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("space", [1, 6, 9])
def test_conversion_to_rgb_is_the_matrix(tools, fmt, size, full, space):
    planes = tuple(tools.noise_planes(fmt, *size, 1))
    native = NativePlanes(planes, parse(fmt), Matrix(space, full))
    tolerance = 1.6 if full and native.format.bits > 8 else 0.55
    assert np.abs(to_rgb(native) - exact_rgb(native)).max() <= tolerance


@pytest.mark.parametrize("bits", ["", "10le"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("space", [1, 6])
@settings(max_examples=40, deadline=None)
@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
def test_a_flat_colour_survives_the_way_there_and_back(bits, full, space, colour):
    image = np.full((4, 6, 3), colour, np.uint8)
    native = from_rgb(image, parse(f"yuv420p{bits}"), Matrix(space, full))
    assert np.abs(to_rgb(native).astype(int) - image).max() <= 2


@pytest.mark.parametrize(
    ("space", "full", "expected"),
    [  # pure red: Y = KR, Cb = -KR / (2 (1 - KB)), Cr = 1/2
        (1, False, (63, 102, 240)),
        (6, False, (81, 90, 240)),
        (1, True, (54, 99, 255)),
        (6, True, (76, 85, 255)),
    ],
)
def test_red_by_hand(space, full, expected):
    native = from_rgb(np.full((2, 2, 3), (255, 0, 0), np.uint8), parse("yuv444p"), Matrix(space, full))
    assert tuple(int(plane[0, 0]) for plane in native.planes) == expected


@pytest.mark.parametrize(
    ("tags", "space"), [((1, 1, 1, 1), 1), ((6, 6, 6, 1), 6), ((1, 1, 1, 2), 1), ((6, 6, 6, 2), 6)]
)
def test_a_colour_survives_a_tagged_file(tmp_path, tools, tags, space):
    source = tools.make_clip(tmp_path / "a.mkv", [tools.flat_planes("yuv420p", 32, 32, 0)], codec="ffv1", tags=tags)
    assert probe(source).matrix == Matrix(space, tags[3] == FULL)
    for suffix, codec in ((".mkv", "ffv1"), (".mp4", "h264")):
        out = tmp_path / f"b{suffix}"
        with (
            open_clip(source) as clip,
            ClipWriter.like(clip, out, codec=codec, crf=1 if codec == "h264" else None) as w,
        ):
            frame = next(clip)
            w.write(Frame(0, frame.time, np.full_like(frame.image, (180, 90, 60))))
        with open_clip(out) as clip:
            assert np.abs(next(clip).image.astype(int) - (180, 90, 60)).max() <= 2


def test_untagged_pictures_are_decoded_by_custom():
    assert resolve(ColourTags(), 719) == Matrix(6, False)
    assert resolve(ColourTags(), 720) == Matrix(1, False)
    assert resolve(ColourTags(), 480, full_by_default=True) == Matrix(6, True)
    assert resolve(ColourTags(range=LIMITED), 480, full_by_default=True) == Matrix(6, False)
    assert resolve(ColourTags(space=9, range=FULL), 480) == Matrix(9, True)


def test_gray_video_is_gray(tmp_path, tools):
    planes = tools.noise_planes("gray", 16, 12, 0)
    path = tools.make_clip(tmp_path / "a.mkv", [planes], codec="ffv1", fmt="gray")
    with open_clip(path) as clip:
        image = next(clip).image
    assert np.array_equal(image, np.repeat(planes[0][..., None], 3, axis=2))


def test_packed_rgb_is_read_exactly(tmp_path, tools):
    planes = tools.noise_planes("gbrp", 16, 12, 0)
    path = tools.make_clip(tmp_path / "a.avi", [planes], codec="utvideo", fmt="gbrp")
    with open_clip(path) as clip:
        image = next(clip).image
    green, blue, red = planes
    assert np.array_equal(image, np.dstack([red, green, blue]))
