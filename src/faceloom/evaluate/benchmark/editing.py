"""One edit of a benchmark, written losslessly: installed methods as ``faceloom edit`` does, baselines in its loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faceloom.compose import paste
from faceloom.evaluate.benchmark.methods import MethodSpec
from faceloom.media import Clip, ClipWriter, open_clip
from faceloom.methods.contract import Method
from faceloom.perceive import FaceTracker, MotionMeter, Perception
from faceloom.run import Output, edit_clip, required_weights
from faceloom.run.pipeline import PERCEPTION
from faceloom.run.select import Selector
from faceloom.run.sources import load_sources
from faceloom.run.windows import Seen, scenes, window_length
from faceloom.types import Recipe
from faceloom.weights import Store


def edit_losslessly(spec: MethodSpec, recipe: Recipe, target: Path, out: Path, output: Output) -> dict[str, Any]:
    """Edit the span of ``target`` that ``output`` names and write FFV1 to ``out`` (.mkv).

    Returns:
        Plain values for the record of the item: frames read and edited, seconds, seconds by stage, warnings, weights.

    Raises:
        FaceloomError: as ``run.edit_clip``.
    """
    if spec.is_baseline:
        return _edit_by_baseline(spec.method(), recipe, target, out, output)
    report = edit_clip(recipe, target, out, output)
    return {
        "frames": report.frames_read,
        "frames_edited": report.frames_edited,
        "seconds": report.seconds,
        "stage_seconds": report.stage_seconds,
        "warnings": report.warnings,
        "weights": report.weights,
    }


def weights_of(spec: MethodSpec, recipe: Recipe) -> tuple[str, ...]:
    """Names of the weights that an edit needs."""
    return PERCEPTION if spec.is_baseline else required_weights(recipe)


def _edit_by_baseline(
    method_class: type[Method], recipe: Recipe, target: Path, out: Path, output: Output
) -> dict[str, Any]:
    begin, store, edited, frames = time.perf_counter(), Store(), 0, 0
    perception, method = Perception(store, threads=1), method_class(recipe.options)
    sources, warnings = load_sources(recipe, perception)
    prepared, selector = method.prepare(sources), Selector(recipe.face)
    with (
        open_clip(target, start=output.start, end=output.end) as clip,
        ClipWriter.like(clip, out, codec=output.codec, audio=False) as sink,
    ):
        length = window_length(clip.info.frame_bytes, method.context)
        for scene in scenes(_perceive(clip, perception), length, method.context):
            chosen = selector.choose(scene)
            patches = [method.apply(scene.window, scene.tracks[track], prepared) for track in chosen]
            core = scene.window.frames[scene.window.core]
            for position, frame in enumerate(core):
                result = paste(frame, [patch for own in patches for patch in own[position]], recipe.strength)
                sink.write(result)
                frames += 1
                edited += result.changed is not None
    return {
        "frames": frames,
        "frames_edited": edited,
        "seconds": round(time.perf_counter() - begin, 3),
        "stage_seconds": {},
        "warnings": warnings,
        "weights": {name: store.record(name).sha256 for name in PERCEPTION},
    }


def _perceive(clip: Clip, perception: Perception) -> Iterator[Seen]:
    tracker, meter = FaceTracker(perception), MotionMeter()
    for frame in clip:
        faces = tuple(tracker.update(frame))
        yield Seen(frame, faces, meter.update(frame.image, faces, tracker.new_shot), tracker.new_shot)
