"""Export a target: aligned crops, where an edit of each part may show, and the faces found in the crops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceloomError
from faceloom.evaluate.benchmark import export
from faceloom.evaluate.benchmark.align import crop_at, smooth_alignment, to_crop
from faceloom.evaluate.benchmark.cutting import cut
from faceloom.evaluate.benchmark.errors import BenchmarkError
from faceloom.evaluate.benchmark.export import TargetRecord
from faceloom.evaluate.benchmark.faces import follow, measure, region_masks, steady
from faceloom.evaluate.benchmark.files import whole_folder, without_paths
from faceloom.evaluate.benchmark.lossless import read_pictures, write_lossless
from faceloom.evaluate.benchmark.manifest import Target
from faceloom.evaluate.benchmark.scan import perception
from faceloom.media import Clip, open_clip
from faceloom.types import Attribute, Frame, Image


@dataclass(frozen=True)
class TargetJob:
    """A target to export; small enough to be sent to another process."""

    target: Target
    video: Path
    parts: tuple[Attribute, ...]
    size: int
    folder: Path


def export_target(job: TargetJob) -> str:
    """Write the folder of a target. Returns what went wrong, "" if nothing did."""
    try:
        with whole_folder(job.folder) as folder:
            _write_target(job, folder)
    except FaceloomError as error:
        return without_paths(str(error), job.video.parent, job.folder)
    return ""


def _write_target(job: TargetJob, folder: Path) -> None:
    start, end = job.target.span
    fps, times = Fraction(job.target.fps), list[float]()
    with open_clip(job.video, start=start, end=end, allow_partial=True) as clip:
        faces = follow(_noting_times(clip, times), perception())
    check_length(len(faces), job.target)
    smooth = steady(faces, times)
    matrices = smooth_alignment(smooth, job.size, float(fps))
    np.save(folder / export.ALIGNMENT, matrices)
    crop_clip(job.video, job.target, matrices, job.size, folder / export.CROP)
    crops = [crop_at(matrices, index, job.size) for index in range(len(matrices))]
    landmarks = [None if face is None else to_crop(face.landmarks, crops[i]) for i, face in enumerate(smooth)]
    (folder / "masks").mkdir()
    for part in job.parts:
        write_lossless(export.mask_file(folder, part), region_masks(part, landmarks, job.size), fps)
    seen = measure(read_pictures(folder / export.CROP), fps, perception())
    export.save_faces(folder / export.FACES, seen)
    lost = sum(face is None for face in seen)
    record = TargetRecord(id=job.target.id, frames=len(faces), fps=str(fps), size=job.size, faces_lost=lost)
    export.write_record(folder / export.TARGET, record)


def crop_clip(
    video: Path, target: Target, matrices: NDArray[np.float64], size: int, out: Path, edited: bool = False
) -> int:
    """Write the aligned crops of a target, or with ``edited`` of a whole clip made from it; returns their number."""
    start, end = (None, None) if edited else target.span
    with open_clip(video, start=start, end=end, allow_partial=True) as clip:
        return write_lossless(out, crop_frames(clip, matrices, size), Fraction(target.fps))


def crop_frames(frames: Iterable[Frame], matrices: NDArray[np.float64], size: int) -> Iterator[Image]:
    """The aligned crop of each frame. Raises BenchmarkError for more frames than there are ``matrices``."""
    for number, frame in enumerate(frames):
        if number >= len(matrices):
            raise BenchmarkError(f"there are more than the {len(matrices)} frames that the target has")
        yield cut(frame.image, crop_at(matrices, number, size))


def check_length(frames: int, target: Target) -> None:
    """Raise BenchmarkError unless there are as many frames as the manifest says."""
    if frames != target.frames:
        raise BenchmarkError(
            f"{target.file}: {frames} frames where the manifest has {target.frames}; was the video cut or re-encoded?"
        )


def _noting_times(clip: Clip, times: list[float]) -> Iterator[Frame]:
    for frame in clip:
        times.append(float(frame.time))
        yield frame
