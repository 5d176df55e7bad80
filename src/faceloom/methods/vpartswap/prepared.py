"""What V-PartSwap makes once for a recipe, and what it keeps of the people that it meets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from faceloom.errors import WeightsError
from faceloom.geometry.similarity import face_crop
from faceloom.methods.memo import FrameMemo, Shots
from faceloom.methods.multiband import ORDER, Job
from faceloom.methods.part_reference import lips_only
from faceloom.methods.vpartswap.alignment import ReferencePart, lit, reference_part
from faceloom.methods.vpartswap.checkpoint import load_checkpoint
from faceloom.methods.vpartswap.codec import Codec
from faceloom.methods.vpartswap.crops import resample, to_crop
from faceloom.methods.vpartswap.finish import Work, finish
from faceloom.methods.vpartswap.match import steady_tint, tint
from faceloom.methods.vpartswap.options import Options
from faceloom.methods.vpartswap.pipeline import EncodedPart, edit_crops, encode_reference
from faceloom.methods.vpartswap.temporal import Flow
from faceloom.perceive.flow import OpticalFlow
from faceloom.perceive.raft import RaftFlow
from faceloom.types import Attribute, Face, Frame, Part, Patch, Source, Window
from faceloom.weights import Store


@dataclass(frozen=True, eq=False)
class Prepared:
    """What depends on the references alone, and what is known of the people met so far.

    encoded  for each person, the references in that person's light, and their codes.
    tints    for each person, what the last frames had to be corrected by, see ``match``.
    """

    codec: Codec
    references: list[ReferencePart]
    flow: Flow | None
    multiband: list[Job]
    encoded: dict[int, list[EncodedPart]] = field(default_factory=dict)
    tints: dict[int, FrameMemo[NDArray[np.float32]]] = field(default_factory=dict)
    shots: Shots = field(default_factory=Shots)

    def meet(self, person: int, window: Window) -> None:
        """Drop what is known of a person in another shot or clip; before ``edit``, for every person in every window."""
        if self.shots.is_new_to(person, window):
            self.tints.pop(person, None)
            self.encoded.pop(person, None)

    def edit(self, work: Sequence[Work], window: Window, faces: Sequence[Face | None]) -> list[Patch]:
        """The patch of every frame in ``work``, all of one person and in ``window``."""
        if not work:
            return []
        person = work[0].face.track
        if person not in self.encoded:
            self.encoded[person] = self._encode(work[0].frame, window, faces)
        tints = self.tints.setdefault(person, FrameMemo())
        seen, collages = [w.seen for w in work], [w.collage for w in work]
        rendered = edit_crops(self.codec, self.encoded[person], seen, collages, self.flow)
        patches = []
        for one, result in zip(work, rendered, strict=True):
            picture = result.picture
            if self.codec.options.colour:
                tints.put(person, one.seen.index, tint(picture, one.seen.picture, result.mask))
                picture = picture + steady_tint(tints, person, one.seen.index)
            patches.append(finish(one, picture, self.references, self.codec.options))
        return patches

    def _encode(self, first: Frame, window: Window, faces: Sequence[Face | None]) -> list[EncodedPart]:
        """Invert the references once for a person, in the light that falls on that person in the first edited frame."""
        references = self.references
        if self.codec.options.light:
            index = next(i for i, frame in enumerate(window.frames) if frame is first)
            lights = [job.meter.lights(window.frames, faces)[index] for job in self.multiband]
            pairs = zip(references, lights, strict=True)
            references = [part if light is None else lit(part, light.skin) for part, light in pairs]
        return encode_reference(self.codec, references)


def load_codec(options: Options, store: Store) -> Codec:
    """The network that ``options.checkpoint`` names: a weight of the store, or a file."""
    named = options.checkpoint in store.records
    path = store.path(options.checkpoint) if named else Path(options.checkpoint).expanduser()
    try:
        return Codec(load_checkpoint(path), options)
    except ValidationError as error:
        first = error.errors()[0]
        raise WeightsError(
            f"{path} recommends for option {first['loc'][0]} what means nothing: {first['msg']}"
        ) from error


def make_flow(options: Options, store: Store) -> Flow | None:
    """What ``options.attention`` names."""
    if options.attention == "raft":
        return RaftFlow(store)
    return OpticalFlow() if options.attention == "dis" else None


def read_references(sources: Mapping[Attribute, Source], codec: Codec) -> list[ReferencePart]:
    """All parts wanted, in the order of ``multiband``, in the aligned crops of their pictures."""
    chosen = {part: source for attribute, source in sources.items() for part in attribute.parts}
    parts = []
    for part in (part for part in ORDER if part in chosen):
        source, landmarks = chosen[part], chosen[part].face.landmarks.astype(np.float64)
        without_teeth = part == Part.MOUTH and codec.options.layers
        image = lips_only(source.image, landmarks) if without_teeth else source.image
        crop = face_crop(landmarks, codec.size)
        parts.append(reference_part(part, resample(image, crop), to_crop(landmarks, crop)))
    return parts
