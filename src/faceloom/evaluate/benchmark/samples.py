"""Reference samples: cut from their sources again, by frame and crop, and written as picture, mask and landmarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from faceloom.errors import FaceError, MediaError
from faceloom.evaluate.benchmark.cutting import look_at_crop, parse, parsed_mask, part_mask
from faceloom.evaluate.benchmark.files import sha256_of
from faceloom.evaluate.benchmark.manifest import Settings
from faceloom.evaluate.benchmark.quality import Look
from faceloom.evaluate.benchmark.scan import perception
from faceloom.media import open_clip, read_image, write_image
from faceloom.types import Attribute, Crop, Image

FOLDER = "references"


@dataclass(frozen=True, eq=False)
class Sample:
    """One reference to cut: ``frame`` is None in a portrait."""

    id: str
    part: Attribute
    frame: int | None
    crop: Crop

    @property
    def names(self) -> tuple[str, str, str]:
        """Picture, mask and landmarks, relative to the folder of the benchmark."""
        stem = f"{FOLDER}/{self.part}/{self.id}"
        return f"{stem}.png", f"{stem}.mask.png", f"{stem}.npy"


@dataclass(frozen=True, eq=False)
class SampleJob:
    """All samples of one file."""

    path: Path
    samples: tuple[Sample, ...]
    settings: Settings
    folder: Path


def write_samples(job: SampleJob) -> dict[str, dict[str, str]]:
    """Cut and write the samples of one file: by id, SHA-256 of each file written.

    Raises:
        MediaError: the file cannot be read, or ends before a frame that is wanted. FaceError: no face in a crop.
    """
    done = {}
    for sample, image in _pictures(job):
        look = look_at_crop(image, sample.crop, perception())
        if look is None:
            raise FaceError(
                f"{job.path}: no face in the crop of frame {sample.frame} that the manifest names for {sample.id}; "
                "was it built with other weights?"
            )
        done[sample.id] = _write(sample, look, job)
    return done


def _pictures(job: SampleJob) -> Iterator[tuple[Sample, Image]]:
    stills = [sample for sample in job.samples if sample.frame is None]
    if stills:
        image = read_image(job.path)
        yield from ((sample, image) for sample in stills)
    wanted: dict[int, list[Sample]] = {}
    for sample in job.samples:
        if sample.frame is not None:
            wanted.setdefault(sample.frame, []).append(sample)
    if not wanted:
        return
    with open_clip(job.path, allow_partial=True) as clip:
        for frame in clip:
            yield from ((sample, frame.image) for sample in wanted.pop(frame.index, ()))
            if not wanted:
                return
    raise MediaError(f"{job.path}: ends before frame {min(wanted)}, which the benchmark takes a reference from")


def _write(sample: Sample, look: Look, job: SampleJob) -> dict[str, str]:
    size = job.settings.size
    mask = part_mask(sample.part, look.face.landmarks, size)
    if job.settings.masks == "parser":
        mask, _ = parsed_mask(sample.part, look.face.landmarks, parse(look, perception().parser))
    picture, mask_file, landmarks = (job.folder / name for name in sample.names)
    picture.parent.mkdir(parents=True, exist_ok=True)
    write_image(picture, look.crop)
    Pillow.fromarray((mask * 255 + 0.5).astype(np.uint8)).save(mask_file)
    np.save(landmarks, look.face.landmarks.astype(np.float32))
    return {name: sha256_of(job.folder / name) for name in sample.names}


def crop_of(values: Sequence[float], size: int) -> Crop:
    """The crop that a manifest stores as six numbers."""
    return Crop(np.array(values, np.float64).reshape(2, 3), size, size)
