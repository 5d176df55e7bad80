"""LangBRT on clips: whether what it takes away boils.

python benchmarks/retouch_video.py --media DIR --out OUT [--clips NAME ...] [--frames 60] [--retouch all]

Flow-warping error inside the face over the target's own, with the target's flow, of the edit and of the same edit made
frame by frame, each alone; and a sheet of consecutive frames for each clip.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
from footage import Footage, read_footage
from media_folder import clip_arguments, clips_of
from rich.console import Console
from rich.table import Table

from faceloom.compose import paste
from faceloom.evaluate import warping
from faceloom.geometry.masks import Region, region_mask
from faceloom.media import write_image
from faceloom.methods.langbrt.method import LangBRTMethod
from faceloom.methods.langbrt.options import WEIGHT
from faceloom.methods.langbrt.prepared import Prepared
from faceloom.methods.memo import FrameMemo, Shots
from faceloom.perceive import Perception
from faceloom.types import Image, Window
from faceloom.weights import Store

_SHOWN = 6
_TILE = 320
_GAIN = 4


def retouched(footage: Footage, method: LangBRTMethod, prepared: Prepared, *, alone: bool) -> list[Image]:
    """The frames as ``faceloom edit --retouch`` leaves them; ``alone``: none knows of its neighbours."""
    step = 1 if alone else len(footage.frames)
    made: list[Image] = []
    for first in range(0, len(footage.frames), step):
        part = slice(first, first + step)
        fresh = replace(prepared, memo=FrameMemo(), parsed=FrameMemo(), shots=Shots())
        window = Window(footage.frames[part], slice(0, step), True)
        patches = method.apply(window, footage.steady[part], fresh)
        made += [paste(frame, own).image for frame, own in zip(window.frames, patches, strict=True)]
    return made


def errors(footage: Footage, variants: Mapping[str, Sequence[Image]], perception: Perception) -> dict[str, list[float]]:
    """Squared warping error inside the face oval of every pair of frames, of the target (``own``) and each variant."""
    shown = {"own": [frame.image for frame in footage.frames], **variants}
    found: dict[str, list[float]] = {name: [] for name in shown}
    for i in range(len(footage.frames) - 1):
        face, flow = footage.measured[i], perception.flow
        if face is None or footage.measured[i + 1] is None:
            continue
        image = footage.frames[i].image
        box = face.box.pad(round(0.08 * face.box.height) + 4).clip(image.shape[1], image.shape[0])
        now, then = (footage.frames[k].image[box.slices] for k in (i, i + 1))
        forward = flow.flow(now, then)
        valid = warping.visible_in_both(forward, flow.flow(then, now))
        valid &= region_mask(Region.FACE_OVAL, face.landmarks.astype(np.float64), box) > 0.5
        for name, pictures in shown.items():
            pair = (pictures[i][box.slices], pictures[i + 1][box.slices])
            found[name].append(warping.warping_error(*pair, forward, valid).squared)
    return found


def sheet(footage: Footage, made: Sequence[Image]) -> Image:
    """Consecutive frames from the middle of the clip: target, output, and ``_GAIN`` times the difference."""
    middle = max(0, len(made) // 2 - _SHOWN // 2)
    columns = []
    for i in range(middle, min(middle + _SHOWN, len(made))):
        face, image = footage.measured[i], footage.frames[i].image
        if face is None:
            continue
        box = face.box.pad(int(0.05 * face.box.width)).clip(image.shape[1], image.shape[0])
        difference = np.clip(128 + _GAIN * (made[i].astype(np.int32) - image), 0, 255).astype(np.uint8)
        views = (view[box.slices] for view in (image, made[i], difference))
        columns.append(np.vstack([cv2.resize(view, (_TILE, _TILE), interpolation=cv2.INTER_AREA) for view in views]))
    return np.hstack(columns)


def main() -> None:
    parser = clip_arguments(__doc__, 60)
    parser.add_argument("--retouch", nargs="+", default=["all"], help="what to take away")
    parser.add_argument("--model", default=WEIGHT, help="weights file; default: those that come with faceloom")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    perception = Perception(Store())
    method = LangBRTMethod({"checkpoint": arguments.model, "retouch": tuple(arguments.retouch)})
    prepared, table = (
        method.prepare({}),
        Table("clip", "retouched", "each frame alone", title="warping error, target 1"),
    )
    ratios: dict[str, dict[str, float]] = {}
    for clip in clips_of(arguments.media, arguments.clips):
        footage = read_footage(clip, arguments.frames, perception)
        variants = {name: retouched(footage, method, prepared, alone=name == "alone") for name in ("steady", "alone")}
        found = errors(footage, variants, perception)
        ratios[clip.stem] = {name: warping.warping_ratio(found[name], found["own"]) for name in variants}
        table.add_row(clip.stem, *(f"{value:.3f}" for value in ratios[clip.stem].values()))
        write_image(arguments.out / f"{clip.stem}.png", sheet(footage, variants["steady"]), overwrite=True)
    medians = [float(np.median([row[name] for row in ratios.values()])) for name in ("steady", "alone")]
    table.add_row("median", *(f"{value:.3f}" for value in medians))
    Console(width=100).print(table)
    (arguments.out / "retouch_video.json").write_text(json.dumps(ratios, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
