"""``faceloom motion``: record what a face does in a clip, to drive another one with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faceloom.errors import MediaError
from faceloom.run.motion import WEIGHTS, is_motion, record_clip
from faceloom.serve import show
from faceloom.weights import Store


def motion(
    clip: Annotated[Path, typer.Argument(help="Video of somebody who moves.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, *.npz.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Record expression, pose and gaze of a clip in a small file without its pictures.

    Drive a face with it: --take expression=FILE.npz --take pose=FILE.npz --take gaze=FILE.npz.
    """
    if not is_motion(out):
        raise MediaError(f"{out}: a motion template ends in .npz; rename it")
    if out.exists() and not overwrite:
        raise MediaError(f"{out}: exists already. Pass --overwrite to replace it, or choose another name.")
    store = Store()
    show.fetch(store, WEIGHTS, quiet)
    template, remarks = record_clip(clip, store)
    for remark in remarks:
        show.warning(remark)
    template.save(out)
    size = out.stat().st_size / 1024
    show.out.print(f"{out}: {len(template)} frames, {template.present.sum()} with a face, {size:.0f} kB", markup=False)
