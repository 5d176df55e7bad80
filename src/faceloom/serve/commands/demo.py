"""``faceloom demo``: the main job on the example clip, and a sheet that shows how it went."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faceloom.errors import MediaError
from faceloom.media import write_image
from faceloom.perceive import Perception
from faceloom.run import Output, build_recipe
from faceloom.run.comparison import comparison_sheet
from faceloom.serve import show
from faceloom.serve.commands.edit import run_edit, summary
from faceloom.serve.examples import EYES, MOUTH, TARGET, example
from faceloom.weights import Store


def demo(
    out_dir: Annotated[Path, typer.Option(help="Folder for demo.mp4 and demo.png.")] = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace them if they exist.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Give the person in the example clip another mouth and other eyes: writes demo.mp4 and demo.png."""
    video, sheet = out_dir / "demo.mp4", out_dir / "demo.png"
    for path in (video, sheet):
        if path.exists() and not overwrite:
            raise MediaError(f"{path}: exists already. Pass --overwrite to replace it, or choose another --out-dir.")
    target, taken = example(TARGET), {"mouth": example(MOUTH), "eyes": example(EYES)}
    recipe = build_recipe({"take": {name: str(path) for name, path in taken.items()}}, where="the demo")
    store = Store()
    report = run_edit(recipe, target, video, Output(overwrite=overwrite), store, None, quiet)
    show.out.print(summary(video, report), markup=False)
    picture = comparison_sheet(target, video, taken, report.edited_tracks[0], Perception(store))
    write_image(sheet, picture, overwrite=overwrite)
    show.out.print(f"{sheet}: target above, result below, at the moments that are hardest", markup=False)
