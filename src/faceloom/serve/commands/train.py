"""``faceloom train``: make faces, pack pictures, train models."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from faceloom.errors import FaceError, FaceloomError, MediaError, RecipeError
from faceloom.perceive import Perception, still_weights
from faceloom.serve import show
from faceloom.serve.training import beginning, conclude, keep_earlier_run
from faceloom.weights import Store

app = typer.Typer(help="Train models on faces of your own, or on generated ones.", no_args_is_help=True)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while working.")]
Aligned = Annotated[bool, typer.Option("--aligned", help="Every picture is one aligned face already.")]
Init = Annotated[
    Path | None,
    typer.Option(
        help="Weights to begin with: a checkpoint, a model.safetensors for use, or one by name (faceloom weights list)."
    ),
]
MODEL = "model.safetensors"
"""Name of the file with the finished model."""
_LARGEST = 1024


@app.command()
def faces(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures; made if missing.")],
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="The faces have this seed and the ones that follow.")] = 0,
    size: Annotated[int, typer.Option(min=16, max=_LARGEST, help="Side in pixels.")] = 256,
    truncation: Annotated[
        tuple[float, float], typer.Option(help="Range of the distance from the mean face; 1 is full variety.")
    ] = (0.55, 0.85),
    quiet: Quiet = False,
) -> None:
    """Generate FFHQ-aligned faces of people who do not exist; faces already in the folder are kept."""
    need_torch()
    from faceloom.media import write_image
    from faceloom.train.data.generate import WEIGHTS, FaceGenerator, file_of
    from faceloom.train.devices import best_device

    store = Store()
    show.fetch(store, WEIGHTS, quiet)
    licence = store.record(WEIGHTS[-1]).licence
    make_folder(output)
    wanted = [number for number in range(seed, seed + count) if not file_of(output, number).exists()]
    device = best_device()
    generator = FaceGenerator(store, device)
    with progress_bar("generating faces", quiet) as advance:
        made = generator.faces(wanted, size, truncation, batch=1 if device.type == "cpu" else 8)
        for done, (number, picture) in enumerate(made, 1):
            about = {"description": f"synthetic face, MobileStyleGAN, seed {number}; {licence}"}
            write_image(file_of(output, number), picture, about)
            advance(done, len(wanted))
    show.out.print(f"{output}: {len(wanted)} faces generated, {count - len(wanted)} were there ({licence})")


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures, at any depth.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the packed faces; made if missing.")],
    size: Annotated[list[int], typer.Option(min=8, max=_LARGEST, help="Side in pixels; may be repeated.")],
    hold_out: Annotated[
        list[str] | None, typer.Option(help="Names of pictures not to train on, as in 'portrait_9*'; may be repeated.")
    ] = None,
    aligned: Aligned = False,
    quiet: Quiet = False,
) -> None:
    """Find and align the faces of all pictures, and pack them for training."""
    pack_folder(folder, output, sorted(set(size)), hold_out or [], aligned, quiet)


@app.command()
def diffae(
    data: Annotated[Path, typer.Option(help="Folder of pictures, or of faces packed by `faceloom train pack`.")],
    recipe: Annotated[Path, typer.Option(help="TOML recipe, such as recipes/diffae_small128.toml.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for checkpoint, log and sheets.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from last.ckpt in the output folder.")] = False,
    init: Init = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Training time in all, resumed runs too.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Pictures to see in all.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random.")] = None,
    device: Annotated[Literal["auto", "cpu"], typer.Option(help="Where to compute.")] = "auto",
    aligned: Aligned = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard events too.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a diffusion autoencoder; see docs/train.md."""
    need_torch("accelerate")
    from accelerate import PartialState

    from faceloom.methods.vpartswap.checkpoint import convert
    from faceloom.train.checkpoint import LAST
    from faceloom.train.data.faces import PackedFaces
    from faceloom.train.data.pack import is_packed
    from faceloom.train.diffae import DiffAETask
    from faceloom.train.loop import Trainer
    from faceloom.train.recipe import read_training_recipe
    from faceloom.train.stop import StopRequest

    chosen = read_training_recipe(recipe, changes(minutes=minutes, samples=samples, seed=seed))
    task = DiffAETask(chosen)
    keep_earlier_run(output / LAST, resume)
    for line in task.advice:
        show.warning(line)
    if not is_packed(data):
        packed, processes = output / "faces", PartialState(cpu=device == "cpu")
        with processes.main_process_first():  # one process packs, the others find it done
            if processes.is_main_process and not (resume and is_packed(packed)):
                make_folder(output)
                pack_folder(data, packed, chosen.sizes, chosen.data.hold_out, aligned, quiet)
        data = packed
    trainer = Trainer(
        task,
        chosen,
        PackedFaces(data),
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
    conclude(output / LAST, outcome, stop.number, seen="pictures", held_out_loss="loss on held-out faces")
    convert(output / LAST, output / MODEL)
    show.out.print(f"{output / MODEL}: for use, half precision")


@app.command()
def reconstruct(
    checkpoint: Annotated[Path, typer.Argument(help="Diffusion autoencoder: .ckpt or .safetensors.")],
    data: Annotated[Path, typer.Option(help="Folder of pictures that it was not trained on.")],
    steps: Annotated[list[int] | None, typer.Option(help="Steps of inversion and rendering; may be repeated.")] = None,
    count: Annotated[int, typer.Option(min=2, help="Faces to use, at most.")] = 24,
    aligned: Aligned = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure how well faces come back from inversion and rendering, and how much the code decides."""
    need_torch()
    from faceloom.methods.vpartswap.checkpoint import load_checkpoint
    from faceloom.train.data.faces import read_faces
    from faceloom.train.devices import best_device
    from faceloom.train.reconstruction import reconstruction_report

    loaded, device = load_checkpoint(checkpoint), best_device()
    pictures = read_faces(data, loaded.config.image_size, count, _perception(aligned, quiet), show.warning)
    if len(pictures) < 2:
        raise FaceError(f"{data}: has fewer than two faces; codes cannot be swapped")
    model = loaded.model.to(device)
    try:
        results = reconstruction_report(model, loaded.schedule, pictures.to(device), steps or (20, 100))
    except ValueError as error:
        raise RecipeError(str(error)) from error
    if as_json:
        typer.echo(json.dumps([asdict(result) for result in results], indent=2))
        return
    table = Table("steps", "PSNR dB", "worst dB", "tint /255", "change by code /255", title=f"{len(pictures)} faces")
    for result in results:
        figures = (result.psnr, result.worst_psnr, result.tint, result.swap)
        table.add_row(str(result.steps), *(f"{figure:.2f}" for figure in figures))
    show.out.print(table)


def changes(**flags: Any) -> Mapping[str, Mapping[str, Any]]:
    """Flags that were given, as changes of the recipe's section ``run``. A length replaces the recipe's."""
    given = {name: value for name, value in flags.items() if value is not None}
    if "minutes" in given or "samples" in given:
        given = {"minutes": None, "samples": None} | given
    return {"run": given}


def pack_folder(
    folder: Path, output: Path, sizes: list[int] | tuple[int, ...], hold_out: Any, aligned: bool, quiet: bool
) -> None:
    """Pack a folder of pictures, and say what came of it."""
    from faceloom.train.data.pack import pack_faces

    with progress_bar("packing faces", quiet) as advance:
        entries = pack_faces(
            folder,
            output,
            sizes,
            perception=_perception(aligned, quiet),
            hold_out=hold_out,
            complain=show.warning,
            progress=advance,
        )
    held_out = sum(entry.held_out for entry in entries)
    show.out.print(
        f"{output}: {len(entries) - held_out} faces for training, {held_out} held out, at "
        f"{', '.join(map(str, sizes))} pixels"
    )


def _perception(aligned: bool, quiet: bool) -> Perception | None:
    """What finds faces; None where they are aligned already."""
    if aligned:
        return None
    store = Store()
    show.fetch(store, still_weights(), quiet)
    return Perception(store)


def need_torch(*others: str) -> None:
    """Raise FaceloomError that says what to install unless torch and the other libraries are there."""
    missing = [name for name in ("torch", *others) if importlib.util.find_spec(name) is None]
    if missing:
        raise FaceloomError(
            f"training needs {' and '.join(missing)}, which are optional; install them with: "
            "pip install 'faceloom[train]'"
        )


def make_folder(folder: Path) -> None:
    """Make a folder and its parents. Raises MediaError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{folder}: cannot be made ({error.strerror}). Choose another folder.") from error


@contextmanager
def progress_bar(label: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar of pictures done, of how many."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=show.err, transient=True, disable=quiet) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
