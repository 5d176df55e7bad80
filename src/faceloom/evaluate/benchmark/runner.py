"""Run methods over a benchmark: every item in a folder of its own, finished ones never done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceloom.errors import MediaError
from faceloom.evaluate.benchmark import export
from faceloom.evaluate.benchmark.editing import weights_of
from faceloom.evaluate.benchmark.errors import BenchmarkError
from faceloom.evaluate.benchmark.export import ItemRecord, RunRecord
from faceloom.evaluate.benchmark.files import check_hash, sha256_of
from faceloom.evaluate.benchmark.items import ItemJob, make_item, recipe_of
from faceloom.evaluate.benchmark.machine import describe_machine, source_commit
from faceloom.evaluate.benchmark.manifest import NAME, Manifest, read_manifest
from faceloom.evaluate.benchmark.methods import MethodSpec
from faceloom.evaluate.benchmark.plan import Pair, Work, plan_pairs
from faceloom.evaluate.benchmark.sources import recall
from faceloom.evaluate.benchmark.targets import TargetJob, export_target
from faceloom.evaluate.benchmark.workers import ordered
from faceloom.run.report import versions
from faceloom.types import Attribute
from faceloom.weights import Store

Progress = Callable[[str, int, int], None]
"""Called with what is going on, things done, and things to do."""


@dataclass(frozen=True)
class Summary:
    """``done`` and ``failed`` now, ``kept`` from earlier starts; ``errors`` of failed items, old and new, by item."""

    done: int
    failed: int
    kept: int
    errors: dict[str, str]


def run_benchmark(
    bench: Path,
    run: Path,
    methods: Sequence[MethodSpec],
    *,
    parts: Sequence[Attribute] | None = None,
    references: int = 1,
    limit: int | None = None,
    jobs: int = 1,
    videos: Path | None = None,
    retry_failed: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Edit every pair of ``plan.plan_pairs`` by every method and export the results to ``run`` (see ``export``).

    Start it again after an interruption, or with more methods, parts, references or a higher limit: what is there is
    kept. An item that fails is recorded with its error and stops nothing.

    Args:
        bench: folder of the benchmark.
        videos: where its videos are, if they are not where they were when it was built.
        retry_failed: try items again that failed before.

    Raises:
        MediaError: the benchmark, or a video of it, is missing or was changed; the message names the file.
        BenchmarkError: ``run`` was made from another benchmark, or parts that the benchmark does not have.
        RecipeError, WeightsError: a method cannot be used at all.
    """
    manifest, tell = read_manifest(bench), progress or (lambda what, done, total: None)
    place = recall(bench, "videos", videos)
    pairs = plan_pairs(manifest, parts, references, limit)
    _check_sources(manifest, bench, place, pairs)
    record = _record(manifest, bench, run, methods, pairs, references, limit)
    works = [Work(method, pair) for pair in pairs for method in methods if pair.part in method.method().takes]
    record = record.model_copy(update={"weights": record.weights | _fetch(works, bench)})
    run.mkdir(parents=True, exist_ok=True)
    export.write_record(run / export.RUN, record)
    _copy_references(pairs, bench, run)
    todo = [work for work in works if not _finished(run / work.folder, retry_failed)]
    problems = _export_targets(todo, manifest, run, place, jobs, tell)
    items = [
        ItemJob(work, place / work.pair.target.file, manifest.settings.size, bench, run, problems[work.pair.target.id])
        for work in todo
    ]
    failed = 0
    for number, done in enumerate(ordered(make_item, items, jobs), start=1):
        failed += done.status == "failed"
        tell("editing", number, len(items))
    return Summary(len(items) - failed, failed, len(works) - len(todo), _errors(run, works))


def _check_sources(manifest: Manifest, bench: Path, videos: Path, pairs: Sequence[Pair]) -> None:
    manifest.check_references(bench)
    for target in {pair.target.id: pair.target for pair in pairs}.values():
        check_hash(videos / target.file, target.sha256, "this benchmark")


def _record(
    manifest: Manifest,
    bench: Path,
    run: Path,
    methods: Sequence[MethodSpec],
    pairs: Sequence[Pair],
    references: int,
    limit: int | None,
) -> RunRecord:
    parts = tuple(dict.fromkeys(pair.part for pair in pairs))
    lacking = {method.text: tuple(part for part in parts if part not in method.method().takes) for method in methods}
    now = RunRecord(
        benchmark=sha256_of(bench / NAME),
        size=manifest.settings.size,
        seed=manifest.settings.seed,
        parts=parts,
        methods=tuple(method.text for method in methods),
        unsupported={method: parts for method, parts in lacking.items() if parts},
        references=references,
        limit=limit,
        machine=describe_machine(),
        commit=source_commit(),
        versions=versions(),
    )
    if not (run / export.RUN).is_file():
        if run.is_dir() and any(run.iterdir()):
            raise MediaError(f"{run}: is not empty and is no run of a benchmark; choose another folder")
        return now
    before = export.read_run(run)
    if before.benchmark != now.benchmark:
        raise BenchmarkError(f"{run}: was made from another benchmark than {bench}; choose another folder")
    merged = {
        "parts": tuple(dict.fromkeys([*before.parts, *now.parts])),
        "methods": tuple(dict.fromkeys([*before.methods, *now.methods])),
        "unsupported": {**before.unsupported, **now.unsupported},
        "weights": before.weights,
    }
    return now.model_copy(update=merged)


def _fetch(works: Sequence[Work], bench: Path) -> dict[str, str]:
    """Pull what the methods need before anything starts: processes must not all pull the same file."""
    store, names = Store(), set[str]()
    for work in works:
        names.update(weights_of(work.method, recipe_of(work, bench)))
    store.ensure(sorted(names))
    return {name: store.record(name).sha256 for name in sorted(names)}


def _copy_references(pairs: Sequence[Pair], bench: Path, run: Path) -> None:
    folder = run / "references"
    folder.mkdir(exist_ok=True)
    for reference in {pair.reference.id: pair.reference for pair in pairs}.values():
        for file, ending in ((reference.image, ".png"), (reference.mask, ".mask.png"), (reference.landmarks, ".npy")):
            if not (folder / f"{reference.id}{ending}").is_file():
                shutil.copyfile(bench / file, folder / f"{reference.id}{ending}")


def _finished(folder: Path, retry_failed: bool) -> bool:
    if not (folder / export.ITEM).is_file():
        return False
    return not retry_failed or export.read_record(folder / export.ITEM, ItemRecord).status == "done"


def _export_targets(
    works: Sequence[Work], manifest: Manifest, run: Path, videos: Path, jobs: int, tell: Progress
) -> dict[str, str]:
    """Export the targets that are not there yet: by target, what went wrong ("" for nothing)."""
    wanted: dict[str, set[Attribute]] = {}
    for work in works:
        wanted.setdefault(work.pair.target.id, set()).add(work.pair.part)
    by_id, todo = {target.id: target for target in manifest.targets}, []
    for name, parts in wanted.items():
        folder = run / "targets" / name
        there = {part for part in Attribute if export.mask_file(folder, part).is_file()}
        if not (folder / export.TARGET).is_file() or not parts <= there:
            target = by_id[name]
            every = tuple(sorted(parts | there))
            todo.append(TargetJob(target, videos / target.file, every, manifest.settings.size, folder))
    problems = dict.fromkeys(wanted, "")
    for number, (job, problem) in enumerate(zip(todo, ordered(export_target, todo, jobs), strict=True), start=1):
        problems[job.target.id] = problem
        tell("exporting targets", number, len(todo))
    return problems


def _errors(run: Path, works: Sequence[Work]) -> dict[str, str]:
    records = (export.read_record(run / work.folder / export.ITEM, ItemRecord) for work in works)
    return {f"{one.method} {one.id}": one.error for one in records if one.status == "failed"}
