"""``faceloom train langbrt`` and ``faceloom train blemishes``: retouching by words."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from faceloom.errors import FaceError, RecipeError
from faceloom.serve import show
from faceloom.serve.commands.train import (
    MODEL,
    Aligned,
    Init,
    Quiet,
    changes,
    make_folder,
    need_torch,
    pack_folder,
    progress_bar,
)
from faceloom.serve.training import beginning, conclude, keep_earlier_run
from faceloom.weights import Store

if TYPE_CHECKING:
    from faceloom.train.blemishes.before_after import BeforeAfter
    from faceloom.train.blemishes.dataset import PaintedFaces
    from faceloom.train.langbrt import LangBRTTask
    from faceloom.train.langbrt_measures import RetouchedPair, RetouchMeasures
    from faceloom.train.langbrt_recipe import LangBRTRecipe

_MEASURED = 64
"""Held-out pairs that the limited-data table is made of."""


def langbrt(
    data: Annotated[Path, typer.Option(help="Folder of pictures, or of packed faces or pairs.")],
    recipe: Annotated[Path, typer.Option(help="TOML recipe, such as recipes/langbrt_small.toml.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for checkpoint, log and sheets.")],
    after: Annotated[
        Path | None,
        typer.Option(help="Folder of the same pictures retouched by hand; without it blemishes are painted."),
    ] = None,
    share: Annotated[
        float | None, typer.Option(min=0.0001, max=1, help="Part of the training faces to use, as in 0.05.")
    ] = None,
    limited_data: Annotated[
        bool, typer.Option("--limited-data", help="Train on 1, 5, 10, 20 and 100 % of the faces and compare.")
    ] = False,
    text_encoder: Annotated[
        Path | None, typer.Option(help="Folder with CLIP's text tower, instead of MiniLM; see docs/langbrt.md.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from last.ckpt in the output folder.")] = False,
    init: Init = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Training time in all, resumed runs too.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Pairs to see in all.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that paint.")] = None,
    device: Annotated[Literal["auto", "cpu"], typer.Option(help="Where to compute.")] = "auto",
    aligned: Aligned = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard events too.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train LangBRT, retouching by words; see docs/langbrt.md."""
    need_torch("accelerate", "tokenizers")
    from faceloom.train.langbrt_recipe import SHARES, LangBRTRecipe
    from faceloom.train.recipe import read_recipe_of

    if limited_data and share is not None:
        raise RecipeError("--limited-data chooses the shares itself; leave out --share")
    wanted = {
        **changes(minutes=minutes, samples=samples, seed=seed),
        "data": {} if share is None else {"share": share},
        "blemishes": {} if workers is None else {"workers": workers},
    }
    chosen = read_recipe_of(LangBRTRecipe, recipe, wanted)
    task = _task(chosen, text_encoder, quiet)
    packed = _packed(data, after, chosen, output, aligned=aligned, device=device, quiet=quiet)
    begin = beginning(init, quiet)
    how = {"resume": resume, "init": begin, "device": device, "tensorboard": tensorboard, "quiet": quiet}
    if not limited_data:
        _run(task, chosen, packed, output, **how)
        return
    rows = []
    for part in SHARES:
        folder = output / f"share_{round(100 * part):03}"
        section = chosen.data.model_copy(update={"share": part})
        own = chosen.model_copy(update={"data": section})
        if not quiet:
            show.note(f"{part:.0%} of the training faces")
        _run(task, own, packed, folder, **how)
        rows.append({"share": part, **_measured(task, own, packed, folder)})
    _write_table(output / "limited_data.csv", rows)


def blemishes(
    data: Annotated[Path, typer.Option(help="Folder of aligned pictures of clean faces.")],
    sheet: Annotated[Path, typer.Option(help="Picture to write: clean, painted, mask.")],
    kind: Annotated[
        list[str] | None, typer.Option(help="Kind to paint, as in 'acne'; may be repeated. Default: a random set.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=64, help="Faces.")] = 6,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Side of each picture, pixels.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the painting.")] = 0,
    severity: Annotated[float, typer.Option(min=0.05, max=1, help="With --kind: how severe.")] = 0.8,
    colour_skin: Annotated[bool, typer.Option("--colour-skin", help="Find skin without the face parser.")] = False,
    quiet: Quiet = False,
) -> None:
    """Paint blemishes onto faces, to look at what retouching is trained on."""
    if not colour_skin:
        need_torch()
    from faceloom.media import write_image
    from faceloom.methods.contract import suggest
    from faceloom.methods.langbrt.prompts import Blemish
    from faceloom.train.blemishes.anatomy import WEIGHTS, find_anatomy, perception_for_anatomy
    from faceloom.train.blemishes.sheet import blemish_sheet
    from faceloom.train.data.align import aligned_faces, picture_files

    known = {name.value: name for name in Blemish}
    for name in kind or ():
        if name not in known:
            raise RecipeError(f"unknown kind '{name}'{suggest(name, known)}; known are {', '.join(known)}")
    store = Store()
    show.fetch(store, WEIGHTS[:2] if colour_skin else WEIGHTS, quiet)
    perception = perception_for_anatomy(store)

    def found() -> Iterator[tuple[Any, Any]]:
        for path, _, image in aligned_faces(picture_files(data), size, None, show.warning):
            anatomy = find_anatomy(image, perception, parser=not colour_skin)
            if anatomy is None:
                show.warning(f"{path}: no face was found in it")
            else:
                yield image, anatomy

    faces = list(islice(found(), count))
    if not faces:
        raise FaceError(f"{data}: no face was found in any picture")
    write_image(sheet, blemish_sheet(faces, seed, [known[name] for name in kind or ()], severity), overwrite=True)
    show.out.print(f"{sheet}: {len(faces)} faces, painted")


def _task(recipe: LangBRTRecipe, folder: Path | None, quiet: bool) -> LangBRTTask:
    """``folder`` is that of the text encoder, None for MiniLM."""
    from faceloom.perceive.clip_text import ClipText
    from faceloom.perceive.text import MiniLM
    from faceloom.train.langbrt import LangBRTTask
    from faceloom.train.langbrt_weights import TRUNK, perceptual_trunk

    store = Store()
    with_trunk = recipe.retouch.perceptual != "none" and recipe.retouch.beta > 0
    show.fetch(store, [*(MiniLM.weights if folder is None else ()), *([TRUNK] if with_trunk else [])], quiet)
    encoder = MiniLM(store) if folder is None else ClipText(folder)
    return LangBRTTask(recipe, encoder, perceptual_trunk(store) if with_trunk else None)


def _packed(
    data: Path, after: Path | None, recipe: LangBRTRecipe, output: Path, *, aligned: bool, device: str, quiet: bool
) -> Path:
    """The folder of packed faces, with their anatomies; only one process makes them."""
    from accelerate import PartialState

    from faceloom.train.blemishes.anatomy import WEIGHTS, perception_for_anatomy
    from faceloom.train.blemishes.atlas import NAME, prepare_atlas
    from faceloom.train.blemishes.before_after import pack_before_after
    from faceloom.train.data.faces import PackedFaces
    from faceloom.train.data.pack import is_packed

    processes = PartialState(cpu=device == "cpu")
    with processes.main_process_first():
        packed = data if is_packed(data) else output / "faces"
        if not is_packed(packed):
            make_folder(output)
            if after is None:
                pack_folder(data, packed, recipe.sizes, recipe.data.hold_out, aligned, quiet)
            else:
                with progress_bar("packing pairs", quiet) as advance:
                    hold_out = recipe.data.hold_out
                    pack_before_after(data, after, packed, recipe.sizes, hold_out=hold_out, progress=advance)
        if not (packed / NAME).is_file():
            store, parser = Store(), recipe.blemishes.parser
            show.fetch(store, WEIGHTS if parser else WEIGHTS[:2], quiet)
            with progress_bar("looking for skin", quiet) as advance:
                prepare_atlas(PackedFaces(packed), perception_for_anatomy(store), parser=parser, progress=advance)
    return packed


def _pairs(packed: Path, recipe: LangBRTRecipe) -> PaintedFaces | BeforeAfter:
    from faceloom.train.blemishes.before_after import BeforeAfter, has_after
    from faceloom.train.blemishes.dataset import PaintedFaces

    share, flip = recipe.data.share, recipe.augment.flip
    if has_after(packed):
        return BeforeAfter(packed, share=share, flip=flip)
    return PaintedFaces(packed, share=share, flip=flip, workers=recipe.blemishes.workers)


def _run(task: LangBRTTask, recipe: LangBRTRecipe, packed: Path, output: Path, **how: Any) -> None:
    """Train, and write the model for use."""
    from faceloom.train.blemishes.dataset import PaintedFaces
    from faceloom.train.checkpoint import LAST
    from faceloom.train.langbrt_weights import export_langbrt
    from faceloom.train.loop import Trainer
    from faceloom.train.stop import StopRequest

    keep_earlier_run(output / LAST, how["resume"])
    quiet, pairs = how.pop("quiet"), _pairs(packed, recipe)
    try:
        trainer = Trainer(task, recipe, pairs, output, tell=(lambda line: None) if quiet else show.note, **how)
        with StopRequest() as stop:
            outcome = trainer.train(stop)
    finally:
        if isinstance(pairs, PaintedFaces):
            pairs.close()
    if not trainer.main:
        return
    conclude(output / LAST, outcome, stop.number, seen="pairs", held_out_loss="loss on held-out faces")
    export_langbrt(output / LAST, output / MODEL)
    show.out.print(f"{output / MODEL}: for use, half precision")


def _measured(task: LangBRTTask, recipe: LangBRTRecipe, packed: Path, folder: Path) -> dict[str, float]:
    """PSNR, SSIM and LPIPS of held-out pairs, as in the paper's table, and PSNR inside and outside the blemishes."""
    from faceloom.evaluate.metrics.images import ssim
    from faceloom.methods.langbrt.checkpoint import load_langbrt
    from faceloom.train.langbrt_measures import measure_retouching

    pairs, size = _pairs(packed, recipe), max(recipe.sizes)
    rows = pairs.held_out[:_MEASURED]
    if not len(rows):
        raise RecipeError("no faces are held out, so nothing can be measured; name some in data.hold_out")
    parts = (pairs.batch(size, rows[begin : begin + 8]) for begin in range(0, len(rows), 8))
    batches = ((part, task.examples(part)) for part in parts)
    found, pictures = measure_retouching(load_langbrt(folder / MODEL).model, batches)
    return {
        "psnr": found.psnr,
        "ssim": sum(ssim(one.retouched, one.target) for one in pictures) / len(pictures),
        "lpips": _lpips(pictures),
        **_inside(found),
    }


def _inside(found: RetouchMeasures) -> dict[str, float]:
    overlap = list(found.overlap.values())
    return {
        "psnr_inside": found.inside,
        "psnr_inside_before": found.inside_before,
        "psnr_outside": found.outside,
        "overlap": sum(overlap) / len(overlap) if overlap else float("nan"),
    }


def _lpips(pictures: Sequence[RetouchedPair]) -> float:
    from faceloom.evaluate.metrics.perceptual import lpips
    from faceloom.evaluate.networks import Networks

    store = Store()
    store.ensure(["lpips_alexnet", "lpips_lin_alex"])
    net = Networks(store).lpips("alex")
    return sum(lpips(net, one.retouched, one.target) for one in pictures) / len(pictures)


def _write_table(path: Path, rows: list[dict[str, float]]) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)
    table = Table(*rows[0], title="limited data")
    for row in rows:
        table.add_row(*(f"{value:.4g}" for value in row.values()))
    show.out.print(table)
