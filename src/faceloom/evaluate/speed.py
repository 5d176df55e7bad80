"""What an edit costs beside what it cannot do without: reading, finding the face, and writing."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceloom.evaluate.compute import NetworkUse, networks
from faceloom.media import ClipWriter, open_clip
from faceloom.media.reader import Seconds
from faceloom.methods.timing import Stage, recording
from faceloom.perceive import Perception
from faceloom.perceive.tracker import FaceTracker
from faceloom.run import Output, edit_clip, required_weights
from faceloom.run.ahead import ahead
from faceloom.run.report import StageTimes
from faceloom.types import Frame, Recipe
from faceloom.weights import Store


@dataclass(frozen=True)
class Timing:
    """Repeated runs of one job over the same frames: wall-clock seconds of each, and medians of its stages.

    Stages run side by side in several threads, so their sum may exceed the wall clock.
    """

    frames: int
    seconds: tuple[float, ...]
    stages: Mapping[str, float]

    @property
    def median(self) -> float:
        """Median wall clock, seconds."""
        return statistics.median(self.seconds)

    @property
    def fps(self) -> float:
        """Frames per second of the median run, start-up included."""
        return self.frames / self.median

    def describe(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "seconds": [round(value, 4) for value in self.seconds],
            "median_seconds": round(self.median, 4),
            "fps": round(self.fps, 2),
            "stage_seconds": {stage: round(value, 4) for stage, value in self.stages.items()},
        }


@dataclass(frozen=True)
class SpeedResult:
    """What an edit costs.

    alone         decode, landmarks and encode with no edit.
    edit          the whole job, of the same frames.
    stages        seconds of the stages that the method tells of, in the run of median length; one may lie in another.
    networks      what networks computed in that run, by the name of their stage.
    over_network  how many times as long the method took in that run as the forward passes of its costliest network
                  alone; None for a method without networks.
    """

    target: str
    width: int
    height: int
    frames: int
    alone: Timing
    edit: Timing
    stages: Mapping[str, float] = field(default_factory=dict)
    networks: Mapping[str, NetworkUse] = field(default_factory=dict)
    over_network: float | None = None

    @property
    def ratio(self) -> float:
        """How many times as long the edit takes as decode, landmarks and encode alone (medians)."""
        return self.edit.median / self.alone.median

    def describe(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "target": self.target,
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "cores": os.cpu_count(),
            "ratio": round(self.ratio, 3),
            "alone": self.alone.describe(),
            "edit": self.edit.describe(),
            "method_seconds": {name: round(seconds, 4) for name, seconds in self.stages.items()},
            "networks": {name: use.describe() for name, use in self.networks.items()},
            "over_network": None if self.over_network is None else round(self.over_network, 3),
        }


@dataclass(frozen=True)
class _Run:
    """One run of a job: wall clock, its stages, frames, and what the method recorded."""

    seconds: float
    stages: Mapping[str, float]
    frames: int
    recorded: Mapping[str, Stage] = field(default_factory=dict)


def measure_speed(
    recipe: Recipe,
    target: str | os.PathLike[str],
    *,
    repeats: int = 3,
    start: Seconds | None = None,
    end: Seconds | None = None,
    store: Store | None = None,
    started: Callable[[str], None] | None = None,
) -> SpeedResult:
    """Time both jobs ``repeats`` times in turn, after one unmeasured pass over the frames.

    Every run starts from nothing (networks loaded, reference prepared, file opened) and writes H.264 with the
    defaults of ``edit`` to a temporary folder, so ``fps`` is what a user gets. On a GPU the method's stages are waited
    for, one by one, which costs a little.

    Args:
        recipe: what to edit.
        target: video.
        repeats: runs of each job, at least 1.
        start, end: seconds of the target to use; None for its own start and end.
        started: called with a line of text when a run starts.

    Raises:
        FaceloomError: as ``run.edit_clip``. ValueError: ``repeats`` below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    store, tell = store or Store(), started or (lambda text: None)
    store.ensure(required_weights(recipe))
    alone: list[_Run] = []
    whole: list[_Run] = []
    with tempfile.TemporaryDirectory(prefix="faceloom-speed-") as folder:
        out = Path(folder) / f"out{Path(target).suffix}"
        tell("warming up")
        _alone(target, out, start, end, store)
        settings = Output(overwrite=True, start=start, end=end)
        for number in range(1, repeats + 1):
            tell(f"decode, landmarks, encode alone: run {number} of {repeats}")
            alone.append(_alone(target, out, start, end, store))
            tell(f"the whole edit: run {number} of {repeats}")
            begin = time.perf_counter()
            with recording() as recorded:
                report = edit_clip(recipe, target, out, settings, store=store)
            whole.append(_Run(time.perf_counter() - begin, report.stage_seconds, report.frames_read, recorded))
    with open_clip(target) as clip:
        info = clip.info
    return _result(str(target), (info.width, info.height), alone, whole)


def _result(target: str, size: tuple[int, int], alone: list[_Run], whole: list[_Run]) -> SpeedResult:
    middle = sorted(whole, key=lambda run: run.seconds)[len(whole) // 2]
    used = networks(middle.recorded)
    costliest = max((use.seconds for use in used.values()), default=0.0)
    return SpeedResult(
        target,
        *size,
        frames=whole[0].frames,
        alone=_timing(alone),
        edit=_timing(whole),
        stages={name: stage.seconds for name, stage in middle.recorded.items()},
        networks=used,
        over_network=middle.stages["edit"] / costliest if costliest else None,
    )


def _timing(runs: list[_Run]) -> Timing:
    stages = {stage: statistics.median(run.stages.get(stage, 0.0) for run in runs) for stage in runs[0].stages}
    return Timing(runs[0].frames, tuple(run.seconds for run in runs), stages)


def _alone(target: str | os.PathLike[str], out: Path, start: Seconds | None, end: Seconds | None, store: Store) -> _Run:
    """Read, follow faces and write the frames as they are."""
    begin, times, frames = time.perf_counter(), StageTimes(), 0
    with open_clip(target, start=start, end=end) as clip, ClipWriter.like(clip, out, overwrite=True) as sink:
        with times("prepare"):
            tracker = FaceTracker(Perception(store, threads=1))
        followed = ahead(_follow(clip, tracker, times), depth=4)
        try:
            for frame in followed:
                with times("write"):
                    sink.write(frame)
                frames += 1
        finally:
            followed.close()
    return _Run(time.perf_counter() - begin, times.seconds, frames)


def _follow(clip: Iterable[Frame], tracker: FaceTracker, times: StageTimes) -> Iterator[Frame]:
    source = iter(clip)
    while True:
        with times("decode"):
            frame = next(source, None)
        if frame is None:
            return
        with times("perceive"):
            tracker.update(frame)
        yield frame
