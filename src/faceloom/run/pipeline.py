"""The one loop: a recipe and a clip in, an edited clip out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from faceloom import __version__
from faceloom.compose import behind, paste
from faceloom.errors import RecipeError, TruncatedMediaError
from faceloom.media import Clip, ClipInfo, ClipWriter, RepeatedPicture, open_clip, probe
from faceloom.media.output import PICTURES
from faceloom.media.reader import Seconds
from faceloom.methods.contract import Method, as_retoucher, make_method, needed_weights
from faceloom.perceive import FaceParser, Perception
from faceloom.perceive.motion import MotionMeter
from faceloom.perceive.occluders import occluder_matte
from faceloom.perceive.tracker import FaceTracker
from faceloom.run.ahead import ahead
from faceloom.run.mask_sheet import MaskSheet
from faceloom.run.motion import driving_info, is_motion
from faceloom.run.performance import DRIVING, compare_lengths
from faceloom.run.report import Report, StageTimes, describe_recipe, describe_track, versions
from faceloom.run.select import Selector, explain_nobody
from faceloom.run.sources import load_sources
from faceloom.run.windows import Scene, Seen, scenes, window_length
from faceloom.types import Attribute, Face, Frame, Patch, Recipe, Source
from faceloom.weights import Store

_OPENING = 4
"""Frames of a clip's first window."""
PERCEPTION = ("face_landmarker", "yunet", "sface")
"""Weights that every edit needs to find and follow faces."""

Progress = Callable[[int, int | None, int], None]
"""Called with frames done, frames expected (None if unknown) and frames in which the face was lost."""


@dataclass(frozen=True)
class Output:
    """How to write the result, and which part of the target to read.

    codec, crf, preset   as in ``media.ClipWriter.like``.
    overwrite            replace a file that is already there.
    start, end           seconds of the target to edit and keep; None for its own start and end.
    allow_partial        accept a damaged target: edit what decodes and do not raise.
    window               frames to edit at a time; None chooses by the size of a frame.
    audio                whose sound to keep: "target", or "driver" where a picture becomes a video.
    show_mask            picture to write with what a retouching method sees, see ``run.mask_sheet``.
    """

    codec: str = "h264"
    crf: int | None = None
    preset: str | None = None
    overwrite: bool = False
    start: Seconds | None = None
    end: Seconds | None = None
    allow_partial: bool = False
    window: int | None = None
    audio: Literal["target", "driver"] = "target"
    show_mask: Path | None = None


def required_weights(recipe: Recipe) -> tuple[str, ...]:
    """Names of the weights that carrying out this recipe needs. Raises RecipeError when no method can."""
    parser = FaceParser.weights if recipe.occlusion == "parser" else ()
    method = make_method(recipe)
    return (*PERCEPTION, *parser, *needed_weights(method))


def edit_clip(
    recipe: Recipe,
    target: str | os.PathLike[str],
    out: str | os.PathLike[str],
    output: Output | None = None,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Report:
    """Carry a recipe out on a video or picture.

    Raises:
        RecipeError: no method can do this, or it refuses an option.
        MediaError: the target, a reference or the output cannot be read or written.
        FaceError: no usable face in a reference, or the chosen face is nowhere in the target. Nothing is written.
        WeightsError: weights are missing and cannot be pulled.
        TruncatedMediaError: the target is damaged; what decodes was edited and written all the same, see its
            ``report``.
    """
    begin, settings, times = time.perf_counter(), output or Output(), StageTimes()
    store = store or Store()
    method, weights = make_method(recipe, store), required_weights(recipe)
    retoucher, sheet = as_retoucher(method), _mask_sheet(recipe, settings, (target, out))
    report = Report(str(target), str(out), describe_recipe(recipe), method.name, versions=versions())
    clip = _open_target(recipe, target, out, settings)
    with clip, _open_sink(clip, out, settings, provenance(recipe, method.name)) as sink:
        store.ensure(weights)
        # One thread: a second one makes a landmark a little faster and everything beside it slower.
        perception = Perception(store, threads=1)
        with times("prepare"):
            sources, report.warnings = load_sources(recipe, perception)
            report.warnings += _match_lengths(sources, clip)
            prepared = method.prepare(sources)
        if retoucher is not None:
            report.understood = list(retoucher.understood(prepared))
        parser = perception.parser if recipe.occlusion == "parser" else None
        run = _Run(recipe, method, prepared, FaceTracker(perception), parser, times, report, sheet)
        damage = run.edit(clip, sink, settings, progress)
        report.tracks = [describe_track(track) for track in run.tracker.tracks()]
        if not run.seen_tracks:
            raise explain_nobody(str(target), recipe.face, run.tracker.tracks())
        if retoucher is not None:
            report.warnings += retoucher.conclude(prepared, str(target))
        elif not report.frames_edited and recipe.strength > 0:
            report.warnings.append(f"{target}: the face is there, but what was to be edited is never in sight")
    if sheet is not None:
        sheet.write()
        report.mask = sheet.described
    report.truncated = clip.truncated
    report.seconds = round(time.perf_counter() - begin, 3)
    report.stage_seconds = {stage: round(spent, 3) for stage, spent in times.seconds.items()}
    report.weights = {name: store.record(name).sha256 for name in weights}
    if damage is not None:
        failure = TruncatedMediaError(f"{damage} The frames that decode were edited and written to {out}.")
        failure.report = report
        raise failure from damage
    return report


def _open_target(recipe: Recipe, target: str | os.PathLike[str], out: str | os.PathLike[str], settings: Output) -> Clip:
    """The target; a picture that is driven by a clip into a video is shown at the times of that clip."""
    driver = _driving_clip(recipe)
    if driver is not None and Path(out).suffix.lower() not in PICTURES and probe(target).kind == "image":
        if settings.start is not None or settings.end is not None:
            raise RecipeError(f"{target}: a picture has no duration to trim; trim its driver {driver.path} instead")
        if settings.audio == "driver" and is_motion(driver.path):
            raise RecipeError(f"{driver.path}: a motion template has no sound; leave out --audio")
        return RepeatedPicture(target, driver, sound=settings.audio == "driver")
    if settings.audio == "driver":
        raise RecipeError(
            "the driver's sound can be kept where a clip drives a picture and the output is a video; "
            "leave out --audio for any other edit"
        )
    return open_clip(target, start=settings.start, end=settings.end, allow_partial=settings.allow_partial)


def _mask_sheet(recipe: Recipe, settings: Output, others: Sequence[str | os.PathLike[str]]) -> MaskSheet | None:
    if settings.show_mask is None:
        return None
    if not recipe.retouch:
        raise RecipeError("there are detection maps to show only where something is retouched; leave out --show-mask")
    return MaskSheet(settings.show_mask, overwrite=settings.overwrite, others=[Path(other) for other in others])


def _driving_clip(recipe: Recipe) -> ClipInfo | None:
    paths = [path for attribute, path in recipe.take.items() if attribute in DRIVING]
    return next((info for info in map(driving_info, paths) if info.kind == "video"), None)


def _match_lengths(sources: Mapping[Attribute, Source], clip: Clip) -> list[str]:
    """Give a repeated picture the times of what drives it; else say which driving clips are longer or shorter."""
    driving = list({source.path: source for source in sources.values() if source.performance is not None}.values())
    if isinstance(clip, RepeatedPicture):
        clip.times = next(source.performance.times for source in driving if source.performance is not None)
    return [remark for source in driving for remark in compare_lengths(source, clip.info)]


def _open_sink(clip: Clip, out: str | os.PathLike[str], settings: Output, comment: str) -> ClipWriter:
    return ClipWriter.like(
        clip,
        out,
        codec=settings.codec,
        crf=settings.crf,
        preset=settings.preset,
        overwrite=settings.overwrite,
        metadata={"comment": comment},
    )


@dataclass(frozen=True, eq=False)
class _Run:
    """The moving parts of one edit."""

    recipe: Recipe
    method: Method
    prepared: Any
    tracker: FaceTracker
    parser: FaceParser | None
    times: StageTimes
    report: Report
    sheet: MaskSheet | None = None
    seen_tracks: set[int] = field(default_factory=set)

    def edit(
        self, clip: Clip, sink: ClipWriter, settings: Output, progress: Progress | None
    ) -> TruncatedMediaError | None:
        """Read, perceive, edit and write every frame. Returns the damage met on the way instead of raising it."""
        selector, frames = Selector(self.recipe.face), _UntilDamage(clip)
        length = settings.window or window_length(clip.info.frame_bytes, self.method.context)
        # As many frames as a window takes, so that perception does not wait while a window is edited.
        seen = ahead(self._perceive(frames), depth=length)
        try:
            for scene in scenes(seen, length, self.method.context, _OPENING):
                chosen = selector.choose(scene)
                for index, patches in self._patches(scene, chosen):
                    with self.times("compose"):
                        frame = paste(scene.window.frames[index], patches, self.recipe.strength)
                    with self.times("write"):
                        sink.write(frame)
                    self._count(scene, chosen, index, edited=frame.changed is not None)
                    if progress is not None:
                        progress(self.report.frames_read, clip.expected_frames, self.report.faces_lost)
        finally:
            seen.close()
        return frames.damage

    def _perceive(self, frames: Iterator[Frame]) -> Iterator[Seen]:
        meter = MotionMeter()
        while True:
            with self.times("decode"):
                frame = next(frames, None)
            if frame is None:
                return
            with self.times("perceive"):
                faces = self.tracker.update(frame)
            with self.times("motion"):
                motion = meter.update(frame.image, faces, self.tracker.new_shot)
            yield Seen(frame, tuple(faces), motion, self.tracker.new_shot)

    def _patches(self, scene: Scene, chosen: list[int]) -> Iterator[tuple[int, list[Patch]]]:
        """For each frame to edit, its index in the window and the patches of all chosen people."""
        with self.times("edit"):
            per_track = {track: self.method.apply(scene.window, scene.tracks[track], self.prepared) for track in chosen}
            self._show_maps(scene, chosen)
        core = range(*scene.window.core.indices(len(scene.window.frames)))
        for position, index in enumerate(core):
            frame = scene.window.frames[index]
            patches = [self._in_front(frame, scene.tracks[t][index], own[position]) for t, own in per_track.items()]
            yield index, [patch for own in patches for patch in own]

    def _show_maps(self, scene: Scene, chosen: list[int]) -> None:
        """Draw the maps of the first frame that shows a chosen face."""
        retoucher = as_retoucher(self.method)
        if self.sheet is None or self.sheet.drawn or retoucher is None:
            return
        for index in range(*scene.window.core.indices(len(scene.window.frames))):
            frame, faces = scene.window.frames[index], [scene.tracks[track][index] for track in chosen]
            maps = [retoucher.maps(frame, face, self.prepared) for face in faces if face is not None]
            if any(maps):
                self.sheet.draw(frame, [own for own in maps if own])
                return

    def _in_front(self, frame: Frame, face: Face | None, patches: list[Patch]) -> list[Patch]:
        """The patches of one face without what the parser, if one is used, sees in front of it."""
        if self.parser is None or face is None or not patches:
            return patches
        with self.times("parse"):
            box, occluder = occluder_matte(frame.image, face, self.parser)
        return [behind(patch, box, occluder) for patch in patches]

    def _count(self, scene: Scene, chosen: list[int], index: int, edited: bool) -> None:
        report = self.report
        report.frames_read += 1
        report.frames_edited += edited
        report.frames_passed += not edited
        here = [track for track in chosen if scene.tracks[track][index] is not None]
        self.seen_tracks.update(here)
        if edited:
            report.edited_tracks = sorted({*report.edited_tracks, *here})
        elif self.seen_tracks and not here:
            report.faces_lost += 1


class _UntilDamage:
    """Iterate a clip; where it turns out to be damaged, stop and keep the error for later."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self.damage: TruncatedMediaError | None = None

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        try:
            return next(self._clip)
        except TruncatedMediaError as error:
            self.damage = error
            raise StopIteration from None


def provenance(recipe: Recipe, method: str) -> str:
    """One sentence for the file's metadata that says that and how it was edited."""
    if recipe.retouch:
        asked = "; ".join(f"'{request}'" for request in recipe.retouch)
        return f"Edited with faceloom {__version__}: retouched {asked} (method {method})"
    taken = ", ".join(sorted(attribute.value for attribute in recipe.take))
    return f"Edited with faceloom {__version__}: {taken} taken from a reference picture (method {method})"
