"""Pictures stored sideways come out upright, and stay so."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from faceloom.media import ClipWriter, open_clip, probe, read_image
from faceloom.media.formats import parse
from faceloom.media.native import orient, oriented_format
from faceloom.types import Box

ALL = [(rotation, mirrored) for rotation in (0, 90, 180, 270) for mirrored in (False, True)]


@pytest.mark.parametrize(("rotation", "mirrored"), ALL)
@pytest.mark.parametrize("size", [(48, 32), (33, 20)])
def test_frames_are_upright(tmp_path, tools, rotation, mirrored, size):
    planes = [tools.noise_planes("yuv420p", *size, seed) for seed in range(2)]
    straight = tools.make_clip(tmp_path / "a.mkv", planes, codec="ffv1")
    tagged = tools.make_clip(tmp_path / "b.mkv", planes, codec="ffv1", rotation=rotation, mirrored=mirrored)
    info = probe(tagged)
    assert (info.rotation, info.mirrored) in _same(rotation, mirrored)
    with open_clip(straight) as clip:
        stored = next(clip).image
    with open_clip(tagged) as clip:
        frame = next(clip)
    # A clockwise turn first, then the mirror: the order in which the tag was written.
    upright = np.rot90(stored, -rotation // 90)
    upright = upright[:, ::-1] if mirrored else upright
    assert np.array_equal(frame.image, upright)
    assert (info.width, info.height) == (frame.width, frame.height) == (upright.shape[1], upright.shape[0])
    assert frame.native.planes[0].shape == upright.shape[:2]


def _same(rotation, mirrored):
    """Turning then mirroring is mirroring then turning the other way."""
    return {(-rotation % 360, True)} if mirrored else {(rotation, False)}


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_the_output_is_upright_and_untagged(tmp_path, tools, rotation):
    planes = [tools.noise_planes("yuv420p", 48, 32, seed) for seed in range(3)]
    source = tools.make_clip(tmp_path / "a.mkv", planes, codec="ffv1", rotation=rotation)
    with open_clip(source) as clip, ClipWriter.like(clip, tmp_path / "b.mkv", codec="ffv1") as sink:
        for frame in clip:
            image = frame.image.copy()
            image[4:8, 4:8] = 255
            sink.write(frame.edited(image, Box(4, 4, 8, 8)))
    info = probe(tmp_path / "b.mkv")
    assert info.rotation == 0
    assert (info.width, info.height) == ((32, 48) if rotation != 180 else (48, 32))
    expected = np.rot90(planes[0][0], -rotation // 90)
    written = tools.decoded_planes(tmp_path / "b.mkv")[0][0]
    assert np.array_equal(written[8:], expected[8:])
    assert (written[4:8, 4:8] > expected[4:8, 4:8]).all()


def test_an_untagged_sideways_clip_keeps_its_colours(tmp_path, tools):
    """Stored 480 rows high it is BT.601 by custom; upright it is 854 high, which players would take for BT.709."""
    planes = [tools.flat_planes("yuv420p", 854, 480, 0)]
    source = tools.make_clip(tmp_path / "a.mp4", planes, rotation=90)
    assert probe(source).matrix.space == 6
    with open_clip(source) as clip, ClipWriter.like(clip, tmp_path / "b.mp4") as sink:
        for frame in clip:
            sink.write(frame)
    info = probe(tmp_path / "b.mp4")
    assert info.height == 854
    assert info.colour.space == 6


def test_half_height_chroma_changes_sides_with_a_quarter_turn():
    turned = oriented_format(parse("yuv422p10le"), 8, 8, 90, False)
    assert turned.name == "yuv440p10le"
    assert oriented_format(parse("yuv420p"), 9, 8, 180, False).name == "yuv444p"
    assert oriented_format(parse("yuv420p"), 9, 8, 0, False).name == "yuv420p"


def test_orient_against_hand_written_arrays():
    plane = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    assert orient(plane, 90, False).tolist() == [[4, 1], [5, 2], [6, 3]]
    assert orient(plane, 180, False).tolist() == [[6, 5, 4], [3, 2, 1]]
    assert orient(plane, 270, False).tolist() == [[3, 6], [2, 5], [1, 4]]
    assert orient(plane, 90, True).tolist() == [[6, 3], [5, 2], [4, 1]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_orientation_is_applied_and_reset(tmp_path, orientation, suffix):
    pixels = np.kron(np.arange(48).reshape(6, 8) * 5, np.ones((8, 8)))[..., None] * [1, 0.5, 0.2]
    picture = Image.fromarray(pixels.astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "camera"
    path = tmp_path / f"a{suffix}"
    picture.save(path, exif=exif.tobytes(), **({"quality": 95} if suffix == ".jpg" else {"lossless": True}))
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    assert np.array_equal(read_image(path), expected)
    info = probe(path)
    assert (info.width, info.height) == (expected.shape[1], expected.shape[0])
    with open_clip(path) as clip, ClipWriter.like(clip, tmp_path / f"b{suffix}") as sink:
        sink.write(next(clip))
    with Image.open(tmp_path / f"b{suffix}") as written:
        tags = written.getexif()
        assert tags.get(0x0112, 1) == 1
        assert tags[0x010F] == "camera"
        assert np.abs(np.asarray(written.convert("RGB")).astype(int) - expected).max() <= (
            12 if suffix == ".jpg" else 0
        )
