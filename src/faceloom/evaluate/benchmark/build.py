"""Build a benchmark of facial part transfer from a folder of videos.

Source: V-PartSwap, section 4.1 (targets: clips with enough consecutive frames; a pool of aligned reference samples per
part from other identities, with mask and landmarks, filtered for blur, truncated masks and extreme expressions).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from faceloom.errors import MediaError
from faceloom.evaluate.benchmark.choose import Collector, Pick, shuffled
from faceloom.evaluate.benchmark.errors import BenchmarkError
from faceloom.evaluate.benchmark.files import check_hash, check_new_folder, whole_folder
from faceloom.evaluate.benchmark.manifest import Manifest, Reference, Settings, Source
from faceloom.evaluate.benchmark.quality import thresholds
from faceloom.evaluate.benchmark.samples import Sample, SampleJob, crop_of, write_samples
from faceloom.evaluate.benchmark.scan import ScanJob, scan
from faceloom.evaluate.benchmark.sources import list_pictures, list_videos, remember
from faceloom.evaluate.benchmark.workers import ordered
from faceloom.perceive import SAME_PERSON, FaceParser
from faceloom.run.report import versions
from faceloom.types import Attribute, Crop
from faceloom.weights import Store

Progress = Callable[[str, int, int], None]
"""Called with what is going on, things done, and things to do at most."""


def needed_weights(settings: Settings) -> tuple[str, ...]:
    """Names of the weights that building needs."""
    return ("face_landmarker", "yunet", "sface", *(FaceParser.weights if settings.masks == "parser" else ()))


def build_benchmark(
    videos: Path,
    out: Path,
    settings: Settings,
    *,
    portraits: Path | None = None,
    jobs: int = 1,
    allow_fewer: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Manifest, list[str]]:
    """Choose targets and references and write them to the folder ``out``: the manifest, and warnings.

    Files are looked at in an order drawn from ``settings.seed`` until there is enough of everything, so a large
    collection is not read to its end. The result does not depend on ``jobs``.

    Args:
        videos: folder, see ``sources.list_videos``.
        portraits: folder of pictures that references may come from too, when the videos give too few.
        allow_fewer: take what is there instead of raising, as long as there is one target and one reference a part.

    Raises:
        BenchmarkError: no videos, or too few targets or references; the message has the counts and the reasons.
        MediaError: a folder is missing, or ``out`` is not empty.
        WeightsError: weights are missing and cannot be pulled.
    """
    tell = progress or (lambda what, done, total: None)
    check_new_folder(out, overwrite)
    places = _places(videos, portraits)
    listing = {"videos": list_videos, "portraits": list_pictures}
    files = {source: listing[source](place) for source, place in places.items()}
    scans = [
        ScanJob(places[source] / file, file, source, settings)
        for source, names in files.items()
        for file in shuffled(names, settings.seed)
    ]
    store = Store()
    store.ensure(needed_weights(settings))
    collector = _collect(scans, settings, jobs, tell)
    picks = {part: collector.picks(part) for part in settings.parts}
    warnings = _check_counts(collector, picks, videos, len(scans), allow_fewer)
    with whole_folder(out) as folder:
        references = _write_references(picks, settings, folder, jobs, tell)
        manifest = Manifest(
            settings=settings,
            targets=tuple(collector.targets),
            references=references,
            rejected=collector.rejected(),
            thresholds={"same person": SAME_PERSON, **thresholds()},
            versions=versions(),
            weights={name: store.record(name).sha256 for name in needed_weights(settings)},
        )
        manifest.write(folder)
        remember(folder, out, places)
    return manifest, warnings


def rebuild_benchmark(
    manifest: Manifest,
    videos: Path,
    out: Path,
    *,
    portraits: Path | None = None,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[str]:
    """Make the set that a manifest describes from its sources; nothing is chosen anew. Returns warnings.

    Raises:
        MediaError: a source is missing or is not the file that the manifest was made with (its SHA-256 differs).
    """
    tell = progress or (lambda what, done, total: None)
    check_new_folder(out, overwrite)
    places = _places(videos, portraits)
    check_sources(manifest, places)
    Store().ensure(needed_weights(manifest.settings))
    by_file: dict[Path, list[Sample]] = {}
    for one in manifest.references:
        sample = Sample(one.id, one.part, one.frame, crop_of(one.crop, manifest.settings.size))
        by_file.setdefault(places[one.source] / one.file, []).append(sample)
    with whole_folder(out) as folder:
        written = _cut(by_file, manifest.settings, folder, jobs, tell)
        changed = [one.id for one in manifest.references if written[one.id] != one.files]
        fresh = tuple(one.model_copy(update={"files": written[one.id]}) for one in manifest.references)
        manifest.model_copy(update={"references": fresh}).write(folder)
        remember(folder, out, places)
    if not changed:
        return []
    return [
        f"{len(changed)} of {len(written)} references differ in their bytes from the manifest's "
        f"({', '.join(changed[:5])}{', ...' if len(changed) > 5 else ''}): other versions decoded or encoded them; the "
        "sources are the same"
    ]


def _places(videos: Path, portraits: Path | None) -> dict[Source, Path]:
    return {"videos": videos} if portraits is None else {"videos": videos, "portraits": portraits}


def check_sources(manifest: Manifest, places: dict[Source, Path]) -> None:
    """Raise MediaError, naming the file, unless every source of a manifest is there and has its SHA-256."""
    wanted: dict[Path, str] = {places["videos"] / target.file: target.sha256 for target in manifest.targets}
    for reference in manifest.references:
        if reference.source not in places:
            raise MediaError("the manifest takes references from portraits; say where they are: --portraits DIR")
        wanted[places[reference.source] / reference.file] = reference.sha256
    for path, expected in wanted.items():
        check_hash(path, expected, "this benchmark")


def _collect(scans: Sequence[ScanJob], settings: Settings, jobs: int, tell: Progress) -> Collector:
    collector = Collector(settings)
    with closing(ordered(scan, scans, jobs)) as results:
        for number, result in enumerate(results, start=1):
            collector.add(result)
            tell("looking at videos and portraits", number, len(scans))
            if collector.complete:
                break
    return collector


def _check_counts(
    collector: Collector, picks: dict[Attribute, list[Pick]], videos: Path, files: int, allow_fewer: bool
) -> list[str]:
    settings = collector.settings
    short = []
    if len(collector.targets) < settings.targets:
        short.append(f"{len(collector.targets)} of {settings.targets} targets")
    for part, own in picks.items():
        if len(own) < settings.refs_per_part:
            short.append(f"{len(own)} of {settings.refs_per_part} {part} references")
    if not short:
        return []
    text = f"{videos}: only {', '.join(short)} were found in {files} files; {collector.rejected().tell()}"
    if not allow_fewer or not collector.targets or not all(picks.values()):
        raise BenchmarkError(
            f"{text}. Give more videos or --portraits, lower --targets, --refs-per-part, --min-frames or --min-face"
            + ("" if allow_fewer else ", or take what is there with --allow-fewer")
        )
    return [text]


def _write_references(
    picks: dict[Attribute, list[Pick]], settings: Settings, folder: Path, jobs: int, tell: Progress
) -> tuple[Reference, ...]:
    numbered = [
        (pick, Sample(f"{part}-{number:03d}", part, pick.candidate.frame, pick.candidate.crop))
        for part, own in picks.items()
        for number, pick in enumerate(own, start=1)
    ]
    by_file: dict[Path, list[Sample]] = {}
    for pick, sample in numbered:
        by_file.setdefault(pick.scan.job.path, []).append(sample)
    written = _cut(by_file, settings, folder, jobs, tell)
    return tuple(_reference(pick, sample, written[sample.id]) for pick, sample in numbered)


def _cut(
    by_file: dict[Path, list[Sample]], settings: Settings, folder: Path, jobs: int, tell: Progress
) -> dict[str, dict[str, str]]:
    work = [SampleJob(path, tuple(samples), settings, folder) for path, samples in by_file.items()]
    written: dict[str, dict[str, str]] = {}
    for number, done in enumerate(ordered(write_samples, work, jobs), start=1):
        written |= done
        tell("cutting references", number, len(work))
    return written


def _reference(pick: Pick, sample: Sample, files: dict[str, str]) -> Reference:
    image, mask, landmarks = sample.names
    return Reference(
        id=sample.id,
        part=sample.part,
        source=pick.scan.job.source,
        file=pick.scan.job.file,
        sha256=pick.scan.sha256,
        frame=sample.frame,
        crop=_six(sample.crop),
        quality={name: round(value, 4) for name, value in pick.candidate.quality[sample.part].items()},
        likeness=round(pick.likeness, 4),
        image=image,
        mask=mask,
        landmarks=landmarks,
        files=files,
    )


def _six(crop: Crop) -> tuple[float, float, float, float, float, float]:
    a, b, c, d, e, f = (float(value) for value in crop.matrix.ravel())
    return a, b, c, d, e, f
