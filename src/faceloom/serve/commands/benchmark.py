"""``faceloom benchmark``: build a benchmark of part transfer, and run methods over it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faceloom.errors import RecipeError
from faceloom.evaluate.benchmark.build import build_benchmark, needed_weights, rebuild_benchmark
from faceloom.evaluate.benchmark.manifest import PARTS, Manifest, Settings, read_manifest
from faceloom.evaluate.benchmark.methods import parse_methods
from faceloom.evaluate.benchmark.runner import run_benchmark
from faceloom.evaluate.benchmark.workers import default_jobs
from faceloom.run.recipe import parse_attribute
from faceloom.serve import show
from faceloom.serve.steps import resumable, step_progress
from faceloom.types import Attribute
from faceloom.weights import Store

app = typer.Typer(help="Build a benchmark of part transfer from videos, and run methods over it.", no_args_is_help=True)

Jobs = Annotated[int | None, typer.Option(min=1, help="Processes; default one per core.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
_NAMES = ",".join(PARTS)


@app.command("build")
def build(
    videos: Annotated[Path, typer.Argument(help="Folder of videos; FaceForensics++ is recognised by its layout.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make.")],
    targets: Annotated[int, typer.Option(min=1, help="Clips to edit, each of another person.")] = 100,
    refs_per_part: Annotated[int, typer.Option(min=1, help="Reference samples for each part.")] = 80,
    parts: Annotated[str, typer.Option(help="Parts, separated by commas.")] = _NAMES,
    min_frames: Annotated[int, typer.Option(min=2, help="Consecutive frames with one face; what a target has.")] = 120,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Side of the aligned crops, pixels.")] = 256,
    min_face: Annotated[float, typer.Option(min=0, help="Least mean side of a target's face, pixels.")] = 64,
    second_face: Annotated[
        float, typer.Option(min=0, max=0.99, help="Overlook other faces up to this share of the main one's size.")
    ] = 0.0,
    masks: Annotated[str, typer.Option(help="landmarks, or parser (a parsing network; needs torch).")] = "landmarks",
    portraits: Annotated[Path | None, typer.Option(help="Folder of pictures to take references from too.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every choice.")] = 0,
    manifest: Annotated[
        Path | None, typer.Option(help="Make the set of this manifest again; choose nothing anew.")
    ] = None,
    allow_fewer: Annotated[bool, typer.Option("--allow-fewer", help="Take what is there if it is too little.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the folder if it exists.")] = False,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Choose targets and references from VIDEOS: aligned, masked, filtered, reproducible by seed and manifest."""
    count = jobs or default_jobs()
    if manifest is not None:
        given = read_manifest(manifest)
        show.fetch(Store(), needed_weights(given.settings), quiet)
        with step_progress(quiet) as step:
            warnings = rebuild_benchmark(
                given, videos, out, portraits=portraits, jobs=count, overwrite=overwrite, progress=step
            )
        _conclude(given, warnings, out)
        return
    if masks not in ("landmarks", "parser"):
        raise RecipeError(f"--masks '{masks}' must be landmarks or parser")
    settings = Settings.model_validate(
        {
            "targets": targets,
            "refs_per_part": refs_per_part,
            "parts": parse_parts(parts),
            "min_frames": min_frames,
            "size": size + size % 2,
            "seed": seed,
            "min_face": min_face,
            "second_face": second_face,
            "masks": masks,
        }
    )
    show.fetch(Store(), needed_weights(settings), quiet)
    with step_progress(quiet) as step:
        made, warnings = build_benchmark(
            videos, out, settings, portraits=portraits, jobs=count, allow_fewer=allow_fewer, overwrite=overwrite,
            progress=step,
        )  # fmt: skip
    _conclude(made, warnings, out)


@app.command("run")
def run(
    bench: Annotated[Path, typer.Argument(help="Folder that `faceloom benchmark build` made.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; an old one is gone on with.")],
    methods: Annotated[
        str,
        typer.Option(
            help="Methods, separated by commas; options as name:key=value,key=value; vpartswap-ablations for a set."
        ),
    ] = "multiband,unwarped_paste,seamless_clone",
    parts: Annotated[str | None, typer.Option(help="Parts, separated by commas; default all of the benchmark.")] = None,
    references: Annotated[int, typer.Option(min=0, help="References for each target and part; 0 for all.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Edit only so many pairs of target and reference.")] = None,
    videos: Annotated[Path | None, typer.Option(help="Where the videos are now, if they were moved.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed items again.")] = False,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Edit every target by every method. Start it again after an interruption: finished items are kept."""
    specs = parse_methods(methods)
    with resumable(), step_progress(quiet) as step:
        done = run_benchmark(
            bench, out, specs, parts=parse_parts(parts) if parts else None, references=references, limit=limit,
            jobs=jobs or default_jobs(), videos=videos, retry_failed=retry_failed, progress=step,
        )  # fmt: skip
    for item, problem in done.errors.items():
        show.warning(f"{item}: {problem}")
    kept = f", {done.kept} kept from before" if done.kept else ""
    failed = f", {len(done.errors)} failed (--retry-failed tries them again)" if done.errors else ""
    show.out.print(f"{out}: {done.done} items made{kept}{failed}", markup=False)
    show.out.print(f"score them with: faceloom evaluate {out}", markup=False)


def parse_parts(text: str) -> tuple[Attribute, ...]:
    """``eyes,mouth`` as attributes. Raises RecipeError for words that are no facial part, or none."""
    found = tuple(dict.fromkeys(parse_attribute(word) for word in text.split(",") if word.strip()))
    if not found or any(part not in PARTS for part in found):
        raise RecipeError(f"--parts '{text}' must name some of {_NAMES}, separated by commas")
    return found


def _conclude(made: Manifest, warnings: list[str], out: Path) -> None:
    for message in warnings:
        show.warning(message)
    pools = ", ".join(f"{len(made.pool(part))} {part}" for part in made.settings.parts)
    show.out.print(f"{out}: {len(made.targets)} targets; references: {pools}", markup=False)
    show.note(made.rejected.tell())
