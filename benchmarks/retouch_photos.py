"""LangBRT on photographs that nobody painted on: sheets to look at, and how far a person is changed.

python benchmarks/retouch_photos.py PHOTOS [--retouch all] [--model FILE] --out OUT

For every face in the pictures of a folder: before, what was found, after, and eight times the difference, with the
similarity of the identity vectors before and after.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from retouch import SAME_PERSON, Retouch
from rich.console import Console
from rich.table import Table

from faceloom.errors import MediaError
from faceloom.media import read_image, write_image
from faceloom.methods.langbrt.options import WEIGHT
from faceloom.methods.langbrt.prepared import LEAST_WIDTH
from faceloom.methods.langbrt.requests import read_requests
from faceloom.perceive import Perception, perceive_image, similarity
from faceloom.perceive.text import MiniLM
from faceloom.types import Box, Face, Image, Matte
from faceloom.weights import Store

_SIDE = 384
_GAIN = 8


def pictures(folder: Path) -> Iterator[tuple[str, Image]]:
    """Names and pixels of what can be read as a picture, in order of name."""
    for path in sorted(folder.iterdir()):
        try:
            yield path.stem, read_image(path)
        except MediaError as error:
            Console(stderr=True).print(f"left out: {error}", highlight=False)


def row(before: Image, cover: Matte, after: Image, face: Face) -> Image:
    """Four views of a face, each of ``_SIDE`` pixels."""
    points = face.landmarks[:, :2]
    middle, reach = (points.min(axis=0) + points.max(axis=0)) / 2, 0.65 * float(np.ptp(points, axis=0).max())
    box = Box.around(np.stack([middle - reach, middle + reach])).clip(before.shape[1], before.shape[0])
    mask = np.repeat((255 * cover).astype(np.uint8)[..., None], 3, axis=2)
    difference = np.clip(128 + _GAIN * (after.astype(np.int32) - before), 0, 255).astype(np.uint8)
    return np.hstack([_square(view[box.slices]) for view in (before, mask, after, difference)])


def _square(view: Image) -> Image:
    how = cv2.INTER_AREA if len(view) > _SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(view, (_SIDE, _SIDE), interpolation=how))


def main() -> None:
    parser = argparse.ArgumentParser(description="LangBRT on photographs.")
    parser.add_argument("photos", type=Path, help="folder of pictures")
    parser.add_argument("--retouch", action="append", help="what to take away; default: all")
    parser.add_argument("--model", default=WEIGHT, help="weights file; default: those that come with faceloom")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sheets")
    arguments = parser.parse_args()
    store = Store()
    store.ensure([*MiniLM.weights, "face_landmarker", "yunet", "sface"])
    perception, retouch = Perception(store, threads=1), Retouch(arguments.model, store)
    prompts = read_requests(tuple(arguments.retouch or ["all"]), MiniLM(store)).prompts
    table = Table("picture", "face, pixels wide", "identity", "pixels changed", "largest change")
    same: list[float] = []
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, image in pictures(arguments.photos):
        for number, face in enumerate(perceive_image(image, perception)):
            width = float(np.ptp(face.landmarks[:, 0]))
            if width < LEAST_WIDTH:
                continue
            after, cover, _ = retouch(image, face, prompts)
            vectors = [perception.embedder.embed(picture, face.landmarks) for picture in (image, after)]
            same.append(float(similarity(*vectors)))
            change = np.abs(after.astype(np.int32) - image).max(axis=2)
            share = (change > 0).sum() / max(1, int(face.box.width * face.box.height))
            table.add_row(f"{name} {number}", f"{width:.0f}", f"{same[-1]:.4f}", f"{share:.1%}", f"{change.max()}")
            write_image(arguments.out / f"{name}_{number}.png", row(image, cover, after, face), overwrite=True)
    console = Console(width=120)
    console.print(table)
    met = bool(same) and float(np.mean(same)) >= SAME_PERSON
    summary = f"{len(same)} faces, identity {np.mean(same):.4f} (at least {SAME_PERSON}), lowest {min(same):.4f}"
    console.print(f"{'PASS' if met else 'FAIL'}  {summary}" if same else "no face was found", highlight=False)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
