"""``faceloom train cache3d`` and ``faceloom train unifacegan``: pack clips with their 3D faces, train the generator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from faceloom.serve import show
from faceloom.serve.commands.train import MODEL, Init, Quiet, changes, need_torch, progress_bar
from faceloom.serve.training import beginning, conclude, keep_earlier_run
from faceloom.weights import Store


def cache3d(
    folder: Annotated[Path, typer.Argument(help="Folder of videos, or of folders of frames, at any depth.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the packed clips; made if missing.")],
    size: Annotated[int, typer.Option(min=16, max=1024, help="Side of the frames in pixels.")] = 256,
    margin: Annotated[float, typer.Option(min=1.0, help="Side of what is cut out, in sides of the face.")] = 1.9,
    frames: Annotated[int | None, typer.Option(min=2, help="Most frames of a clip to take.")] = None,
    smallest: Annotated[
        float, typer.Option(min=0.0, help="Leave out faces enlarged by more than 1 over this number.")
    ] = 0.5,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Fit the 3D face model to every frame of clips and pack both; clips that are packed already are kept."""
    from faceloom.train.unifacegan.pack import PACK_WEIGHTS, PackOptions, pack_clips

    store = Store()
    show.fetch(store, PACK_WEIGHTS, quiet)
    options = PackOptions(size, margin, frames, smallest)
    with progress_bar("packing clips", quiet) as advance:
        entries = pack_clips(folder, output, options, store, workers=workers, complain=show.warning, progress=advance)
    pairs = sum(entry.pairs for entry in entries)
    show.out.print(f"{output}: {len(entries)} clips, {pairs} pairs of frames, at {size} pixels")


def unifacegan(
    data: Annotated[Path, typer.Option(help="Clips packed by `faceloom train cache3d`.")],
    recipe: Annotated[Path, typer.Option(help="TOML recipe, such as recipes/unifacegan_small.toml.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for checkpoint, log and sheets.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from last.ckpt in the output folder.")] = False,
    init: Init = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Training time in all, resumed runs too.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Episodes to see in all.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random.")] = None,
    device: Annotated[Literal["auto", "cpu"], typer.Option(help="Where to compute.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that render faces; all cores if left out.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard events too.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train UniFaceGAN; see docs/unifacegan.md."""
    need_torch("accelerate")
    from faceloom.perceive.morphable import MORPHABLE_WEIGHTS, read_morphable_model
    from faceloom.train.checkpoint import LAST
    from faceloom.train.loop import Trainer
    from faceloom.train.recipe import read_recipe_of
    from faceloom.train.stop import StopRequest
    from faceloom.train.unifacegan.export import export_model
    from faceloom.train.unifacegan.recipe import UniFaceGANRecipe
    from faceloom.train.unifacegan.samples import ClipSamples
    from faceloom.train.unifacegan.task import UniFaceGANTask

    chosen = read_recipe_of(UniFaceGANRecipe, recipe, changes(minutes=minutes, samples=samples, seed=seed))
    task = UniFaceGANTask(chosen)
    keep_earlier_run(output / LAST, resume)
    for line in task.advice:
        show.warning(line)
    store = Store()
    show.fetch(store, MORPHABLE_WEIGHTS, quiet)
    clips = ClipSamples(data, read_morphable_model(store), chosen, workers=workers or os.cpu_count() or 1)
    trainer = Trainer(
        task,
        chosen,
        clips,
        output,
        resume=resume,
        init=beginning(init, quiet),
        device=device,
        tensorboard=tensorboard,
        tell=(lambda line: None) if quiet else show.note,
    )
    with StopRequest() as stop:
        outcome = trainer.train(stop)
    if not trainer.main:
        return
    conclude(output / LAST, outcome, stop.number, seen="episodes", held_out_loss="reconstruction on held-out clips")
    export_model(output / LAST, output / MODEL)
    show.out.print(f"{output / MODEL}: embedder and generator for use, half precision")
