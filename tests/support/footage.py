"""Short clips of the example portraits, set in motion and encoded on the spot, and portraits made difficult."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from faceloom.geometry import topology as t

Picture = NDArray[np.uint8]
Landmarks = NDArray[np.floating]

NOBODY: Picture = np.tile(np.linspace(40, 200, 64, dtype=np.uint8)[None, :, None], (64, 1, 3))
"""(64, 64, 3), a gradient: nobody is there."""


def moving(portrait: Picture, frames: int, size: int) -> list[Picture]:
    """A hand-held shot of a portrait: it drifts, turns a little and comes nearer; the lower face stretches."""
    side = portrait.shape[0]
    pictures = []
    for index in range(frames):
        phase = 2 * np.pi * index / 20
        matrix = cv2.getRotationMatrix2D(
            (side / 2, side / 2), 4 * np.sin(phase), size / side * (1 + 0.03 * np.cos(phase))
        )
        matrix[:, 2] += (size - side) / 2 + 0.03 * size * np.array([np.sin(phase), np.cos(2 * phase)])
        y, x = np.mgrid[:side, :side].astype(np.float32)
        stretch = np.float32(0.012 * side * np.sin(2 * phase)) * np.exp(-(((y / side - 0.8) / 0.12) ** 2))
        talking = cv2.remap(portrait, x, y - stretch, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        pictures.append(
            cv2.warpAffine(talking, matrix, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        )
    return pictures


def write_video(
    path: Path,
    pictures: Iterable[Picture],
    *,
    codec: str = "ffv1",
    pixels: str = "yuv420p",
    rate: Fraction | int = 25,
    audio: str | None = None,
    faststart: bool = False,
) -> Path:
    """Encode RGB pictures; ``audio`` is the codec of a tone as long as the pictures."""
    pictures, rate = list(pictures), Fraction(rate)
    options = {"movflags": "+faststart"} if faststart else {}
    with av.open(str(path), "w", container_options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        sound = container.add_stream(audio, rate=48000, layout="mono") if audio else None
        if sound is not None:
            write_tone(container, sound, float(len(pictures) / rate))
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_tone(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=48000)
    samples = (8000 * np.sin(2 * np.pi * 440 * np.arange(int(48000 * seconds)) / 48000)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    for part in resampler.resample(frame):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def planes(path: Path) -> list[list[Picture]]:
    """Per frame, the decoded planes as the codec library gives them: bit for bit what is in the file."""
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.format.components[0].bits == 8
            frames.append(
                [
                    np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].copy()
                    for plane in frame.planes
                ]
            )
    return frames


def same_planes(one: Sequence[Sequence[Picture]], other: Sequence[Sequence[Picture]]) -> bool:
    """Whether two clips hold the same samples in the same number of frames."""
    return len(one) == len(other) and all(
        np.array_equal(a, b) for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)
    )


def with_eyes_shut(portrait: Picture, landmarks: Landmarks) -> Picture:
    """The eyes painted over with the skin around them, and a dark line where the lids meet."""
    picture = portrait.copy()
    for ring in (t.RIGHT_EYE_RING, t.LEFT_EYE_RING):
        mask = np.zeros(picture.shape[:2], np.uint8)
        cv2.fillPoly(mask, [_pixels(landmarks, ring)], 255)
        picture = cv2.inpaint(picture, cv2.dilate(mask, np.ones((9, 9), np.uint8)), 5, cv2.INPAINT_TELEA)
    for line in (t.RIGHT_LOWER_LID, t.LEFT_LOWER_LID):
        cv2.polylines(picture, [_pixels(landmarks, line)], False, (70, 45, 40), 3, cv2.LINE_AA)
    return picture


def with_mouth_covered(portrait: Picture, landmarks: Landmarks) -> Picture:
    """A blue-grey mask over mouth and chin."""
    picture = portrait.copy()
    x, y = _pixels(landmarks, t.MOUTH_RING).mean(axis=0)
    width = np.ptp(landmarks[list(t.MOUTH_CORNERS), 0])
    centre, axes = (int(x), int(y + 0.1 * width)), (int(width), int(0.7 * width))
    cv2.ellipse(picture, centre, axes, 0, 0, 360, (120, 150, 170), -1)
    return picture


def with_mouth_open(portrait: Picture, landmarks: Landmarks) -> Picture:
    """The lower half of the face pulled down, and the dark of the mouth where the lips part."""
    x, y = landmarks[list(t.INNER_MOUTH_RING), :2].mean(axis=0)
    width = np.ptp(landmarks[list(t.MOUTH_CORNERS), 0])
    columns, rows = np.mgrid[: portrait.shape[0], : portrait.shape[1]].astype(np.float32)[::-1]
    gap = np.float32(0.4 * width) * np.sqrt(np.clip(1 - ((columns - x) / (0.45 * width)) ** 2, 0, 1))
    below = rows > y
    source = np.where(below, np.maximum(rows - gap * np.exp(-(((rows - y) / (2 * width)) ** 2)), y), rows)
    picture = cv2.remap(portrait, columns, source, cv2.INTER_LINEAR)
    picture[below & (source <= y)] = (45, 15, 15)
    return picture


def turned(portrait: Picture, landmarks: Landmarks, degrees: float) -> Picture:
    """The face as a mask in space, turned about the vertical axis before a grey wall, drawn back to front."""
    mesh = landmarks[:468].astype(np.float64)
    centre = mesh.mean(axis=0)
    x, y, z = (mesh - centre).T
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    after = np.column_stack([x * cosine - z * sine, y, x * sine + z * cosine]) + centre
    picture = np.full_like(portrait, 128)
    triangles = Delaunay(mesh[:, :2]).simplices
    for corners in triangles[np.argsort(-after[triangles, 2].mean(axis=1))]:
        _draw_triangle(picture, portrait, mesh[corners, :2].astype(np.float32), after[corners, :2].astype(np.float32))
    return picture


def _draw_triangle(picture: Picture, source: Picture, before: NDArray[np.float32], after: NDArray[np.float32]) -> None:
    if _area(before) * _area(after) <= 0:
        return  # seen from behind
    left, top, width, height = cv2.boundingRect(after)
    matrix = cv2.getAffineTransform(before, after - np.array([left, top], np.float32))
    patch = cv2.warpAffine(source, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(inside, (after - (left, top)).round().astype(np.int32), 1)
    region = picture[top : top + height, left : left + width]
    visible = inside[: region.shape[0], : region.shape[1]] > 0
    region[visible] = patch[: region.shape[0], : region.shape[1]][visible]


def _area(corners: NDArray[np.float32]) -> float:
    (ax, ay), (bx, by) = corners[1] - corners[0], corners[2] - corners[0]
    return float(ax * by - ay * bx)


def _pixels(landmarks: Landmarks, indices: t.Indices) -> NDArray[np.int32]:
    return landmarks[list(indices), :2].round().astype(np.int32)
