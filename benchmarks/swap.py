"""Measure face swaps: a portrait's face put on the person of a clip.

python benchmarks/swap.py --media DIR --out DIR [--references PICTURE ...]

Per clip and reference: identity (cosine to the reference of target and result, in two networks where ArcFace is given),
the distance of pose and expression to the target beside the reference's own, and E_tmp beside the target's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
from footage import Footage, apply, look_again, read_footage
from media_folder import clip_arguments, clips_of
from rich.console import Console

from faceloom.evaluate.metrics.pose import expression_error, morphable_expression_error, pose_error
from faceloom.evaluate.metrics.temporal import temporal_error
from faceloom.geometry.mesh_flow import mesh_flow
from faceloom.media import read_image, write_image
from faceloom.methods.unifacegan.anchors import find_anchors
from faceloom.methods.unifacegan.head_motion import cameras_of_head
from faceloom.perceive import FaceEmbedder, Perception, perceive_image
from faceloom.perceive.morphable import (
    MorphableModel,
    MorphableRegressor,
    MotionTemplate,
    adjust_to_landmarks,
    read_morphable_model,
    smooth_motion,
)
from faceloom.types import Attribute, Face, Image, Source
from faceloom.weights import Store

PORTRAITS = Path(__file__).resolve().parent.parent / "examples" / "portraits"
REFERENCES = tuple(PORTRAITS / f"{name}.jpg" for name in ("person_05", "person_06", "person_03"))
_EVERY = 5
_SHOWN = 6
_TILE = 256


@dataclass(frozen=True)
class Swap:
    """One clip with one face put on; means over the frames.

    identity_before, identity_after  cosine of SFace, target and result to the reference.
    closer         share of the way from target to reference that the result has gone: the difference of its cosines to
                   the two, scaled to be 0 at the target and 1 at the reference. More than 0.5 is past the middle.
    pose, pose_source                degrees from the target: the result's, and the reference's own.
    expression, expression_source    3DMM expression, in deviations, in the same way.
    blendshapes, blendshapes_source  52 blendshapes.
    e_tmp_ratio    E_tmp (equation 17 of UniFaceGAN) over the target's own, with faces fitted frame by frame.
    e_tmp_head_ratio  the same with cameras that move as the head: fitted ones jump by pixels when lids shut, and E_tmp
                   counts that the more the darker the brows are.
    """

    identity_before: float
    identity_after: float
    closer: float
    pose: float
    pose_source: float
    expression: float
    expression_source: float
    blendshapes: float
    blendshapes_source: float
    e_tmp_ratio: float
    e_tmp_head_ratio: float


class Judge:
    """Compares swaps with what they were made from."""

    def __init__(self, perception: Perception, store: Store) -> None:
        self._perception, self._embedder = perception, FaceEmbedder(store)
        self._regressor, self._model = MorphableRegressor(store), read_morphable_model(store)

    def score(self, target: Footage, reference: Source, made: Sequence[Image]) -> Swap:
        """``made`` (one picture a frame of ``target``) with the face of ``reference``."""
        found = look_again(made, target, self._perception)
        wanted = self._embedder.embed(reference.image, reference.face.landmarks)
        own = self._expression(reference.image, reference.face)
        rows, deviation = [], self._regressor.expression_deviation
        for i in range(0, len(made), _EVERY):
            face, after, image = target.measured[i], found[i], target.frames[i].image
            if face is None or after is None:
                continue
            before, now = (self._embedder.embed(p, f.landmarks) for p, f in ((image, face), (made[i], after)))
            a, b = float(before @ wanted), float(now @ wanted)
            truth = self._expression(image, face)
            rows.append(
                (
                    a,
                    b,
                    0.5 + 0.5 * (b - float(now @ before)) / max(1 - a, 1e-6),
                    pose_error(face, after),
                    pose_error(face, reference.face),
                    morphable_expression_error(truth, self._expression(made[i], after), deviation),
                    morphable_expression_error(truth, own, deviation),
                    expression_error(face, after),
                    expression_error(face, reference.face),
                )
            )
        fitted = self._fit(target)
        ratios = [self._flicker(target, made, motion) for motion in (fitted, self._with_the_head(fitted, target))]
        return Swap(*(float(mean) for mean in np.mean(rows, axis=0)), *ratios)

    def _expression(self, image: Image, face: Face) -> np.ndarray:
        return self._regressor.from_landmarks(image, face.landmarks).expression

    def _with_the_head(self, motion: MotionTemplate, target: Footage) -> MotionTemplate:
        first = int(np.flatnonzero(motion.present)[0])
        face, placed = motion.parameters(first), [f and f.landmarks.astype(np.float64) for f in target.steady]
        anchors = find_anchors(self._model, face, placed[first], self._regressor.expression_deviation)
        depth = anchors.depth_of(self._model.vertices(face), placed[first])
        moved = cameras_of_head(face.camera.astype(np.float64), depth, placed)
        pairs = zip(moved, motion.cameras, strict=True)
        return replace(motion, cameras=np.stack([own if new is None else new for new, own in pairs]))

    def _flicker(self, target: Footage, made: Sequence[Image], motion: MotionTemplate) -> float:
        pairs = []
        for i in range(0, len(made) - 1, 2):
            a, b = motion.parameters(i), motion.parameters(i + 1)
            if a is None or b is None:
                continue
            size = motion.width, motion.height
            found = mesh_flow(self._model.vertices(a), self._model.vertices(b), self._model.triangles, *size)
            pictures = (made[i], made[i + 1]), (target.frames[i].image, target.frames[i + 1].image)
            pairs.append([temporal_error(*two, found.flow, found.visible) for two in pictures])
        after, before = np.nanmean(pairs, axis=0)
        return float(after / before)

    def _fit(self, target: Footage) -> MotionTemplate:
        return smooth_motion(fit_footage(target, self._regressor, self._model))


def fit_footage(target: Footage, regressor: MorphableRegressor, model: MorphableModel) -> MotionTemplate:
    """The 3D face in every frame."""
    fits = [
        None
        if face is None
        else adjust_to_landmarks(
            model,
            regressor.from_landmarks(frame.image, face.landmarks),
            face.landmarks,
            regressor.expression_deviation,
        )
        for frame, face in zip(target.frames, target.steady, strict=True)
    ]
    first = target.frames[0]
    return MotionTemplate.of(fits, [frame.time for frame in target.frames], first.width, first.height)


def sheet(target: Footage, made: Sequence[Image], reference: Source) -> Image:
    """Above frames of the clip, below the same after the swap; left the reference."""
    picked = np.linspace(0, len(made) - 1, _SHOWN).astype(int)
    tiles = [[_tile(reference.image, reference.face)] * 2]
    for i in picked:
        face = target.measured[i]
        if face is not None:
            tiles.append([_tile(target.frames[i].image, face), _tile(made[i], face)])
    return np.hstack([np.vstack(column) for column in tiles])


def _tile(image: Image, face: Face) -> Image:
    box = face.box.pad(int(0.25 * face.box.width)).clip(image.shape[1], image.shape[0])
    return cv2.resize(image[box.slices], (_TILE, _TILE), interpolation=cv2.INTER_AREA)


def main() -> None:
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    store = Store()
    perception, console, found = Perception(store), Console(width=170), {}
    judge = Judge(perception, store)
    for clip in clips_of(options.media, options.clips):
        target = read_footage(clip, options.frames, perception)
        for path in options.references:
            image = read_image(path)
            reference = Source(path, image, perceive_image(image, perception)[0])
            made = apply(options.method, {Attribute.IDENTITY: reference}, target.frames, target.steady)
            name = f"{clip.stem}, {path.stem}"
            found[name] = judge.score(target, reference, made)
            write_image(options.out / f"{clip.stem}_{path.stem}.png", sheet(target, made, reference), overwrite=True)
            console.print(name, {key: round(value, 3) for key, value in vars(found[name]).items()}, soft_wrap=True)
    plain = {name: vars(swap) for name, swap in found.items()}
    (options.out / "swap.json").write_text(json.dumps(plain, indent=2), encoding="utf-8")
    (options.out / "swap.md").write_text(table(found) + "\n", encoding="utf-8")


def table(found: dict[str, Swap]) -> str:
    """Markdown, a row for each clip and reference."""
    names = [field.name for field in fields(Swap)]
    lines = [f"| clip, reference | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(f'{v:.3g}' for v in vars(swap).values())} |" for name, swap in found.items()]
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = clip_arguments(__doc__, 60)
    parser.add_argument("--references", nargs="*", type=Path, default=REFERENCES, help="pictures of faces to put on")
    parser.add_argument("--method", default="unifacegan")
    return parser.parse_args()


if __name__ == "__main__":
    main()
