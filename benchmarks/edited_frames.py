"""Edit a clip with many recipes at once, in memory: perception is done once, nothing is written."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faceloom.compose import paste
from faceloom.evaluate.baselines import SeamlessClone, UnwarpedPaste
from faceloom.media import Clip, open_clip
from faceloom.methods.contract import Method, choose
from faceloom.perceive import Perception
from faceloom.perceive.motion import MotionMeter
from faceloom.perceive.tracker import FaceTracker
from faceloom.run.select import Selector
from faceloom.run.sources import load_sources
from faceloom.run.windows import Seen, scenes, window_length
from faceloom.types import Attribute, Face, Frame, Recipe

BASELINES: dict[str, type[Method]] = {method.name: method for method in (UnwarpedPaste, SeamlessClone)}


@dataclass(frozen=True)
class Variant:
    """One way of editing: which part, from which reference, by which method."""

    part: Attribute
    reference: Path
    method: str

    @property
    def is_baseline(self) -> bool:
        """True for what the methods are compared with."""
        return self.method in BASELINES


@dataclass(frozen=True, eq=False)
class Shown:
    """One frame of the target with what every variant made of it.

    face      the chosen face with smoothed landmarks, as methods see it; None where it is not in sight.
    measured  the same face with landmarks as measured.
    cut       True where a shot begins: there is no motion from the frame before to this one.
    """

    target: Frame
    face: Face | None
    measured: Face | None
    outputs: dict[Variant, Frame]
    cut: bool


class Workshop:
    """All variants, prepared once, to be applied to clip after clip.

    seconds  per variant, time spent editing and pasting in the current clip; ``perceiving``, decoding and perception.
    """

    def __init__(self, variants: Sequence[Variant], perception: Perception) -> None:
        self.perception = perception
        self.variants = list(variants)
        self._prepared = {variant: self._prepare(variant) for variant in variants}
        self.seconds: dict[Variant, float] = {}
        self.perceiving = 0.0

    def frames(self, path: Path, most: int | None = None) -> Iterator[Shown]:
        """Edit the first ``most`` frames of a clip (None: all) by every variant, as ``faceloom edit`` would."""
        self.seconds, self.perceiving = dict.fromkeys(self.variants, 0.0), 0.0
        context = max(method.context for method, _ in self._prepared.values())
        selector = Selector("largest")
        with open_clip(path) as clip:
            length = window_length(clip.info.frame_bytes, context)
            watched = _Watched()
            for scene in scenes(watched.keep(self._perceive(clip, most)), length, context):
                chosen = next(iter(selector.choose(scene)), None)
                frames, core = scene.window.frames, range(*scene.window.core.indices(len(scene.window.frames)))
                faces = scene.tracks[chosen] if chosen is not None else [None] * len(frames)
                patches = {}
                for variant, (method, prepared) in self._prepared.items():
                    begin = time.perf_counter()
                    patches[variant] = method.apply(scene.window, faces, prepared)
                    self.seconds[variant] += time.perf_counter() - begin
                for position, index in enumerate(core):
                    outputs = {}
                    for variant in self.variants:
                        begin = time.perf_counter()
                        outputs[variant] = paste(frames[index], patches[variant][position])
                        self.seconds[variant] += time.perf_counter() - begin
                    seen = watched.take(frames[index].index)
                    measured = next((face for face in seen.faces if face.track == chosen), None)
                    yield Shown(frames[index], faces[index], measured, outputs, seen.cut)

    def _prepare(self, variant: Variant) -> tuple[Method, Any]:
        recipe = Recipe({variant.part: variant.reference}, method=variant.method)
        method = BASELINES.get(variant.method) or choose(recipe.take, variant.method)
        sources, _ = load_sources(recipe, self.perception)
        made = method({})
        return made, made.prepare(sources)

    def _perceive(self, clip: Clip, most: int | None) -> Iterator[Seen]:
        tracker, meter = FaceTracker(self.perception), MotionMeter()
        frames = itertools.islice(clip, most)
        while True:
            begin = time.perf_counter()
            frame = next(frames, None)
            faces = tuple(tracker.update(frame)) if frame is not None else ()
            motion = meter.update(frame.image, faces, tracker.new_shot) if frame is not None else {}
            self.perceiving += time.perf_counter() - begin
            if frame is None:
                return
            yield Seen(frame, faces, motion, tracker.new_shot)


class _Watched:
    """Remembers what was measured in the frames that are read ahead, until they are shown."""

    def __init__(self) -> None:
        self._ahead: dict[int, Seen] = {}

    def keep(self, seen: Iterator[Seen]) -> Iterator[Seen]:
        for item in seen:
            self._ahead[item.frame.index] = item
            yield item

    def take(self, index: int) -> Seen:
        return self._ahead.pop(index)


def nearest(faces: Sequence[Face], to: Face) -> Face | None:
    """The face whose landmarks lie nearest to those of ``to``, or None when there is none."""
    return min(faces, key=lambda face: float(np.abs(face.landmarks - to.landmarks).mean()), default=None)
