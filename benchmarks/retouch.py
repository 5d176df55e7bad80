"""LangBRT, as ``faceloom edit --retouch`` applies it, on painted blemishes that it was not trained on.

python benchmarks/retouch.py --data FACES [--model FILE] [--pairs 200] [--size 256] [--out OUT]

FACES is a folder that ``faceloom train pack`` wrote and that training has looked at (it holds ``anatomy.npz``). Its
held-out faces are painted, retouched by the whole method (alignment, skin, regions, full size), and compared with the
same faces without what was asked for; beside it, two classical ways to do the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from faceloom.compose import paste
from faceloom.evaluate.metrics.perceptual import lpips
from faceloom.evaluate.networks import Networks
from faceloom.geometry.similarity import invert
from faceloom.media import write_image
from faceloom.methods.langbrt.checkpoint import load_langbrt
from faceloom.methods.langbrt.method import LangBRTMethod
from faceloom.methods.langbrt.network import Network
from faceloom.methods.langbrt.options import WEIGHT
from faceloom.methods.langbrt.prepared import Prepared
from faceloom.methods.langbrt.prompts import Area, Blemish, Prompt, Side
from faceloom.methods.langbrt.requests import ask_for
from faceloom.methods.memo import FrameMemo
from faceloom.perceive import Perception, perceive_image, similarity
from faceloom.perceive.text import MiniLM
from faceloom.train.blemishes.atlas import Atlas, face_pixels
from faceloom.train.blemishes.choose import draw_choice
from faceloom.train.blemishes.difference import difference_mask
from faceloom.train.blemishes.paint import Order, Painting, paint
from faceloom.train.data.faces import PackedFaces
from faceloom.types import Face, Frame, Image, Matte, Window
from faceloom.weights import Store

GAIN, OUTSIDE, OTHER_SIDE, SAME_PERSON, SECONDS = 5.0, 50.0, 0.02, 0.97, 3.0
"""Bars: dB inside the mask above the input's, dB outside it, share of the change on the side that was not asked for,
cosine of identity vectors before and after, seconds for a portrait of 1024 pixels."""
_BLEMISHED, _STILL, _FOUND = 0.5, 0.02, 0.5
_SHOWN = 12
_CEILING = 100.0
RIGHT_CHEEK = Prompt(Blemish.ACNE, Area.CHEEKS, Side.RIGHT)


@dataclass(frozen=True, eq=False)
class Case:
    """One painted face: ``target`` is ``blemished`` without ``prompts``, whose masks are in ``masks``.

    tone  of the skin, 0 darkest to 1 lightest.
    """

    blemished: Image
    target: Image
    prompts: tuple[Prompt, ...]
    masks: dict[Prompt, Matte]
    face: Face
    tone: float


class Retouch:
    """The method with other requests for every picture; its networks are loaded once."""

    def __init__(self, model: str, store: Store) -> None:
        method = LangBRTMethod({"checkpoint": model, "retouch": ("acne",)})
        self._base: Prepared = method.prepare({})
        self._loaded = load_langbrt(store.path(model) if model in store.records else Path(model))
        self._encoder = MiniLM(store)

    def __call__(self, image: Image, face: Face, prompts: Sequence[Prompt]) -> tuple[Image, Matte, dict[Prompt, Matte]]:
        """The retouched picture, what was covered in it, and each prompt's map, all of the picture's size."""
        asked = ask_for(tuple(prompts), self._encoder)
        prepared = replace(self._base, network=Network(self._loaded, asked), asked=asked, memo=FrameMemo())
        frame = Frame(0, Fraction(0), image)
        (patches,) = prepared.edit(Window([frame], slice(0, 1), True), [face])
        maps = prepared.maps(frame, face)
        large = [_over(one.found, invert(one.crop.matrix), image) for one in maps]
        cover = np.clip(np.sum(large, axis=0), 0, 1) if large else np.zeros(image.shape[:2], np.float32)
        return paste(frame, patches).image, cover, dict(zip(prompts, large, strict=True))


def _over(values: Matte, matrix: NDArray[np.float64], image: Image) -> Matte:
    return cv2.warpAffine(values, matrix, (image.shape[1], image.shape[0]), flags=cv2.INTER_LINEAR)


def _cells(values: Matte) -> Matte:
    """The largest values of 128 x 128 cells, which is what the network's maps can tell apart."""
    step = max(1, len(values) // 128)
    return (
        values[: len(values) // step * step, : len(values) // step * step]
        .reshape(len(values) // step, step, len(values) // step, step)
        .max(axis=(1, 3))
    )


def smoothed(image: Image, skin: Matte) -> Image:
    """The classical "smooth skin": a bilateral filter under the skin mask."""
    size = len(image) / 256
    smooth = cv2.bilateralFilter(image, 0, 30, 4 * size)
    weight = skin[..., None]
    return np.clip(image + weight * (smooth.astype(np.float32) - image) + 0.5, 0, 255).astype(np.uint8)


def inpainted(image: Image, cover: Matte) -> Image:
    """Telea's inpainting of what the network found."""
    size = len(image) / 256
    mask = cv2.dilate((cover > _FOUND).astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(cv2.inpaint(image, mask, 3 * size, cv2.INPAINT_TELEA))


def cases(folder: Path, size: int, count: int, perception: Perception) -> Iterator[tuple[Case, Matte]]:
    """Painted held-out faces with their skin, as many as wanted; the same ones every time."""
    faces = PackedFaces(folder)
    atlas, given, seed = Atlas(faces), 0, 0
    rows = [int(row) for row in faces.held_out if atlas.found[row]]
    while given < count and rows:
        row, rng = rows[seed % len(rows)], np.random.default_rng([seed, 20240])
        anatomy = atlas.anatomy(row, size)
        seed += 1
        painting = paint(face_pixels(faces, size, row), anatomy, rng)
        case = _case(painting, draw_choice(painting.layers, rng).wanted, perception)
        if case is not None:
            given += 1
            yield case, anatomy.skin
        if seed > 20 * count:
            raise SystemExit(f"{folder}: only {given} of {seed} paintings have a face that is found and a blemish")


def _case(painting: Painting, wanted: Sequence[Prompt], perception: Perception) -> Case | None:
    target = painting.without(wanted)
    if np.array_equal(target, painting.blemished):
        return None
    found = perceive_image(painting.blemished, perception)
    if not found:
        return None
    masks = {prompt: painting.mask(prompt) for prompt in wanted}
    return Case(painting.blemished, target, tuple(wanted), masks, found[0], painting.light.tone)


def psnr(one: Image, other: Image, where: NDArray[np.bool_] | None = None) -> float:
    """Of pixels in [0, 1], dB; a hundred for no difference at all."""
    squared = ((one.astype(np.float64) - other) / 255) ** 2
    error = float(squared.mean() if where is None else squared[where].mean()) if where is None or where.any() else 0.0
    return min(_CEILING, float(-10 * np.log10(max(error, 1e-12))))


def measure(
    retouch: Retouch, arguments: argparse.Namespace, perception: Perception, tell: Callable[[str], None]
) -> dict[str, Any]:
    """All figures of the pairs: means by column."""
    network = Networks(Store()).lpips("alex")
    columns: dict[str, list[float]] = defaultdict(list)
    overlap: dict[str, list[float]] = defaultdict(list)
    tones: list[tuple[float, float]] = []
    rows: list[Image] = []
    for number, (case, skin) in enumerate(cases(arguments.data, arguments.size, arguments.pairs, perception), 1):
        begin = time.process_time()
        result, cover, maps = retouch(case.blemished, case.face, case.prompts)
        columns["cpu seconds"].append(time.process_time() - begin)
        others = {"input": case.blemished, "bilateral": smoothed(case.blemished, skin)}
        others |= {"inpaint": inpainted(case.blemished, cover), "langbrt": result}
        truth = difference_mask(case.blemished, case.target)
        inside, still = truth > _BLEMISHED, truth < _STILL
        for name, picture in others.items():
            columns[f"psnr {name}"].append(psnr(picture, case.target))
            columns[f"lpips {name}"].append(lpips(network, picture, case.target))
            if inside.any():
                columns[f"inside {name}"].append(psnr(picture, case.target, inside))
            columns[f"outside {name}"].append(psnr(picture, case.blemished, still))
            vectors = [perception.embedder.embed(image, case.face.landmarks) for image in (case.blemished, picture)]
            columns[f"identity {name}"].append(float(similarity(*vectors)))
        if inside.any():
            tones.append((case.tone, columns["inside langbrt"][-1] - columns["inside input"][-1]))
        for prompt, mask in case.masks.items():
            if (mask > _FOUND).any():
                one, other = (_cells(values) > _FOUND for values in (maps[prompt], mask))
                overlap[prompt.text].append(float((one & other).sum() / (one | other).sum()))
        if number <= _SHOWN:
            shown = np.repeat((255 * cover).astype(np.uint8)[..., None], 3, axis=2)
            rows.append(np.hstack([case.blemished, shown, *list(others.values())[1:], case.target]))
        if number % 20 == 0:
            tell(f"{number} of {arguments.pairs} pairs")
    if arguments.out:
        write_image(arguments.out / "retouch.png", np.vstack(rows), overwrite=True)
    means = {name: float(np.mean(values)) for name, values in columns.items()}
    means["worst identity langbrt"] = min(columns["identity langbrt"])
    by_prompt = {text: (float(np.mean(values)), len(values)) for text, values in sorted(overlap.items())}
    return {"pairs": len(columns["cpu seconds"]), "means": means, "overlap": by_prompt, "tones": by_tone(tones)}


def by_tone(gains: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Mean gain inside the mask, dB, of the third of the faces with the darkest skin, the middle and the lightest."""
    thirds = np.array_split(np.array([gain for _, gain in sorted(gains)]), 3)
    return {name: float(third.mean()) for name, third in zip(("darkest", "middle", "lightest"), thirds, strict=True)}


def other_side(retouch: Retouch, arguments: argparse.Namespace, perception: Perception) -> float:
    """Acne on both cheeks, "acne on the right cheek" asked for: the share of all change beyond the midline."""
    faces = PackedFaces(arguments.data)
    atlas, beyond, whole = Atlas(faces), 0.0, 0.0
    for row in [int(row) for row in faces.held_out if atlas.found[row]][: min(arguments.pairs, 50)]:
        anatomy = atlas.anatomy(row, arguments.size)
        order = Order(Prompt(Blemish.ACNE, Area.CHEEKS), 0.9)
        painting = paint(face_pixels(faces, arguments.size, row), anatomy, np.random.default_rng(row), [order])
        found = perceive_image(painting.blemished, perception)
        if not found:
            continue
        result, _, _ = retouch(painting.blemished, found[0], (RIGHT_CHEEK,))
        change = np.abs(result.astype(np.float64) - painting.blemished).sum(axis=2)
        beyond += float((change * (anatomy.sides[Side.LEFT] > 0.5)).sum())
        whole += float(change.sum())
    return beyond / whole if whole else 0.0


def portrait_seconds(retouch: Retouch, arguments: argparse.Namespace, perception: Perception) -> float:
    """Wall clock for a portrait of 1024 pixels, everything loaded: finding the face, retouching everything, pasting."""
    from faceloom.methods.langbrt.prompts import TABLE

    case, _ = next(cases(arguments.data, arguments.size, 1, perception))
    large = cv2.resize(case.blemished, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        retouch(large, perceive_image(large, perception)[0], TABLE)
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))


def report(found: dict[str, Any], console: Console) -> bool:
    """Print the tables and which bars are met."""
    means = found["means"]
    table = Table("", "PSNR dB", "inside dB", "outside dB", "LPIPS", "identity", title=f"{found['pairs']} pairs")
    for name in ("input", "bilateral", "inpaint", "langbrt"):
        figures = [f"{means[f'{column} {name}']:.2f}" for column in ("psnr", "inside", "outside")]
        table.add_row(name, *figures, f"{means[f'lpips {name}']:.4f}", f"{means[f'identity {name}']:.4f}")
    console.print(table)
    overlaps = Table("prompt", "intersection over union", "pairs that show it")
    for text, (value, count) in found["overlap"].items():
        overlaps.add_row(text, f"{value:.2f}", str(count))
    console.print(overlaps)
    tones = ", ".join(f"{name} third of skins {gain:+.2f} dB" for name, gain in found["tones"].items())
    console.print(f"inside the mask, {tones}", highlight=False)
    gain = means["inside langbrt"] - means["inside input"]
    outside, same = means["outside langbrt"], means["identity langbrt"]
    other, seconds = found["other side"], found["portrait seconds"]
    bars = {
        f"inside the mask {gain:+.2f} dB (at least +{GAIN:g})": gain >= GAIN,
        f"outside the mask {outside:.1f} dB (at least {OUTSIDE:g})": outside >= OUTSIDE,
        f"change on the other side {other:.2%} (under {OTHER_SIDE:.0%})": other < OTHER_SIDE,
        f"identity {same:.4f} (at least {SAME_PERSON})": same >= SAME_PERSON,
        f"1024 x 1024 in {seconds:.2f} s (at most {SECONDS:g})": seconds <= SECONDS,
    }
    for name in ("bilateral", "inpaint"):
        bars[f"PSNR above {name}"] = means["psnr langbrt"] > means[f"psnr {name}"]
        bars[f"LPIPS below {name}"] = means["lpips langbrt"] < means[f"lpips {name}"]
    for text, met in bars.items():
        console.print(f"{'PASS' if met else 'FAIL'}  {text}", highlight=False)
    return all(bars.values())


def main() -> None:
    parser = argparse.ArgumentParser(description="LangBRT on painted blemishes, against classical ways.")
    parser.add_argument("--data", type=Path, required=True, help="packed faces with anatomy.npz")
    parser.add_argument("--model", default=WEIGHT, help="weights file; default: those that come with faceloom")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--size", type=int, default=256, help="side of the pictures; packed at this size")
    parser.add_argument("--out", type=Path, help="folder for retouch.json and retouch.png")
    arguments = parser.parse_args()
    console, store = Console(width=120), Store()
    store.ensure([*MiniLM.weights, "face_landmarker", "yunet", "sface", "lpips_alexnet", "lpips_lin_alex"])
    perception, retouch = Perception(store, threads=1), Retouch(arguments.model, store)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
    found = measure(retouch, arguments, perception, lambda text: console.print(text, style="dim"))
    found["other side"] = other_side(retouch, arguments, perception)
    found["portrait seconds"] = portrait_seconds(retouch, arguments, perception)
    met = report(found, console)
    if arguments.out:
        (arguments.out / "retouch.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
