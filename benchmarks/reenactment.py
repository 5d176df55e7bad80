"""Measure self-reenactment: the first frame of a clip, driven by the clip, against the clip itself.

python benchmarks/reenactment.py --media DIR --out DIR

DIR/videos of --media holds the clips. What the method makes is compared with a static copy of the first frame and with
its thin-plate warp to the clip's own landmarks. Writes a table, its numbers as JSON, and a contact sheet per clip.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
from footage import Footage, apply, look_again, read_footage
from media_folder import clip_arguments, clips_of
from numpy.typing import NDArray
from rich.console import Console

from faceloom.evaluate.metrics.images import psnr, ssim
from faceloom.evaluate.metrics.pose import expression_error, gaze_error, morphable_expression_error, pose_error
from faceloom.evaluate.warping import visible_in_both, warping_error
from faceloom.geometry import masks
from faceloom.geometry.tps import ThinPlateSpline
from faceloom.media import write_image
from faceloom.methods.contract import installed
from faceloom.perceive import OpticalFlow, Perception
from faceloom.perceive.morphable import MorphableRegressor
from faceloom.types import Attribute, Box, Face, Image
from faceloom.weights import Store

STATIC, SPLINE = "static copy", "thin-plate warp"
_SMOOTHING = 1e-3
_STEP = 2
_SHOWN = 6
_TILE = 256


@dataclass(frozen=True)
class Scores:
    """Means over the frames in which the face is seen in clip and result, the first frame left out.

    expression_3dmm  mean absolute difference of the expression coefficients, in their deviations.
    blendshapes      mean absolute difference of the 52 blendshapes.
    pose             degrees.
    gaze             share of the width of the eye.
    psnr, ssim       in the box of the oval of the clip's face.
    e_warp           with the clip's own flow in that oval, 1000 x mean squared difference.
    """

    expression_3dmm: float
    blendshapes: float
    pose: float
    gaze: float
    psnr: float
    ssim: float
    e_warp: float


class Judge:
    """Compares pictures with those of a clip."""

    def __init__(self, perception: Perception, store: Store) -> None:
        self._perception, self._flow, self._regressor = perception, OpticalFlow(), MorphableRegressor(store)

    def scores(self, truth: Footage, made: Sequence[Image]) -> Scores:
        """``made`` (one picture a frame) against ``truth``."""
        found = look_again(made, truth, self._perception)
        rows, deviation = [], self._regressor.expression_deviation
        for frame, wanted, picture, face in zip(truth.frames[1:], truth.measured[1:], made[1:], found[1:], strict=True):
            if wanted is None or face is None:
                continue
            box = oval_box(wanted, frame.width, frame.height)
            one, other = (
                self._regressor.from_landmarks(i, f.landmarks) for i, f in ((frame.image, wanted), (picture, face))
            )
            rows.append(
                (
                    morphable_expression_error(one.expression, other.expression, deviation),
                    expression_error(wanted, face),
                    pose_error(wanted, face),
                    gaze_error(wanted.landmarks, face.landmarks),
                    psnr(frame.image[box.slices], picture[box.slices]),
                    ssim(frame.image[box.slices], picture[box.slices]),
                )
            )
        means = np.nanmean(np.array(rows), axis=0)
        return Scores(*(float(mean) for mean in means), self._warping(truth, made))

    def _warping(self, truth: Footage, made: Sequence[Image]) -> float:
        errors = []
        for i, face in enumerate(truth.measured[:-1]):
            if face is None:
                continue
            a, b = truth.frames[i].image, truth.frames[i + 1].image
            forward = self._flow.flow(a, b)
            whole = Box(0, 0, a.shape[1], a.shape[0])
            oval = masks.polygon_mask(masks.outline(masks.Region.FACE_OVAL, face.landmarks), whole) > 0.5
            valid = visible_in_both(forward, self._flow.flow(b, a)) & oval
            errors.append(warping_error(made[i], made[i + 1], forward, valid).squared)
        return float(np.nanmean(errors))


def oval_box(face: Face, width: int, height: int) -> Box:
    """The box of the oval of a face, clipped to the picture."""
    return Box.around(masks.outline(masks.Region.FACE_OVAL, face.landmarks)).clip(width, height)


def spline_warps(truth: Footage) -> list[Image]:
    """The first frame warped to the landmarks of every frame."""
    first, start = truth.frames[0], truth.measured[0]
    if start is None:
        raise ValueError(f"{truth.path}: nobody is seen in the first frame")
    corners = [(x, y) for x in (0, first.width - 1) for y in (0, first.height - 1)]
    own, held, warps = np.vstack([start.landmarks[:468, :2], corners]), start, []
    for frame, face in zip(truth.frames, truth.steady, strict=True):
        held = face or held
        goal = np.vstack([held.landmarks[:468, :2], corners])
        where = ThinPlateSpline.fit(goal, own, _SMOOTHING).field(Box(0, 0, frame.width, frame.height), _STEP)
        warps.append(cv2.remap(first.image, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))
    return warps


def driven(truth: Footage, method: str) -> list[Image]:
    """The first frame driven by the clip."""
    attributes = installed()[method].takes & {Attribute.EXPRESSION, Attribute.POSE, Attribute.GAZE}
    source, first = truth.driver(), truth.frames[0]
    stills = [type(first)(frame.index, frame.time, first.image) for frame in truth.frames]
    return apply(method, dict.fromkeys(sorted(attributes), source), stills, [truth.measured[0]] * len(stills))


def sheet(truth: Footage, rows: Sequence[Sequence[Image]]) -> NDArray[np.uint8]:
    """A few frames of the clip, and below them what was made of its first one."""
    picked = np.linspace(1, len(truth.frames) - 1, _SHOWN).astype(int)
    boxes = [_around(truth.measured[i] or truth.measured[0], truth.frames[i].image) for i in picked]
    every = [[frame.image for frame in truth.frames], *rows]
    size = (_TILE, _TILE)
    cut = [[cv2.resize(row[i][box.slices], size) for i, box in zip(picked, boxes, strict=True)] for row in every]
    return np.vstack([np.hstack(row) for row in cut])


def _around(face: Face, image: Image) -> Box:
    box = face.box.pad(int(0.25 * face.box.width))
    return box.clip(image.shape[1], image.shape[0])


def main() -> None:
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    store = Store()
    perception, console, found = Perception(store), Console(width=150), {}
    judge = Judge(perception, store)
    for clip in clips_of(options.media, options.clips):
        truth = read_footage(clip, options.frames, perception)
        if truth.measured[0] is None:
            console.print(f"{clip.name}: nobody is seen in the first frame; left out")
            continue
        made = {
            options.method: driven(truth, options.method),
            STATIC: [truth.frames[0].image] * len(truth.frames),
            SPLINE: spline_warps(truth),
        }
        found[clip.stem] = {name: judge.scores(truth, pictures) for name, pictures in made.items()}
        write_image(options.out / f"{clip.stem}.png", sheet(truth, list(made.values())), overwrite=True)
        console.print(table({clip.stem: found[clip.stem]}), soft_wrap=True)
    plain = {clip: {name: vars(scores) for name, scores in rows.items()} for clip, rows in found.items()}
    (options.out / "reenactment.json").write_text(json.dumps(plain, indent=2), encoding="utf-8")
    (options.out / "reenactment.md").write_text(table(found) + "\n", encoding="utf-8")


def table(found: dict[str, dict[str, Scores]]) -> str:
    """Markdown, a row for each clip and way of making it move."""
    names = [field.name for field in fields(Scores)]
    lines = [" | ".join(["| clip", "made by", *names, ""]).strip(), "|---|---" + "|---" * len(names) + "|"]
    for clip, rows in found.items():
        for name, scores in rows.items():
            cells = ["" if math.isnan(v) else f"{v:.4g}" for v in vars(scores).values()]
            lines.append(f"| {clip} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = clip_arguments(__doc__, 80)
    parser.add_argument("--method", default="unifacegan")
    return parser.parse_args()


if __name__ == "__main__":
    main()
