"""Round trip of a diffusion autoencoder against the number of steps: inversion, then rendering, nothing edited.

python benchmarks/round_trip.py --faces DIR [--checkpoint FILE] [--aligned] [--steps 5 10 20 50 100] [--out FILE]

DIR holds pictures of faces that the network was not trained on. The pass is the one that ``--method vpartswap`` makes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from faceloom.errors import RecipeError
from faceloom.methods.vpartswap.checkpoint import load_checkpoint
from faceloom.methods.vpartswap.codec import Codec
from faceloom.methods.vpartswap.options import Options
from faceloom.perceive import Perception
from faceloom.train.data.faces import read_faces
from faceloom.weights import Store

BARS = {("exact", 20): 28.0, ("exact", 100): 32.0}
"""Least mean PSNR, decibels, by inversion and steps, of a full inversion."""


@dataclass(frozen=True)
class Row:
    """One setting.

    psnr, worst_psnr  decibels, of pixels in [0, 1]; mean over the faces, and the worst one.
    tint              difference of a face's mean colour, in units of 1/255.
    forwards          passes through the UNet a face.
    cpu_seconds       processor time a face.
    """

    inversion: str
    steps: int
    depth: float
    precision: str
    faces: int
    psnr: float
    worst_psnr: float
    tint: float
    forwards: float
    cpu_seconds: float


@torch.inference_mode()
def measure(codec: Codec, pictures: Tensor) -> Row:
    """The round trip of pictures (B, 3, S, S) in [-1, 1]."""
    begin, forwards = time.process_time(), codec.forwards
    again = []
    for some in pictures.split(codec.batch):
        z_sem = codec.encode(some)
        again.append(codec.render(codec.invert(some, z_sem), z_sem))
    error = (torch.cat(again) - pictures) / 2
    psnr = -10 * error.square().mean((1, 2, 3)).clamp_min(1e-10).log10()
    return Row(
        inversion=codec.options.inversion,
        steps=codec.options.steps_render,
        depth=codec.options.depth or 1.0,
        precision=codec.options.precision,
        faces=len(pictures),
        psnr=float(psnr.mean()),
        worst_psnr=float(psnr.min()),
        tint=float(error.mean((2, 3)).abs().mean() * 255),
        forwards=(codec.forwards - forwards) / len(pictures),
        cpu_seconds=(time.process_time() - begin) / len(pictures),
    )


def settings(arguments: argparse.Namespace) -> Iterator[Options]:
    for depth in arguments.depth:
        for inversion in arguments.inversion:
            for steps in arguments.steps:
                yield Options(
                    steps_invert=steps,
                    steps_render=steps,
                    inversion=inversion,
                    depth=depth,
                    batch=arguments.batch,
                    precision=arguments.precision,
                )


def report(rows: list[Row]) -> Table:
    names = ("inversion", "steps", "depth", "PSNR dB", "worst dB", "tint /255", "UNet passes", "cpu s a face", "bar")
    table = Table(*names, title=f"{rows[0].faces} faces, {rows[0].precision}")
    for row in rows:
        bar = BARS.get((row.inversion, row.steps)) if row.depth == 1 else None
        verdict = "" if bar is None else f"{'PASS' if row.psnr >= bar else 'FAIL'} >= {bar:.0f}"
        figures = (row.psnr, row.worst_psnr, row.tint, row.forwards, row.cpu_seconds)
        table.add_row(row.inversion, str(row.steps), f"{row.depth:g}", *(f"{value:.2f}" for value in figures), verdict)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="Round trip of a diffusion autoencoder against the number of steps.")
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="default: the one that comes with faceloom")
    parser.add_argument("--aligned", action="store_true", help="the pictures are aligned already")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 10, 20, 50, 100])
    parser.add_argument("--inversion", nargs="+", default=["exact", "ddim"])
    parser.add_argument("--depth", type=float, nargs="+", default=[1.0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--precision", default="float32", help="float32, bfloat16 or float16")
    parser.add_argument("--out", type=Path, help="JSON to write, after every row")
    arguments = parser.parse_args()
    console, rows = Console(width=120), []
    checkpoint = arguments.checkpoint or Store().path("diffae_small128")
    size = load_checkpoint(checkpoint).config.image_size
    perception = None if arguments.aligned else Perception(Store())
    pictures = read_faces(arguments.faces, size, arguments.count, perception, console.print)
    for options in settings(arguments):
        try:
            codec = Codec(load_checkpoint(checkpoint), options)
        except RecipeError as error:
            raise SystemExit(str(error)) from error
        rows.append(measure(codec, pictures.to(codec.device)))
        console.print(rows[-1], highlight=False)
        if arguments.out:
            arguments.out.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", "utf-8")
    console.print(report(rows))


if __name__ == "__main__":
    main()
