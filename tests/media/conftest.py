"""Small clips made on the spot with the codec library alone, so that reader and writer are tested against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

Planes = list[NDArray[np.generic]]


def noise_planes(fmt: str, width: int, height: int, seed: int) -> Planes:
    """Random planes of a planar format; limited to what limited range allows so that RGB mostly does not clip."""
    rng = np.random.default_rng(seed)
    frame = av.VideoFrame(width, height, fmt)
    bits = frame.format.components[0].bits
    low, high = 60 << (bits - 8), 190 << (bits - 8)
    dtype = np.uint8 if bits == 8 else np.uint16
    return [rng.integers(low, high, (plane.height, plane.width)).astype(dtype) for plane in frame.planes]


def flat_planes(fmt: str, width: int, height: int, index: int) -> Planes:
    """A still scene with a bright square that moves, so that encoders use every frame type."""
    frame = av.VideoFrame(width, height, fmt)
    bits = frame.format.components[0].bits
    dtype = np.uint8 if bits == 8 else np.uint16
    planes = [np.full((plane.height, plane.width), 128 << (bits - 8), dtype) for plane in frame.planes]
    planes[0][:] = (np.arange(width)[None, :] % 64 + 60) << (bits - 8)
    left = 4 * index % max(1, width - 16)
    planes[0][8:24, left : left + 16] = 200 << (bits - 8)
    return planes


def to_av(planes: Planes, fmt: str) -> av.VideoFrame:
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, fmt)
    for source, target in zip(planes, frame.planes, strict=True):
        rows = np.frombuffer(target, np.uint8).reshape(target.height, target.line_size)
        rows[:, : source.shape[1] * source.itemsize] = np.ascontiguousarray(source).view(np.uint8)
    return frame


def from_av(frame: av.VideoFrame) -> Planes:
    planes = []
    for part, plane in zip(frame.format.components, frame.planes, strict=False):
        size = 1 if part.bits == 8 else 2
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width * size]
        planes.append(np.ascontiguousarray(rows).view(np.uint8 if size == 1 else np.uint16).copy())
    return planes


def decoded_planes(path: Path) -> list[Planes]:
    """All frames of a video as the codec library decodes them."""
    with av.open(str(path)) as container:
        return [from_av(frame) for frame in container.decode(container.streams.video[0])]


def decoded_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(container.streams.video[0])]


def audio_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]


def make_clip(
    path: Path,
    planes: Sequence[Planes],
    *,
    codec: str = "libx264",
    fmt: str = "yuv420p",
    rate: Fraction | int = 25,
    time_base: Fraction | None = None,
    stamps: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    tags: tuple[int, int, int, int] | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    audio: str | None = None,
    audio_seconds: float | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode planes; ``rotation`` is clockwise degrees, ``tags`` are (space, primaries, transfer, range)."""
    rate = Fraction(rate)
    time_base = time_base or 1 / rate
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = planes[0][0].shape[1], planes[0][0].shape[0], fmt
        stream.codec_context.time_base = time_base
        if tags:
            context = stream.codec_context
            context.colorspace, context.color_primaries, context.color_trc, context.color_range = tags
        if rotation or mirrored:
            stream.set_display_rotation(-rotation, hflip=mirrored)
        sound = None
        if audio:
            sound = container.add_stream(audio, rate=48000, layout="stereo")
        for index, picture in enumerate(planes):
            frame = to_av(picture, fmt)
            frame.pts, frame.time_base = (index if stamps is None else stamps[index]), time_base
            if tags:
                frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = tags
            container.mux(stream.encode(frame))
        if sound is not None:
            _write_tone(container, sound, audio_seconds or float(len(planes) / rate))
        container.mux(stream.encode(None))
    return path


def _write_tone(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    total, rate = int(seconds * 48000), 48000
    time = np.arange(total) / rate
    tone = (np.sin(2 * np.pi * (200 + 80 * time) * time) * 8000).astype(np.int16)
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="stereo", rate=rate)
    for begin in range(0, total, 1024):
        piece = np.repeat(tone[begin : begin + 1024], 2)[None, :]
        frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        for part in resampler.resample(frame):
            container.mux(stream.encode(part))
    container.mux(stream.encode(None))


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Clips that several tests read: a 48-frame H.264 clip with B-frames and sound, and a VFR one."""
    folder = tmp_path_factory.mktemp("clips")
    moving = [flat_planes("yuv420p", 96, 64, index) for index in range(48)]
    options = {"bf": "3", "g": "12", "preset": "veryfast", "x264-params": "log-level=error"}
    ntsc = Fraction(30000, 1001)
    return {
        "ntsc": make_clip(
            folder / "ntsc.mp4", moving, rate=ntsc, options=options, audio="aac", container_options=FASTSTART
        ),
        "vfr": make_clip(
            folder / "vfr.mp4",
            moving,
            rate=25,
            time_base=Fraction(1, 90000),
            stamps=VFR_STAMPS,
            options=options,
        ),
        "avi": make_clip(folder / "plain.avi", moving, options=options, audio="aac"),
        "open gop": make_clip(
            folder / "open gop.mp4", moving, options={"bf": "3", "g": "12", "x264-params": "open-gop=1"}
        ),
        "ffv1": make_clip(folder / "ffv1.mkv", moving, codec="ffv1", audio="aac"),
    }


FASTSTART = {"movflags": "+faststart"}
VFR_STAMPS = [3600 * index + (1500 if index % 3 == 1 else 0) + (7200 if index > 20 else 0) for index in range(48)]


class Tools:
    """The helpers above, handed to tests as one fixture."""

    make_clip = staticmethod(make_clip)
    noise_planes = staticmethod(noise_planes)
    flat_planes = staticmethod(flat_planes)
    decoded_planes = staticmethod(decoded_planes)
    decoded_times = staticmethod(decoded_times)
    audio_packets = staticmethod(audio_packets)
    vfr_times: list[Fraction] = [Fraction(stamp, 90000) for stamp in VFR_STAMPS]  # noqa: RUF012


@pytest.fixture(scope="session")
def tools() -> Callable[..., object] | type[Tools]:
    return Tools
