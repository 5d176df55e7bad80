"""``faceloom weights``: list, pull, verify, locate and convert pretrained weights."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from faceloom.errors import FaceloomError, MediaError, WeightsError
from faceloom.serve import show
from faceloom.weights import Status, Store, progress_bars

app = typer.Typer(help="Pretrained weights: list, pull, verify, locate, convert.", no_args_is_help=True)

OnlyPermissive = Annotated[
    bool, typer.Option("--only-permissive", help="Leave out weights whose licence restricts use.")
]
Names = Annotated[list[str] | None, typer.Argument(help="Names of weights; none means all.")]


class Precision(StrEnum):
    """What numbers are kept as; the values are torch's names."""

    HALF = "float16"
    FULL = "float32"


@app.command("list")
def list_weights(only_permissive: OnlyPermissive = False) -> None:
    """Show what exists, its licence, and whether it is here."""
    store = Store(only_permissive=only_permissive)
    table = Table(Column("name", no_wrap=True), Column("role", overflow="fold"), "MB", "licence", "status")
    for record in store.list():
        megabytes = f"{record.bytes / 1e6:.1f}"
        status = store.status(record.name)
        bundled = record.bundled is not None and status is Status.PRESENT
        shown = "with faceloom" if bundled else status.value
        table.add_row(record.name, record.role, megabytes, record.licence, shown)
    show.out.print(table)
    show.out.print(f"folder: {store.home}")


@app.command()
def pull(names: Names = None, only_permissive: OnlyPermissive = False) -> None:
    """Download weights and check them against their hashes."""
    store = Store(only_permissive=only_permissive)
    wanted = names or [record.name for record in store.list()]
    with progress_bars(show.err) as progress:
        paths = store.pull(wanted, progress)
    for name, path in zip(wanted, paths, strict=True):
        show.out.print(f"{name}: {path}")


@app.command()
def verify(names: Names = None, only_permissive: OnlyPermissive = False) -> None:
    """Hash the files that are here again; exits with 4 when one is damaged, or missing although named."""
    store = Store(only_permissive=only_permissive)
    statuses = store.verify(names)
    for name, status in statuses.items():
        show.out.print(f"{name}: {status.value}")
    bad = [n for n, s in statuses.items() if s is Status.DAMAGED or (names and s is Status.MISSING)]
    for name in bad:
        if store.record(name).bundled is not None:
            raise WeightsError(f"not intact: {name}, which comes with faceloom; install faceloom again")
    if bad:
        raise WeightsError(f"not intact: {', '.join(bad)}; get them with: faceloom weights pull {' '.join(bad)}")


@app.command()
def locate(name: Annotated[str, typer.Argument(help="Name of a weight.")]) -> None:
    """Print the path of one verified weight."""
    show.out.print(str(Store().path(name)), soft_wrap=True)


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="Diffusion autoencoder as its training wrote it: last.ckpt.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, .safetensors.")],
    dtype: Annotated[Precision, typer.Option(help="What its numbers are kept as.")] = Precision.HALF,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")] = False,
) -> None:
    """Turn a checkpoint of a diffusion autoencoder into one safe file with its options inside, for vpartswap."""
    if out.suffix != ".safetensors":
        raise MediaError(f"{out}: a converted checkpoint is a .safetensors file; name it so")
    if out.is_dir() or not out.parent.is_dir():
        raise MediaError(f"{out}: cannot be written there. Name a file in a folder that exists.")
    if out.exists() and not overwrite:
        raise MediaError(f"{out}: exists already. Pass --overwrite to replace it, or choose another name.")
    try:
        from faceloom.methods.vpartswap import checkpoint as diffae
    except ImportError as error:
        raise FaceloomError(
            f"converting needs torch, and it cannot be imported ({error}); install it with: "
            "pip install 'faceloom[torch]'"
        ) from error
    try:
        diffae.convert(checkpoint, out, dtype.value)
    except OSError as error:
        raise MediaError(f"{out}: cannot be written ({error.strerror or error})") from error
    show.out.print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {dtype.value}", soft_wrap=True, markup=False)
