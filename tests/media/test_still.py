"""Pictures: what is kept through an edit, for each kind in and out."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from faceloom.errors import MediaError
from faceloom.media import ClipWriter, open_clip, probe, read_image, write_image
from faceloom.media.still_sink import _chunk
from faceloom.types import Box

PORTRAIT = Path(__file__).parents[2] / "examples/portraits/person_01.jpg"


def edit(source, out, box=None, **options):
    """Paint ``box`` green, or copy."""
    with open_clip(source) as clip, ClipWriter.like(clip, out, **options) as sink:
        for frame in clip:
            if box is not None:
                image = frame.image.copy()
                image[box.slices] = (0, 200, 0)
                frame = frame.edited(image, box)
            sink.write(frame)
    return out


def noise(*shape, seed=0, dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_lossless_pictures_keep_every_pixel_outside_the_edit(tmp_path, mode, suffix):
    channels = {"RGB": 3, "RGBA": 4, "LA": 2}.get(mode)
    samples = noise(20, 30, channels) if channels else noise(20, 30)
    picture = Image.fromarray(samples if mode not in ("P", "1") else noise(20, 30, 3)).convert(mode)
    picture.save(tmp_path / "a.png")
    box = Box(4, 5, 12, 14)
    with Image.open(edit(tmp_path / "a.png", tmp_path / f"b{suffix}", box)) as written:
        have = np.asarray(written.convert("RGBA")).astype(int)
    want = np.asarray(picture.convert("RGBA")).astype(int)
    outside = np.ones((20, 30), bool)
    outside[box.slices] = False
    assert np.array_equal(have[outside], want[outside])
    assert np.array_equal(have[..., 3], want[..., 3])
    if mode in ("RGB", "RGBA", "P"):
        assert (have[box.slices][..., :3] == (0, 200, 0)).all()
    else:
        assert np.abs(have[box.slices][..., 0] - 117).max() <= 1  # the luma of that green: gray stays gray


def test_one_frame_through_the_same_type(tmp_path):
    info = probe(PORTRAIT)
    assert (info.kind, info.frame_count, info.width, info.height) == ("image", 1, 512, 512)
    with open_clip(PORTRAIT) as clip:
        (frame,) = clip
        assert (frame.index, frame.time, clip.expected_frames) == (0, 0, 1)
        with Image.open(PORTRAIT) as reference:
            assert np.array_equal(frame.image, np.asarray(reference.convert("RGB")))


@pytest.mark.parametrize(("gray", "alpha"), [(False, False), (False, True), (True, False)])
def test_sixteen_bits_stay_sixteen_bits(tmp_path, gray, alpha):
    samples = noise(12, 16, dtype=np.uint16) if gray else noise(12, 16, 3 + alpha, dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), samples)
    info = probe(tmp_path / "a.png")
    assert (info.bit_depth, info.planes.family, info.planes.alpha) == (16, "gray" if gray else "rgb", alpha)
    box = Box(2, 3, 8, 9)
    out = edit(tmp_path / "a.png", tmp_path / "b.png", box, metadata={"comment": "deep é"})
    written = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert written.dtype == np.uint16 and written.shape == samples.shape
    outside = np.ones((12, 16), bool)
    outside[box.slices] = False
    assert np.array_equal(written[outside], samples[outside])
    assert not np.array_equal(written[~outside], samples[~outside])
    assert probe(out).metadata["comment"] == "deep é"
    shown = read_image(tmp_path / "a.png").astype(float)
    expected = samples[..., :3][..., ::-1] / 257 if not gray else np.repeat(samples[..., None], 3, 2) / 257
    assert np.abs(shown - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("depth", [8, 16])
def test_the_colour_profile_is_kept(tmp_path, depth):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for suffix in (".png", ".jpg", ".webp") if depth == 8 else (".png",):
        source = tmp_path / f"a{suffix}"
        if depth == 8:
            Image.fromarray(noise(8, 8, 3)).save(source, icc_profile=profile)
        else:
            cv2.imwrite(str(tmp_path / "plain.png"), noise(8, 8, 3, dtype=np.uint16))
            data = (tmp_path / "plain.png").read_bytes()
            source.write_bytes(data[:33] + _chunk(b"iCCP", b"p\0\0" + zlib.compress(profile)) + data[33:])
        out = edit(source, tmp_path / f"out{suffix}")
        with Image.open(out) as written:
            assert written.info["icc_profile"] == profile


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_metadata_is_written(tmp_path, suffix):
    out = edit(PORTRAIT, tmp_path / f"b{suffix}", metadata={"comment": "edited by faceloom é", "recipe": "mouth"})
    text = " ".join(probe(out).metadata.values())
    assert "edited by faceloom é" in text and "mouth" in text
    out = edit(PORTRAIT, tmp_path / f"c{suffix}", metadata={"comment": "alone"})
    assert "alone" in probe(out).metadata.values()


def test_jpeg_is_written_at_full_chroma_and_high_quality(tmp_path):
    out = edit(PORTRAIT, tmp_path / "b.jpg")
    with Image.open(out) as written:
        assert {part[1:3] for part in written.layer} == {(1, 1)}
    difference = read_image(out).astype(float) - read_image(PORTRAIT)
    assert 10 * np.log10(255**2 / np.mean(difference**2)) > 40


def test_transparency_is_laid_over_white_in_jpeg(tmp_path, caplog):
    samples = np.zeros((16, 16, 4), np.uint8)
    samples[:, 8:] = (10, 20, 30, 255)
    Image.fromarray(samples).save(tmp_path / "a.png")
    image = read_image(edit(tmp_path / "a.png", tmp_path / "b.jpg"))
    assert (image[:, :6] > 250).all()
    assert np.abs(image[:, 10:].astype(int) - (10, 20, 30)).max() <= 3
    assert "no transparency" in caplog.text


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    image = read_image(tmp_path / "a.jpg")
    assert np.abs(image.astype(int) - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3)])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_tiny_pictures(tmp_path, size, suffix):
    Image.new("RGB", size, (40, 90, 140)).save(tmp_path / "a.png")
    image = read_image(edit(tmp_path / "a.png", tmp_path / f"b{suffix}", Box(0, 0, 1, 1)))
    assert image.shape == (size[1], size[0], 3)
    assert np.abs(image[0, 0].astype(int) - (0, 200, 0)).max() <= (90 if suffix == ".jpg" else 0)


def test_an_eight_k_picture(tmp_path):
    row = np.linspace(0, 255, 7680).astype(np.uint8)
    samples = np.broadcast_to(row[None, :, None], (4320, 7680, 3))
    cv2.imwrite(str(tmp_path / "a.jpg"), samples)
    with open_clip(tmp_path / "a.jpg") as clip:
        frame = next(clip)
    assert (frame.width, frame.height) == (7680, 4320)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_writing_and_reading_back_without_loss(tmp_path_factory, width, height, seed):
    folder = tmp_path_factory.mktemp("round")
    image = noise(height, width, 3, seed=seed)
    for suffix in (".png", ".webp"):
        write_image(folder / f"a{suffix}", image)
        assert np.array_equal(read_image(folder / f"a{suffix}"), image)


def test_write_image_guards_its_output(tmp_path):
    image = noise(4, 4, 3)
    out = tmp_path / "ein Bild é.png"
    write_image(out, image, {"comment": "x"})
    assert probe(out).metadata["comment"] == "x"
    with pytest.raises(MediaError, match="--overwrite"):
        write_image(out, image)
    write_image(out, image, overwrite=True)
    with pytest.raises(MediaError, match="not a picture's extension"):
        write_image(tmp_path / "a.mp4", image)
    with pytest.raises(MediaError, match="unknown extension"):
        write_image(tmp_path / "a.bmp2", image)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_picture_too_large_for_its_format_is_refused(tmp_path):
    with pytest.raises(MediaError, match=r"16383.*\.png"):
        write_image(tmp_path / "a.webp", np.zeros((1, 16384, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_picture_does_not_become_a_video_or_two_frames(tmp_path):
    with open_clip(PORTRAIT) as clip:
        with pytest.raises(MediaError, match="is a picture"):
            ClipWriter.like(clip, tmp_path / "a.mp4")
        frame = next(clip)
        with pytest.raises(MediaError, match="one frame"), ClipWriter.like(clip, tmp_path / "a.png") as sink:
            for _ in range(20):
                sink.write(frame)
    assert list(tmp_path.iterdir()) == []


def test_a_multi_picture_jpeg_is_one_picture(tmp_path):
    first, second = Image.fromarray(noise(16, 16, 3)), Image.fromarray(noise(16, 16, 3, seed=1))
    first.save(tmp_path / "a.mpo", format="MPO", save_all=True, append_images=[second])
    assert probe(tmp_path / "a.mpo").kind == "image"


def test_an_animated_gif_is_a_video(tmp_path):
    frames = [Image.fromarray(noise(16, 16, 3, seed=seed)) for seed in range(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    assert probe(tmp_path / "a.gif").kind == "video"
    with open_clip(tmp_path / "a.gif") as clip, ClipWriter.like(clip, tmp_path / "b.mp4") as sink:
        for frame in clip:
            sink.write(frame)
    assert probe(tmp_path / "b.mp4").frame_count == 4
