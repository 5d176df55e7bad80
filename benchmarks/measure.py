"""Score the variants of one clip while its frames pass by."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import cv2
import numpy as np
from contact_sheets import Gallery
from edited_frames import Shown, Variant, Workshop, nearest
from numpy.typing import NDArray

from faceloom.evaluate import motion, warping
from faceloom.geometry import masks
from faceloom.geometry.masks import Region
from faceloom.geometry.partcover import face_scale, mouth_openness, part_box, part_matte
from faceloom.perceive import Perception
from faceloom.perceive.tracker import FaceTracker
from faceloom.types import Attribute, Box, Face, Frame, Image

_LONGEST = 512
"""Pixels: larger face crops are reduced before the flow is computed."""
_LIP_EDGE = 0.03
"""How far the edge of what shows between the lips reaches onto them, in inter-ocular distances."""


@dataclass
class Row:
    """What was measured for one clip, part, reference and method. Lists have one entry per frame or pair of frames.

    Warping errors are 1000 x mean squared (or absolute) differences in the face oval; the part's own are taken
    under its matte, those of its surface without what shows between the lips. Landmark shifts are shares of the
    inter-ocular distance. ``pairs`` holds the first frame of each pair that was scored, ``errors`` and
    ``target_errors`` the squared errors in that order.
    """

    clip: str
    part: str
    reference: str
    method: str
    frames: int = 0
    edited: int = 0
    passed: int = 0
    face_lost: int = 0
    lost_in_output: int = 0
    edit_ms: float = 0.0
    fps: float = 0.0
    warp: float = math.nan
    warp_absolute: float = math.nan
    warp_part: float = math.nan
    warp_surface: float = math.nan
    target_warp: float = math.nan
    landmarks: float = math.nan
    landmarks_worst_frame: float = math.nan
    unsteady: float = math.nan
    worst_landmark: int = -1
    mouth: motion.Agreement | None = None
    eyes: motion.Agreement | None = None
    worst_frames: list[int] = field(default_factory=list)
    pairs: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    target_errors: list[float] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two consecutive frames of the target, cut out around the face and reduced, with their motion."""

    box: Box
    size: tuple[int, int]
    flow: warping.Flow
    face: warping.Mask
    parts: dict[Attribute, warping.Mask]
    surfaces: dict[Attribute, warping.Mask]

    def cut(self, image: Image) -> Image:
        return cv2.resize(image[self.box.slices], self.size, interpolation=cv2.INTER_AREA)


@dataclass(frozen=True)
class _OwnError:
    """The target's own warping error from frame ``index`` to the next: of the face; squared, of parts and surfaces."""

    index: int
    face: warping.WarpingError
    parts: dict[Attribute, float]
    surfaces: dict[Attribute, float]


class _Scores:
    """Running figures of one variant."""

    def __init__(self, variant: Variant, perception: Perception, outside: NDArray[np.bool_]) -> None:
        self.variant, self.outside = variant, outside
        # Baselines are compared on warping error alone; finding landmarks on them would double the time.
        self.tracker = None if variant.is_baseline else FaceTracker(perception)
        self.gallery = None if variant.is_baseline else Gallery()
        self.errors: list[tuple[float, float, float, float]] = []
        self.shifts: list[NDArray[np.float64]] = []
        self.found: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        self.edited = self.lost = 0

    def look(self, shown: Shown) -> None:
        """Find the landmarks of the output, independently of the target's."""
        output = shown.outputs[self.variant]
        self.edited += output.changed is not None
        if self.tracker is None:
            return
        faces = self.tracker.update(output)
        if shown.measured is None:
            return
        face = nearest(faces, shown.measured)
        if face is None:
            self.lost += 1
            return
        self.found.append((shown.measured.landmarks, face.landmarks))
        self.shifts.append(motion.landmark_shift(shown.measured.landmarks, face.landmarks)[self.outside])


def measure_clip(path: Path, workshop: Workshop, outside: dict[Variant, NDArray[np.bool_]], most: int | None,
                 sheets: Path | None) -> list[Row]:  # fmt: skip
    """Run all variants over a clip and score them; contact sheets go to ``sheets``."""
    scores = {variant: _Scores(variant, workshop.perception, outside[variant]) for variant in workshop.variants}
    own: list[_OwnError] = []
    before: Shown | None = None
    frames = lost = 0
    parts = list(dict.fromkeys(variant.part for variant in workshop.variants))
    for shown in workshop.frames(path, most):
        frames += 1
        lost += shown.face is None
        for score in scores.values():
            score.look(shown)
        if before is not None and before.face is not None and shown.face is not None and not shown.cut:
            _score_pair(before, shown, before.face, workshop, parts, scores, own)
        before = shown
    rows = [_row(path, score, workshop, frames, lost, own) for score in scores.values()]
    if sheets is not None:
        for score in scores.values():
            if score.gallery is not None:
                score.gallery.write(sheets, path.stem, score.variant, frames)
    return rows


def _score_pair(before: Shown, shown: Shown, face: Face, workshop: Workshop, parts: list[Attribute],
                scores: dict[Variant, _Scores], own: list[_OwnError]) -> None:  # fmt: skip
    pair = _pair(before.target.image, shown.target.image, face, workshop, parts)
    if pair is None:
        return
    residual = warping.warping_residual(pair.cut(before.target.image), pair.cut(shown.target.image), pair.flow)
    error = warping.residual_error(residual, pair.face)
    by_part, by_surface = (
        {part: warping.residual_error(residual, mask).squared for part, mask in some.items()}
        for some in (pair.parts, pair.surfaces)
    )
    own.append(_OwnError(before.target.index, error, by_part, by_surface))
    for variant, score in scores.items():
        first, following = pair.cut(before.outputs[variant].image), pair.cut(shown.outputs[variant].image)
        changed = warping.warping_residual(first, following, pair.flow)
        result = warping.residual_error(changed, pair.face)
        part, surface = (
            warping.residual_error(changed, some[variant.part]).squared for some in (pair.parts, pair.surfaces)
        )
        score.errors.append((result.squared, result.absolute, part, surface))
        if score.gallery is not None:
            increase = np.abs(changed).sum(axis=-1) - np.abs(residual).sum(axis=-1)
            focus = _focus(variant.part, face, before.target)
            rise = result.squared - error.squared
            score.gallery.offer(before.target, before.outputs[variant], pair.box, focus, increase, rise, error.squared)


def _pair(first: Image, following: Image, face: Face, workshop: Workshop, parts: list[Attribute]) -> _Pair | None:
    height, width = first.shape[:2]
    landmarks = face.landmarks.astype(np.float64)
    box = face.box.pad(round(0.08 * face.box.height) + 4).clip(width, height)
    if min(box.width, box.height) < 16:
        return None
    scale = min(1.0, _LONGEST / max(box.width, box.height))
    size = (round(box.width * scale), round(box.height * scale))
    a, b = (cv2.resize(image[box.slices], size, interpolation=cv2.INTER_AREA) for image in (first, following))
    flow = workshop.perception.flow
    forward, backward = flow.flow(a, b), flow.flow(b, a)
    visible = warping.visible_in_both(forward, backward)
    oval = visible & (cv2.resize(masks.region_mask(Region.FACE_OVAL, landmarks, box), size) > 0.5)
    opening = masks.dilate(masks.region_mask(Region.INNER_MOUTH, landmarks, box), _LIP_EDGE * face_scale(landmarks))
    closed = cv2.resize(opening, size) <= 0.02
    whole = {}
    for attribute in parts:
        covers = [part_matte(part, landmarks, None, box) for part in attribute.parts]
        whole[attribute] = visible & (cv2.resize(np.maximum.reduce(covers), size) > 0.02)
    surfaces = {part: mask & closed if part == Attribute.MOUTH else mask for part, mask in whole.items()}
    return _Pair(box, size, forward, oval, whole, surfaces)


def _focus(attribute: Attribute, face: Face, frame: Frame) -> Box:
    boxes = [part_box(part, face.landmarks, frame.width, frame.height) for part in attribute.parts]
    return reduce(Box.union, boxes)


def _row(path: Path, score: _Scores, workshop: Workshop, frames: int, lost: int, own: list[_OwnError]) -> Row:
    variant = score.variant
    row = Row(path.stem, variant.part.value, variant.reference.stem, variant.method)
    row.frames, row.edited, row.passed, row.face_lost = frames, score.edited, frames - score.edited, lost
    row.lost_in_output = score.lost
    if frames:
        row.edit_ms = 1000 * workshop.seconds[variant] / frames
        row.fps = frames / (workshop.seconds[variant] + workshop.perceiving)
    if own:
        squared, absolute, part, surface = zip(*score.errors, strict=True)
        row.target_errors = [one.face.squared for one in own]
        row.errors, row.pairs = list(squared), [one.index for one in own]
        row.warp = warping.warping_ratio(squared, row.target_errors)
        row.warp_absolute = warping.warping_ratio(absolute, [one.face.absolute for one in own])
        row.warp_part = warping.warping_ratio(part, [one.parts[variant.part] for one in own])
        row.warp_surface = warping.warping_ratio(surface, [one.surfaces[variant.part] for one in own])
        row.target_warp = float(np.nanmean(row.target_errors))
    if score.shifts:
        shifts = np.stack(score.shifts)
        row.landmarks, row.landmarks_worst_frame = float(shifts.mean()), float(shifts.mean(axis=1).max())
        row.worst_landmark = int(np.flatnonzero(score.outside)[shifts.mean(axis=0).argmax()])
        target, output = zip(*score.found, strict=True)
        row.unsteady = float(motion.landmark_unsteadiness(target, output)[score.outside].mean())
        row.mouth = motion.opening_agreement(target, output, mouth_openness)
        row.eyes = motion.opening_agreement(target, output, motion.eyes_openness)
    if score.gallery is not None:
        row.worst_frames = score.gallery.worst_frames
    return row
