"""How much of the landmarks' shift outside an edited part is the landmark network's own noise.

python benchmarks/landmark_floor.py --media DIR [--frames N]

Beside the shift that part_transfer.py measures, two others of the same frames: with the first frame of the clip itself
as the reference, so that the edit changes as little as it can; and of landmarks steadied in time as an edit steadies
them, in target and output alike, which leaves what does not vary from frame to frame.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from edited_frames import Variant, Workshop, nearest
from part_transfer import PARTS, REFERENCES

from faceloom.evaluate.motion import landmark_shift, outside_parts
from faceloom.media import open_clip, read_image
from faceloom.perceive import Perception, perceive_image
from faceloom.perceive.motion import MotionMeter
from faceloom.perceive.tracker import FaceTracker
from faceloom.run.windows import Seen, scenes
from faceloom.types import Attribute, Face, Frame
from faceloom.weights import Store

OWN = "the clip's first frame"


class _Follower:
    """Finds the face in one stream of frames."""

    def __init__(self, perception: Perception) -> None:
        self._tracker, self._meter = FaceTracker(perception), MotionMeter()
        self.seen: list[Seen] = []

    def look(self, frame: Frame) -> None:
        faces = tuple(self._tracker.update(frame))
        motion = self._meter.update(frame.image, faces, self._tracker.new_shot)
        small = Frame(frame.index, frame.time, frame.image[:0, :0])
        self.seen.append(Seen(small, faces, motion, self._tracker.new_shot))

    def steadied(self) -> list[list[Face]]:
        """Faces of each frame as an edit would see them."""
        faces: list[list[Face]] = []
        for scene in scenes(self.seen, len(self.seen), 0):
            for index in range(len(scene.window.frames)):
                here = (track[index] for track in scene.tracks.values())
                faces.append([face for face in here if face is not None])
        return faces


def measure(clip: Path, frames: int | None, perception: Perception) -> dict[Variant, tuple[float, float]]:
    """Mean shift outside the part, as measured and steadied, in shares of the inter-ocular distance."""
    with TemporaryDirectory() as folder:
        own = Path(folder) / "own.png"
        with open_clip(clip) as opened:
            cv2.imwrite(str(own), next(iter(opened)).image[..., ::-1])
        references = (own, *REFERENCES)
        variants = [Variant(Attribute(part), path, "multiband") for part in PARTS for path in references]
        outside = {
            variant: outside_parts(variant.part.parts, perceive_image(read_image(path), perception)[0].landmarks)
            for path in references
            for variant in variants
            if variant.reference == path
        }
        workshop, target = Workshop(variants, perception), _Follower(perception)
        followers = {variant: _Follower(perception) for variant in variants}
        for shown in workshop.frames(clip, frames):
            target.look(shown.target)
            for variant, follower in followers.items():
                follower.look(shown.outputs[variant])
    raw, steady = [list(item.faces) for item in target.seen], target.steadied()
    return {
        variant: (
            _shift(raw, [list(item.faces) for item in follower.seen], outside[variant]),
            _shift(steady, follower.steadied(), outside[variant]),
        )
        for variant, follower in followers.items()
    }


def _shift(target: Sequence[Sequence[Face]], output: Sequence[Sequence[Face]], outside: np.ndarray) -> float:
    shifts = []
    for faces, others in zip(target, output, strict=True):
        face = max(faces, key=lambda face: face.box.area, default=None)
        other = face and nearest(others, face)
        if face is not None and other is not None:
            shifts.append(landmark_shift(face.landmarks, other.landmarks)[outside].mean())
    return float(np.mean(shifts)) if shifts else float("nan")


def main() -> int:
    media = os.environ.get("FACELOOM_MEDIA")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=media and Path(media), required=media is None)
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="of each clip, from its beginning")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    perception = Perception(Store(), threads=1)
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for clip in sorted((options.media / "videos").glob("*.mp4")):
        for variant, shifts in measure(clip, options.frames, perception).items():
            name = OWN if variant.reference.stem == "own" else variant.reference.stem
            found[variant.part.value, name].append(shifts)
        print(f"{clip.name} measured", flush=True)
    print("| part | reference | as measured, median (worst clip) | steadied in time |\n|---|---|---|---|")
    for (part, name), shifts in found.items():
        cells = (f"{100 * median(column):.2f} ({100 * max(column):.2f})" for column in zip(*shifts, strict=True))
        print(f"| {part} | {name} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
