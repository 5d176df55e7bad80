"""What langbrt makes once for a recipe, and what it keeps of the people that it meets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError, WeightsError
from faceloom.geometry.masks import smoothstep
from faceloom.methods.langbrt.checkpoint import load_langbrt
from faceloom.methods.langbrt.lift import lift
from faceloom.methods.langbrt.network import Network, Seen
from faceloom.methods.langbrt.options import MINILM, Options
from faceloom.methods.langbrt.prompts import Prompt, Side
from faceloom.methods.langbrt.regions import area_masks, side_mask
from faceloom.methods.langbrt.requests import Asked, read_requests
from faceloom.methods.langbrt.side_by_side import SideBySide
from faceloom.methods.langbrt.skin import Skin, choose_skin
from faceloom.methods.langbrt.temporal import PARSED_EVERY, RADIUS, Correction, moved, steady
from faceloom.methods.memo import FrameMemo, Shots
from faceloom.methods.multiband import CONFIDENCE
from faceloom.methods.timing import NetworkCall, stage
from faceloom.methods.vpartswap.crops import FaceCrop, cut_face
from faceloom.perceive.clip_text import ClipText
from faceloom.perceive.text import MiniLM
from faceloom.types import Box, Face, Frame, Matte, Patch, Points, PromptMap, Window
from faceloom.weights import Store

LEAST_WIDTH, FULL_WIDTH = 48.0, 64.0
"""Pixels: width of a face below which it is left alone, and from which on it is retouched in full."""
_BEYOND, _EDGE = 3, 2.0
"""Pixels of the aligned face by which areas reach over, so that no blemish is cut in half, and their soft edge."""
_THERE = 0.5
"""Certainty of a pixel from which on a thing counts as found."""


@dataclass(frozen=True, eq=False)
class Work:
    """What was found on one face in one frame."""

    seen: FaceCrop
    skin: Matte
    correction: Correction


@dataclass(eq=False)
class Prepared:
    """The network with what was asked of it, and the last frames of the people met so far.

    peaks    for each prompt, the greatest certainty so far.
    widest   the width of the largest face so far, pixels.
    """

    network: Network
    asked: Asked
    skin: Skin
    options: Options
    threads: SideBySide
    memo: FrameMemo[Work | None] = field(default_factory=FrameMemo)
    parsed: FrameMemo[tuple[Matte | None, NDArray[np.float32]]] = field(default_factory=FrameMemo)
    shots: Shots = field(default_factory=Shots)
    widest: float = 0.0

    def __post_init__(self) -> None:
        self.peaks = np.zeros(len(self.asked.prompts), np.float32)

    def edit(self, window: Window, faces: Sequence[Face | None]) -> list[list[Patch]]:
        """Patches for every frame of the window's core; the faces are all of one person."""
        for person in {face.track for face in faces if face is not None}:
            if self.shots.is_new_to(person, window):
                self.memo.forget(person)
                self.parsed.forget(person)
        for memo in (self.memo, self.parsed):
            memo.forget_before(window.frames[0].index)
        core = range(*window.core.indices(len(window.frames)))
        reach = range(max(0, core.start - RADIUS), min(len(window.frames), core.stop + RADIUS))
        self._measure(window, faces, reach)
        works = {i: self.memo.value(face.track, window.frames[i].index) for i in reach if (face := faces[i])}
        known = {i: work.correction for i, work in works.items() if work is not None}
        return [self._patches(window.frames[i], faces[i], works.get(i), known, i) for i in core]

    def maps(self, frame: Frame, face: Face) -> list[PromptMap]:
        """See ``Retoucher.maps``."""
        if _width(face) < LEAST_WIDTH:
            return []
        crop = cut_face(frame, face, self.network.size)
        ((_, seen),) = self._look([crop], [self.skin.parse(crop.rounded)])
        return [PromptMap(name, one, crop.crop) for name, one in zip(self.asked.names, seen.found, strict=True)]

    def conclude(self, where: str) -> list[str]:
        """See ``Retoucher.conclude``."""
        if 0 < self.widest < LEAST_WIDTH:
            raise FaceError(
                f"{where}: the face is {self.widest:.0f} pixels wide, too small to retouch; nothing was written. Faces "
                f"must be at least {LEAST_WIDTH:.0f} pixels wide"
            )
        missed = [
            f"{where}: nothing was found for '{request}'"
            for request, numbers in self.asked.groups
            if self.peaks[list(numbers)].max(initial=0) < _THERE
        ]
        return [*self.asked.remarks, *missed]

    def _measure(self, window: Window, faces: Sequence[Face | None], reach: range) -> None:
        """Look at the faces that were not looked at before, and remember what was found."""
        frames = window.frames
        seen = {i: face for i in reach if (face := faces[i]) is not None}
        self.widest = max([self.widest, *map(_width, seen.values())])
        new = {i: face for i, face in seen.items() if not self.memo.known(face.track, frames[i].index)}
        with stage("crop"):
            large = [i for i, face in new.items() if _width(face) >= LEAST_WIDTH]
            crops = [cut_face(frames[i], new[i], self.network.size) for i in large]
        with stage("skin"):
            parsed = self._parse(window, faces, dict(zip(large, crops, strict=True)))
        works = dict(zip(large, map(self._work, crops, self._look(crops, parsed)), strict=True))
        for i, face in new.items():
            self.memo.put(face.track, frames[i].index, works.get(i))

    def _parse(self, window: Window, faces: Sequence[Face | None], crops: Mapping[int, FaceCrop]) -> list[Matte | None]:
        """What the parser says of each crop, from the last frame before it that is parsed."""
        frames = window.frames
        keys = {i: _key(window, faces, i) for i in crops}
        wanted = {k: one for k in keys.values() if (one := faces[k]) is not None}
        new = {k: one for k, one in wanted.items() if not self.parsed.known(one.track, frames[k].index)}
        own = [crops[k] if k in crops else cut_face(frames[k], face, self.network.size) for k, face in new.items()]
        for crop, face, mask in zip(
            own, new.values(), self.threads.map(lambda crop: self.skin.parse(crop.rounded), own), strict=True
        ):
            self.parsed.put(face.track, crop.index, (mask, _points(crop)))
        found: list[Matte | None] = []
        for i, crop in crops.items():
            mask, points = self.parsed.value(wanted[keys[i]].track, frames[keys[i]].index)
            found.append(None if mask is None else moved(mask, points, _points(crop)))
        return found

    def _work(self, crop: FaceCrop, looked: tuple[Matte, Seen]) -> Work:
        skin, seen = looked
        np.maximum(self.peaks, seen.found.max(axis=(1, 2)), out=self.peaks)
        values = np.dstack([seen.change, seen.cover])
        return Work(crop, skin, Correction(values, _points(crop)))

    def _look(self, crops: Sequence[FaceCrop], parsed: Sequence[Matte | None]) -> list[tuple[Matte, Seen]]:
        """The skin of each face, and what is found on it."""

        def look(pair: tuple[FaceCrop, Matte | None]) -> tuple[Matte, Seen]:
            crop, mask = pair
            skin = self.skin.find(crop.rounded, crop.landmarks, mask)
            allowed = skin * regions(self.asked.prompts, crop.landmarks, len(skin))
            return skin, self.network.look(crop.picture, allowed)

        pairs = list(zip(crops, parsed, strict=True))
        if not pairs:
            return []
        call = NetworkCall(len(pairs), "cpu", "float32", lambda: [look(pair) for pair in pairs])
        with stage("network", call):
            return self.threads.map(look, pairs)

    def _patches(
        self, frame: Frame, face: Face | None, work: Work | None, known: dict[int, Correction], index: int
    ) -> list[Patch]:
        if face is None or work is None:
            return []
        trust = smoothstep(face.confidence, *CONFIDENCE) * smoothstep(_width(face), LEAST_WIDTH - 1, FULL_WIDTH)
        with stage("steady"):
            correction = steady(known, index)
        if not trust > 0 or not correction.cover.any():
            return []
        values = correction.values * np.array([trust, trust, trust, 1], np.float32)
        seen = work.seen
        return lift(frame, seen.crop, seen.picture, work.skin, replace(correction, values=values), self.options.grain)


def prepare(options: Options, store: Store) -> Prepared:
    """Load the networks and understand the requests. Raises ``RecipeError`` and ``WeightsError``."""
    reader = MiniLM(store)
    named = options.checkpoint in store.records
    loaded = load_langbrt(store.path(options.checkpoint) if named else Path(options.checkpoint).expanduser())
    encoder = reader if options.text_encoder == MINILM else ClipText(Path(options.text_encoder).expanduser())
    _require_same_encoder(options, loaded.text_encoder, encoder.name)
    asked = read_requests(options.retouch, reader, encoder)
    skin = choose_skin(options.skin, store)
    return Prepared(Network(loaded, asked), asked, skin, options, SideBySide(options.workers))


def _require_same_encoder(options: Options, trained: str, given: str) -> None:
    """Raise ``WeightsError`` that says how to give the text encoder that the weights were trained with."""
    if trained == given:
        return
    how = (
        "leave out --option text_encoder"
        if trained == MiniLM.name
        else f"give the folder of the weights that are '{trained}' (for CLIP: the first digits of their SHA-256) with "
        "--option text_encoder=FOLDER"
    )
    raise WeightsError(
        f"{options.checkpoint} was trained with the text encoder '{trained}', whose vectors cannot be those of "
        f"'{given}'; {how}"
    )


def regions(prompts: Sequence[Prompt], landmarks: Points, size: int) -> NDArray[np.float32]:
    """Where each prompt may be found on an aligned face of ``size`` pixels: (N, size, size) float32 in [0, 1].

    Areas reach over a little; sides do not, and both end softly.
    """
    box = Box(0, 0, size, size)
    areas = area_masks(landmarks, box)
    reach = 2 * round(_BEYOND * size / 256) + 1
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    wide = {
        area: cv2.GaussianBlur(cv2.dilate(areas[area], element), (0, 0), _EDGE * size / 256)
        for area in {prompt.area for prompt in prompts}
    }
    sides = {side: side_mask(side, landmarks, box) for side in {prompt.side for prompt in prompts} | {Side.BOTH}}
    return np.stack([wide[prompt.area] * sides[prompt.side] for prompt in prompts])


def _key(window: Window, faces: Sequence[Face | None], i: int) -> int:
    """The frame of the window whose parsing counts for frame ``i``: every fourth of the clip, or ``i`` itself.

    Never depends on how the clip is cut into windows: the context reaches back that far.
    """
    key = i - window.frames[i].index % PARSED_EVERY
    face = faces[key] if key >= 0 else None
    return key if face is not None and _width(face) >= LEAST_WIDTH else i


def _points(crop: FaceCrop) -> NDArray[np.float32]:
    return crop.landmarks[:, :2].astype(np.float32)


def _width(face: Face) -> float:
    return float(np.ptp(face.landmarks[:, 0]))
