"""``faceloom edit``: carry a recipe out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from faceloom.errors import MediaError, RecipeError, TruncatedMediaError
from faceloom.run import Output, Report, build_recipe, edit_clip, read_recipe, required_weights
from faceloom.run.recipe import parse_take
from faceloom.serve import show
from faceloom.serve.options import parse_options
from faceloom.types import Recipe
from faceloom.weights import Store


def edit(
    target: Annotated[Path, typer.Argument(help="Video or picture to edit.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    take: Annotated[
        list[str] | None,
        typer.Option(
            "--take",
            "-t",
            help="attribute=picture, e.g. mouth=ref.jpg; expression, pose and gaze also from clips. Repeat.",
        ),
    ] = None,
    retouch: Annotated[
        list[str] | None,
        typer.Option("--retouch", help="What is to go, in words, e.g. 'acne on the right cheek', or all. Repeat."),
    ] = None,
    show_mask: Annotated[
        Path | None, typer.Option("--show-mask", help="With --retouch: picture to write with where that is seen.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="Recipe file (TOML); flags override it.")] = None,
    method: Annotated[
        str | None, typer.Option(help="Method, see `faceloom methods`; auto is the same as naming none.")
    ] = None,
    strength: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="0 keeps the target, 1 edits fully.")] = None,
    face: Annotated[str | None, typer.Option(help="largest, all, or a track id of `faceloom inspect`.")] = None,
    reference_face: Annotated[
        int | None, typer.Option(min=1, help="Which face of a reference with several, counted from the left.")
    ] = None,
    occlusion: Annotated[
        str | None, typer.Option(help="colour, or parser to also ask a parsing network what covers the face (torch).")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of every stochastic step.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="name=value setting of the method.")] = None,
    steps_invert: Annotated[
        int | None, typer.Option(help="Same as --option steps_invert=N: steps from picture to noise.")
    ] = None,
    steps_render: Annotated[
        int | None, typer.Option(help="Same as --option steps_render=N: steps from noise to picture.")
    ] = None,
    codec: Annotated[str, typer.Option(help="h264, hevc, av1, vp9, prores, or ffv1 (lossless, .mkv).")] = "h264",
    crf: Annotated[int | None, typer.Option(help="Quality of the video, lower is better.")] = None,
    preset: Annotated[str | None, typer.Option(help="Speed preset of the encoder.")] = None,
    start: Annotated[float | None, typer.Option(help="Seconds: first moment to edit and keep.")] = None,
    end: Annotated[float | None, typer.Option(help="Seconds: end of what to edit and keep.")] = None,
    audio: Annotated[
        str, typer.Option(help="Whose sound to keep: target, or driver where a clip drives a picture.")
    ] = "target",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")] = False,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Accept a damaged video: edit what decodes.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write a JSON report here.")] = None,
    only_permissive: Annotated[
        bool, typer.Option("--only-permissive", help="Refuse weights whose licence restricts use.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Take attributes of the face from reference pictures, as in --take mouth=ref.jpg, or --retouch what words name."""
    steps = {"steps_invert": steps_invert, "steps_render": steps_render}
    wanted = _recipe(
        recipe,
        take or [],
        {
            "method": method,
            "strength": strength,
            "face": face,
            "reference_face": reference_face,
            "occlusion": occlusion,
            "seed": seed,
            "retouch": retouch or None,
            "options": _options(option or [], steps) or None,
        },
    )
    if audio not in ("target", "driver"):
        raise RecipeError(f"--audio '{audio}' must be target or driver")
    sound: Literal["target", "driver"] = "driver" if audio == "driver" else "target"
    settings = Output(codec, crf, preset, overwrite, start, end, allow_partial, audio=sound, show_mask=show_mask)
    result = run_edit(wanted, target, out, settings, Store(only_permissive=only_permissive), report, quiet)
    for line in retouch_notes(result):
        show.out.print(line, markup=False)
    show.out.print(summary(out, result), markup=False)


def run_edit(
    recipe: Recipe, target: Path, out: Path, settings: Output, store: Store, report: Path | None, quiet: bool
) -> Report:
    """Edit with progress bars, print the warnings, and write the report if one is wanted."""
    if report is not None and (not report.parent.is_dir() or report.is_dir()):
        raise MediaError(f"{report}: the report cannot be written there. Name a file in a folder that exists.")
    show.fetch(store, required_weights(recipe), quiet)
    try:
        with show.frame_progress(target.name, quiet) as progress:
            result = edit_clip(recipe, target, out, settings, store=store, progress=progress)
    except TruncatedMediaError as error:
        if error.report is not None:
            _conclude(error.report, report)
        raise
    _conclude(result, report)
    return result


def _conclude(result: Report, report: Path | None) -> None:
    for message in result.warnings:
        show.warning(message)
    if report is not None:
        result.write(report)


def summary(out: Path, report: Report) -> str:
    """One line on a finished run."""
    rate = report.frames_read / report.seconds if report.seconds else 0.0
    passed = f", {report.frames_passed} passed through" if report.frames_passed else ""
    return f"{out}: {report.frames_edited} of {report.frames_read} frames edited{passed}, {rate:.1f} frames/s"


def retouch_notes(report: Report) -> list[str]:
    """How retouch requests were understood, and where that is shown."""
    lines = [f"retouched: {', '.join(report.understood)}"] if report.understood else []
    return [*lines, report.mask] if report.mask else lines


def _recipe(path: Path | None, take: list[str], flags: dict[str, Any]) -> Recipe:
    """The recipe file with flags laid over it, or the flags alone."""
    given = {name: value for name, value in flags.items() if value is not None}
    pairs = [parse_take(text) for text in take]
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise RecipeError(f"--take names {max(names, key=names.count)} more than once; keep one of them")
    if path is None:
        return build_recipe({"take": dict(pairs), **given}, where="the command")
    base = read_recipe(path)
    if not pairs and not given:
        return base
    values = {
        "take": {attribute.value: str(source) for attribute, source in base.take.items()} | dict(pairs),
        "method": base.method,
        "strength": base.strength,
        "face": base.face,
        "reference_face": base.reference_face,
        "occlusion": base.occlusion,
        "seed": base.seed,
        "options": dict(base.options),
        "retouch": list(base.retouch),
    }
    merged = build_recipe(values | given, where=f"recipe {path} with the flags")
    return replace(merged, options={**base.options, **merged.options})


def _options(pairs: list[str], shorthands: dict[str, int | None]) -> dict[str, Any]:
    """``--option`` flags as a table; ``shorthands`` are options with a flag of their own, None where not given."""
    options = parse_options(pairs)
    for name, number in shorthands.items():
        if number is not None:
            if name in options:
                raise RecipeError(f"--option {name} and --{name.replace('_', '-')} set the same; keep one of them")
            options[name] = number
    return options
