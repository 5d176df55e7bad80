"""Score one edited video against its target, without a benchmark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from faceloom.errors import FaceError, MediaError
from faceloom.evaluate.benchmark.align import crop_at, smooth_alignment, to_crop
from faceloom.evaluate.benchmark.cutting import aligned_crop, look_at_crop
from faceloom.evaluate.benchmark.errors import BenchmarkError
from faceloom.evaluate.benchmark.faces import follow, measure, region_masks, steady
from faceloom.evaluate.benchmark.lossless import read_masks, read_pictures, write_lossless
from faceloom.evaluate.benchmark.scan import perception
from faceloom.evaluate.benchmark.scores import Scoring, networks_for
from faceloom.evaluate.benchmark.targets import crop_frames
from faceloom.evaluate.item import Item, ItemScores
from faceloom.evaluate.metrics.registry import chosen
from faceloom.evaluate.scoring import score_item
from faceloom.media import open_clip, read_image
from faceloom.perceive import perceive_image
from faceloom.types import Attribute, Face, Frame, Image

OF_REFERENCE = ("clip_i", "dino_i", "vgg_i", "identity_reference", "arcface_reference")
"""Metrics that compare with the reference."""
NO_REFERENCE = "n/a (needs --reference)"


def score_pair(
    target: Path,
    result: Path,
    scoring: Scoring,
    *,
    reference: Path | None = None,
    part: Attribute | None = None,
    size: int = 256,
) -> ItemScores:
    """Score ``result`` against ``target``: the same frames before and after an edit, aligned as a benchmark does.

    Args:
        reference: picture that the part came from; without it, metrics that compare with it are absent.
        part: what was edited; None for the whole face.
        size: side of the aligned crops, pixels.

    Raises:
        MediaError: a file cannot be read. FaceError: no face in the target, or in the reference.
        BenchmarkError: the videos differ in length or size. FaceloomError: torch is needed and not installed.
    """
    times, faces = _follow(target)
    fps = _check(target, result, len(times))
    smooth = steady(faces, times)
    try:
        matrices = smooth_alignment(smooth, size, float(fps))
    except FaceError as error:
        raise FaceError(f"{target}: {error}") from error
    attribute = part or Attribute.IDENTITY
    located = zip(smooth, (crop_at(matrices, index, size) for index in range(len(matrices))), strict=True)
    points = [None if face is None else to_crop(face.landmarks, crop) for face, crop in located]
    with tempfile.TemporaryDirectory(prefix="faceloom-evaluate-") as name:
        folder = Path(name)
        crops = {"target": folder / "target.mkv", "result": folder / "result.mkv"}
        for video, out in ((target, crops["target"]), (result, crops["result"])):
            with open_clip(video) as clip:
                write_lossless(out, crop_frames(clip, matrices, size), fps)
        write_lossless(folder / "regions.mkv", region_masks(attribute, points, size), fps)
        seen = {side: measure(read_pictures(path), fps, perception()) for side, path in crops.items()}
        picture, face = _reference(reference, crops["target"], seen["target"], size)
        item = Item(
            name=f"{target.name} -> {result.name}",
            attribute=attribute,
            target=read_pictures(crops["target"]),
            result=read_pictures(crops["result"]),
            regions=read_masks(folder / "regions.mkv"),
            target_faces=seen["target"],
            result_faces=seen["result"],
            reference=picture,
            reference_face=face,
            fps=float(fps),
        )
        wanted = [spec.name for spec in chosen(scoring.metrics)]
        left_out = {name: NO_REFERENCE for name in wanted if reference is None and name in OF_REFERENCE}
        scores = score_item(item, networks_for(scoring), [one for one in wanted if one not in left_out])
    return replace(scores, absent={**scores.absent, **left_out})


def _follow(target: Path) -> tuple[list[float], list[Face | None]]:
    times: list[float] = []

    def noting(clip: Iterator[Frame]) -> Iterator[Frame]:
        for frame in clip:
            times.append(float(frame.time))
            yield frame

    with open_clip(target) as clip:
        faces = follow(noting(clip), perception())
    return times, faces


def _check(target: Path, result: Path, frames: int) -> Fraction:
    with open_clip(target) as one, open_clip(result) as other:
        sizes = [(clip.info.width, clip.info.height) for clip in (one, other)]
        if sizes[0] != sizes[1]:
            raise BenchmarkError(
                f"{result}: is {sizes[1][0]}x{sizes[1][1]}, {target} is {sizes[0][0]}x{sizes[0][1]}; score the result "
                "at the size of its target"
            )
        count, fps = sum(1 for _ in other), one.info.fps
    if count != frames:
        raise BenchmarkError(
            f"{result}: has {count} frames, {target} has {frames}; a result is scored frame by frame against the same "
            "frames of its target"
        )
    return fps


def _reference(path: Path | None, target: Path, faces: list[Face | None], size: int) -> tuple[Image, Face]:
    """The aligned reference; without one, any frame of the target in its place, which no metric will look at."""
    if path is None:
        for picture, face in zip(read_pictures(target), faces, strict=True):
            if face is not None:
                return picture, face
        raise MediaError("no face was found in the aligned crops of the target")
    image = read_image(path)
    found = perceive_image(image, perception())
    crop = aligned_crop(found[0].landmarks, size) if found else None
    look = None if crop is None else look_at_crop(image, crop, perception())
    if look is None:
        raise FaceError(f"{path}: no face was found in this reference; use a sharp, roughly frontal picture")
    return look.crop, look.face
