"""``faceloom inspect``: who is in a clip, and under which id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from faceloom.errors import MediaError, TruncatedMediaError
from faceloom.media import write_image
from faceloom.media.output import PICTURES
from faceloom.run.inspect import WEIGHTS, Inspection, faces_sheet, inspect_clip
from faceloom.serve import show
from faceloom.weights import Store


def inspect(
    target: Annotated[Path, typer.Argument(help="Video or picture to look at.")],
    start: Annotated[float | None, typer.Option(help="Seconds: first moment to look at.")] = None,
    end: Annotated[float | None, typer.Option(help="Seconds: end of what to look at.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Picture of everyone; default NAME.faces.png in the current folder.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; write a sheet only if --sheet names one.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the sheet if it exists.")] = False,
    allow_partial: Annotated[bool, typer.Option("--allow-partial", help="Accept a damaged video.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Show who is in a clip, when and how large, with a sheet of thumbnails; the ids are those of --face."""
    page = sheet or (None if as_json else Path(f"{target.stem}.faces.png"))
    if page is not None:
        _check_page(page, overwrite)
    store = Store()
    show.fetch(store, WEIGHTS, quiet)
    with show.frame_progress(target.name, quiet, missing="no face in") as progress:
        found = inspect_clip(target, start=start, end=end, store=store, progress=progress)
    if page is not None and found.tracks:
        write_image(page, faces_sheet(found), overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps(found.describe(), indent=2, ensure_ascii=False))
    else:
        _print(found, page)
    if found.damage and not allow_partial:
        raise TruncatedMediaError(found.damage)
    if found.damage:
        show.warning(found.damage)


def _check_page(page: Path, overwrite: bool) -> None:
    """Say at once, rather than after a long pass, that the sheet cannot be written."""
    if page.suffix.lower() not in PICTURES:
        raise MediaError(f"{page}: a sheet is a picture. Use one of {' '.join(PICTURES)}.")
    if page.exists() and not overwrite:
        raise MediaError(f"{page}: exists already. Pass --overwrite to replace it, or --sheet with another name.")


def _print(found: Inspection, page: Path | None) -> None:
    info = found.info
    rate = f", {float(info.fps):.3f} frames/s, {float(info.duration):.2f} s" if info.kind == "video" else ""
    show.out.print(f"{info.path}: {info.kind}, {info.width}x{info.height}{rate}", markup=False)
    if not found.tracks:
        show.out.print(f"no face was found in any of {found.frames} frames")
        return
    table = Table("face", "first", "last", "frames", "share", "mean size", "best frame")
    for track in found.tracks:
        table.add_row(
            str(track.id),
            f"{float(track.first):.2f} s",
            f"{float(track.last):.2f} s",
            str(track.frames),
            f"{found.share(track):.0%}",
            f"{track.mean_size:.0f} px",
            str(track.best_frame),
        )
    show.out.print(table)
    nobody = f", {found.frames_without_face} without any face" if found.frames_without_face else ""
    shots = f"{found.shots} shot{'s' if found.shots > 1 else ''}"
    show.out.print(f"{found.frames} frame{'s' if found.frames > 1 else ''} in {shots}{nobody}")
    if page is not None:
        show.out.print(f"thumbnails: {page}", markup=False)
