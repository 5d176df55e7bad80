"""Frames of a clip, the person in them, and what a method makes of both, all in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from faceloom.compose import paste
from faceloom.media import open_clip
from faceloom.methods.contract import choose
from faceloom.perceive import FaceTracker, MotionMeter, Perception
from faceloom.run.performance import ClipPerformance
from faceloom.run.select import Selector
from faceloom.run.windows import Seen, scenes
from faceloom.types import Attribute, Face, Frame, Image, Source, Window


@dataclass(frozen=True, eq=False)
class Footage:
    """Consecutive frames of one shot and the face of one person in them.

    measured  as the landmark network says, per frame; None where it is not seen.
    steady    the same without jitter, as methods are given it.
    """

    path: Path
    frames: list[Frame]
    measured: list[Face | None]
    steady: list[Face | None]

    def driver(self) -> Source:
        """The footage as a driving clip; raises ``ValueError`` where nobody is seen."""
        performance = ClipPerformance()
        for frame, face in zip(self.frames, self.steady, strict=True):
            performance.add(frame, face)
        seen = next((g for g in map(performance.glimpse, range(len(self.frames))) if g is not None), None)
        if seen is None:
            raise ValueError(f"{self.path}: nobody is seen in the first {len(self.frames)} frames")
        return Source(self.path, seen.image, seen.face, performance)


def read_footage(path: Path, most: int, perception: Perception) -> Footage:
    """The first ``most`` frames of a clip, at most up to its first cut."""
    with open_clip(path) as clip:
        return follow(path, islice(clip, most), perception)


def follow(path: Path, frames: Iterable[Frame], perception: Perception) -> Footage:
    """The most prominent face in ``frames``, up to the first cut."""
    tracker, meter = FaceTracker(perception), MotionMeter()
    seen: list[Seen] = []
    for frame in frames:
        faces = tracker.update(frame)
        if tracker.new_shot and seen:
            break
        seen.append(Seen(frame, tuple(faces), meter.update(frame.image, faces, tracker.new_shot)))
    (scene,) = scenes(seen, len(seen), 0)
    shot = [item.frame for item in seen]
    chosen = next(iter(Selector("largest").choose(scene)), None)
    if chosen is None:
        return Footage(path, shot, [None] * len(shot), [None] * len(shot))
    measured = [next((face for face in item.faces if face.track == chosen), None) for item in seen]
    return Footage(path, shot, measured, scene.tracks[chosen])


def look_again(pictures: Sequence[Image], like: Footage, perception: Perception) -> list[Face | None]:
    """The faces found in edited ``pictures``, by a tracker of their own, as measured."""
    shown = [replace(frame, image=picture, native=None) for frame, picture in zip(like.frames, pictures, strict=False)]
    found = follow(like.path, shown, perception).measured
    return found + [None] * (len(pictures) - len(found))


def apply(method: str, take: Mapping[Attribute, Source], frames: list[Frame], faces: list[Face | None]) -> list[Image]:
    """The pictures of ``frames`` edited as ``faceloom edit`` would."""
    made = choose(take, method)({})
    patches = made.apply(Window(frames, slice(0, len(frames)), True), faces, made.prepare(take))
    return [paste(frame, own).image for frame, own in zip(frames, patches, strict=True)]
