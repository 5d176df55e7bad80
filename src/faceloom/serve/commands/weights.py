"""``faceloom weights``: list, pull, verify and locate pretrained weights."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from faceloom.errors import WeightsError
from faceloom.serve import show
from faceloom.weights import Status, Store, progress_bars

app = typer.Typer(help="Pretrained weights: list, pull, verify, locate.", no_args_is_help=True)

OnlyPermissive = Annotated[
    bool, typer.Option("--only-permissive", help="Leave out weights whose licence restricts use.")
]
Names = Annotated[list[str] | None, typer.Argument(help="Names of weights; none means all.")]


@app.command("list")
def list_weights(only_permissive: OnlyPermissive = False) -> None:
    """Show what exists, its licence, and whether it is here."""
    store = Store(only_permissive=only_permissive)
    table = Table("name", "role", "MB", "licence", "status")
    for record in store.list():
        megabytes = f"{record.bytes / 1e6:.1f}"
        table.add_row(record.name, record.role, megabytes, record.licence, store.status(record.name).value)
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
    statuses = Store(only_permissive=only_permissive).verify(names)
    for name, status in statuses.items():
        show.out.print(f"{name}: {status.value}")
    bad = [n for n, s in statuses.items() if s is Status.DAMAGED or (names and s is Status.MISSING)]
    if bad:
        raise WeightsError(f"not intact: {', '.join(bad)}; get them with: faceloom weights pull {' '.join(bad)}")


@app.command()
def locate(name: Annotated[str, typer.Argument(help="Name of a weight.")]) -> None:
    """Print the path of one verified weight."""
    show.out.print(str(Store().path(name)), soft_wrap=True)
