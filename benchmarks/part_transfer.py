"""Measure part transfer on real clips: flicker, motion kept, speed, against two baselines.

python benchmarks/part_transfer.py --media DIR --out DIR

DIR/videos of --media holds the clips. Tables (Markdown, JSON) and contact sheets go to --out; --clips, --parts,
--references and --frames make a quick run.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import cv2
import summary
from edited_frames import BASELINES, Variant, Workshop
from measure import Row, measure_clip
from rich.console import Console

from faceloom.evaluate.motion import outside_parts
from faceloom.media import read_image
from faceloom.perceive import Perception, perceive_image
from faceloom.types import Attribute
from faceloom.weights import Store

PARTS = ("eyebrows", "eyes", "nose", "mouth")
PORTRAITS = Path(__file__).resolve().parent.parent / "examples" / "portraits"
REFERENCES = (PORTRAITS / "person_05.jpg", PORTRAITS / "person_03.jpg")
"""Frontal with closed lips; smiling with teeth."""


@dataclass(frozen=True)
class Job:
    """What every clip is measured with; small enough to be sent to another process."""

    parts: tuple[str, ...]
    references: tuple[Path, ...]
    methods: tuple[str, ...]
    frames: int | None
    sheets: Path | None
    threads: int


def measure(job: Job, clip: Path) -> list[Row]:
    """Measure one clip with everything the job names."""
    cv2.setNumThreads(job.threads)
    perception = Perception(Store())
    wanted = product(job.parts, job.references, job.methods)
    variants = [Variant(Attribute(part), reference, method) for part, reference, method in wanted]
    outside = {}
    for reference in job.references:
        landmarks = perceive_image(read_image(reference), perception)[0].landmarks
        for variant in variants:
            if variant.reference == reference:
                outside[variant] = outside_parts(variant.part.parts, landmarks)
    return measure_clip(clip, Workshop(variants, perception), outside, job.frames, job.sheets)


def main() -> int:
    options = arguments()
    clips = [clip for clip in sorted((options.media / "videos").iterdir()) if clip.suffix in (".mp4", ".mkv", ".mov")]
    if options.clips:
        clips = [clip for clip in clips if clip.stem in options.clips]
    if not clips:
        raise SystemExit(f"no clips to measure in {options.media / 'videos'}")
    sheets = None if options.no_sheets else options.out / "sheets"
    (sheets or options.out).mkdir(parents=True, exist_ok=True)
    methods = (options.method, *(() if options.no_baselines else BASELINES))
    threads = max(1, (os.cpu_count() or 1) // options.jobs)
    job = Job(tuple(options.parts), tuple(options.references), methods, options.frames, sheets, threads)
    console, rows = Console(width=230), []
    with ProcessPoolExecutor(options.jobs) as pool:
        for clip, found in zip(clips, pool.map(partial(measure, job), clips), strict=True):
            rows += found
            console.print(f"{clip.name}: {found[0].frames} frames, {found[0].face_lost} without a face")
            summary.write(rows, options.out)
    summary.show(rows, console)
    return 0 if all(verdict.passed for verdict in summary.verdicts(rows)) else 1


def arguments() -> argparse.Namespace:
    media = os.environ.get("FACELOOM_MEDIA")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=media and Path(media), required=media is None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="clips by name, without the ending")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--references", nargs="+", type=Path, default=REFERENCES, metavar="FILE")
    parser.add_argument("--method", default="multiband")
    parser.add_argument("--frames", type=int, metavar="N", help="measure only the first N frames of each clip")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="clips to measure at a time")
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--no-sheets", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
