"""multiband: transfer facial parts with no network at all.

The reference's part is warped onto each frame's landmarks (layers of thin-plate maps, geometry/partmaps), lit
like the skin around it, and blended band by band in a Laplacian pyramid. What moves in the target goes on
moving: teeth and tongue, gaze, blinks and lip closures are the target's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import RecipeError
from faceloom.geometry import colour, masks, pyramid, warp
from faceloom.geometry.glasses import rims
from faceloom.geometry.partcover import face_scale, part_and_core_mattes, part_box, visibility
from faceloom.geometry.partmaps import EyeTrust, part_layers
from faceloom.geometry.sharpness import soften
from faceloom.methods.eyeball import IRIS_RADIUS, TRUST_RADIUS, steady_irises, steady_trusts
from faceloom.methods.face_look import FaceLooks
from faceloom.methods.light import SMOOTHING_RADIUS, Light, LightMeter, light_frame
from faceloom.methods.memo import Shots
from faceloom.methods.occlusion import CoverWatch, cover_matte
from faceloom.methods.part_reference import PartReference, cut_reference
from faceloom.methods.registration import Registrar
from faceloom.methods.surround import part_and_skin
from faceloom.methods.temple_hair import hair_matte
from faceloom.methods.tone import light_alone, on_other_skin
from faceloom.perceive import Perception
from faceloom.types import Attribute, Box, Crop, Face, FloatImage, Frame, Image, Matte, Part, Patch, Source, Window
from faceloom.weights import Store

ORDER = (Part.NOSE, Part.MOUTH, Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW, Part.LEFT_EYE, Part.RIGHT_EYE)
"""Large parts first, so that small ones lie on top."""
_SMALLEST = 64
"""Pixels: a part that covers fewer is too small to see and to warp."""
_OVERLAP = 2.2
"""What ``soften`` is asked for, over what is wanted. Bands of detail overlap: weakening the finest by a factor lowers
its measured log ratio by less than half of the factor's logarithm (by 0.45 of a weak one, 0.38 of a strong one)."""
_EYES = (Part.LEFT_EYE, Part.RIGHT_EYE)
_BROWS = (Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW)
_BROW_MARGIN = 0.04
"""How much skin comes along around the hair of a brow, in inter-ocular distances: a shadow at the temple would be a
dark cloud on another face."""
CONFIDENCE = (0.5, 0.8)
"""Confidence of the landmarks below which nothing is placed, and from which on a part is placed in full."""


class Multiband:
    """Part transfer by landmarks, colour gains and Laplacian pyramids."""

    name: ClassVar[str] = "multiband"
    summary: ClassVar[str] = (
        "warps the part to every frame's landmarks and blends it in a Laplacian pyramid; no network"
    )
    takes: ClassVar[frozenset[Attribute]] = frozenset(a for a in Attribute if a.parts)
    needs: ClassVar[tuple[str, ...]] = ()
    context: ClassVar[int] = max(SMOOTHING_RADIUS, IRIS_RADIUS, TRUST_RADIUS)

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        if options:
            raise RecipeError(f"method 'multiband' has no options, got {', '.join(options)}")
        self.store = Store()

    def prepare(self, sources: Mapping[Attribute, Source]) -> list[Job]:
        """Cut out, clean and measure the parts, in the order in which they are blended."""
        chosen = {part: source for attribute, source in sources.items() for part in attribute.parts}
        references = [cut_reference(part, chosen[part]) for part in ORDER if part in chosen]
        # Networks of its own: those that follow the target are busy in another thread.
        looks, perception = FaceLooks(), Perception(self.store, threads=1)
        return [
            Job(
                Registrar(ref, perception),
                LightMeter(ref.part, ref.skin, ref.eyeball, looks),
                CoverWatch(ref.part, looks),
                looks,
            )
            for ref in references
        ]

    def apply(self, window: Window, faces: Sequence[Face | None], prepared: list[Job]) -> list[list[Patch]]:
        """See ``Method.apply``."""
        for person in {face.track for face in faces if face is not None}:
            for job in prepared:
                job.meet(person, window)
        per_job = [job.plan(window, faces) for job in prepared]
        core = range(*window.core.indices(len(window.frames)))
        # Only for placing: what is measured of a frame must not depend on how many frames of context it was given.
        placed = steady_irises(faces) if any(job.reference.part in _EYES for job in prepared) else faces
        patches = [_edit(window.frames[i], placed[i], [plans[i] for plans in per_job]) for i in core]
        return [[] if patch is None else [patch] for patch in patches]


@dataclass(frozen=True, eq=False)
class Plan:
    """How to place one part in one frame."""

    reference: PartReference
    light: Light
    points: list[int]
    covered: NDArray[np.float64]
    """(K,) how much each of the landmarks ``points`` is hidden by something in front of it."""
    trust: EyeTrust | None
    """For eyes, see ``partmaps.eye_trust``."""


@dataclass(frozen=True, eq=False)
class Job:
    """One part to transfer through a clip."""

    registrar: Registrar
    meter: LightMeter
    watch: CoverWatch
    looks: FaceLooks
    shots: Shots = field(default_factory=Shots)

    @property
    def reference(self) -> PartReference:
        """The part as it was cut out, not registered to anybody."""
        return self.registrar.reference

    def plan(self, window: Window, faces: Sequence[Face | None]) -> list[Plan | None]:
        """What to place, light and cover of the part in every frame of a window; None where there is no face."""
        ref = self.reference
        self.looks.forget_before(window.frames[0].index)
        gains = self.meter.lights(window.frames, faces)
        covered = self.watch.covered(window.frames, faces, window.core)
        is_eye = ref.part in _EYES
        trusts = steady_trusts(ref.part, faces, ref.landmarks) if is_eye else [None] * len(faces)
        plans = [
            None if light is None or cover is None else Plan(ref, light, self.watch.points, cover, trust)
            for light, cover, trust in zip(gains, covered, trusts, strict=True)
        ]
        for index in range(*window.core.indices(len(window.frames))):
            plan, face = plans[index], faces[index]
            if plan is not None and face is not None:
                plans[index] = self._registered(plan, window.frames[index], face)
        return plans

    def _registered(self, plan: Plan, frame: Frame, face: Face) -> Plan:
        """The plan with the reference as it is to be placed on this person."""

        def draw(reference: PartReference) -> Image | None:
            patch = _edit(frame, face, [replace(plan, reference=reference)])
            return None if patch is None else _pasted(frame.image, patch)

        covered = float(plan.covered.max(initial=0))
        return replace(plan, reference=self.registrar.registered(frame.image, face, covered, draw))

    def meet(self, person: int, window: Window) -> None:
        """Drop everything measured of a person in another shot or clip; before ``plan``, for every person."""
        if self.shots.is_new_to(person, window):
            for memory in (self.looks, self.meter, self.watch, self.registrar):
                memory.forget(person)


def _pasted(image: Image, patch: Patch) -> Image:
    """A picture with a patch of ``_edit`` in it."""
    left, top = patch.crop.offset or (0, 0)
    picture = image.copy()
    # Where the matte is 0 the patch holds the frame's own pixels.
    inside = picture[top : top + patch.crop.height, left : left + patch.crop.width]
    inside[...] = patch.image * np.float32(255) + np.float32(0.5)
    return picture


def _edit(frame: Frame, face: Face | None, plans: Sequence[Plan | None]) -> Patch | None:
    """One patch with all parts of one face: each is blended over what the ones before it left."""
    if face is None:
        return None
    landmarks = face.landmarks.astype(np.float64)
    trust = float(masks.smoothstep(face.confidence, *CONFIDENCE))
    todo = []
    for plan in plans:
        if plan is not None:
            part = plan.reference.part
            box, weight = part_box(part, landmarks, frame.width, frame.height), trust * visibility(part, face.pose)
            if box.area > _SMALLEST and weight > 0:
                todo.append((plan, box, weight))
    if not todo:
        return None
    whole = reduce(Box.union, (box for _, box, _ in todo))
    canvas = frame.image[whole.slices].astype(np.float32) / np.float32(255)
    matte = np.zeros(canvas.shape[:2], np.float32)
    for plan, box, weight in todo:
        inside = box.relative_to(whole).slices
        blended, cover = blend_part(canvas[inside], landmarks, plan, box)
        cover = cover * np.float32(weight)
        canvas[inside] = colour.mix(canvas[inside], blended, cover)
        # The canvas already holds the blend; the matte only says where it may differ from the frame.
        np.maximum(matte[inside], (cover > 0).astype(np.float32), out=matte[inside])
    return Patch(np.clip(canvas, 0, 1), matte, Crop.cut(whole))


def blend_part(target: FloatImage, landmarks: NDArray[np.float64], plan: Plan, box: Box) -> tuple[FloatImage, Matte]:
    """Blend one part into the target's pixels over ``box``.

    Returns:
        The blended picture (h, w, 3) float32, not clipped, and the matte (h, w) under which it counts, exactly 0
        outside the part's soft edge.
    """
    reference, light, scale = plan.reference, plan.light, face_scale(landmarks)
    centre, unit = light_frame(landmarks, reference.part)
    x = ((np.arange(box.left, box.right) - centre[0]) / unit).astype(np.float32)[None, :]
    y = ((np.arange(box.top, box.bottom) - centre[1]) / unit).astype(np.float32)[:, None]
    zoom = face_scale(reference.landmarks) / scale
    softer = _OVERLAP * (light.sharpness - reference.sharpness_at(zoom))
    picture, hair = target.copy(), np.zeros(target.shape[:2], np.float32) if reference.part in _BROWS else None
    for layer in part_layers(reference.part, landmarks, reference.landmarks, box, plan.trust):
        rows, columns = _extent(layer.matte)
        where, shown = layer.where[rows, columns], layer.matte[rows, columns]
        if not shown.size:
            continue
        looked_up = soften(warp.sample_minified(reference.levels, where, zoom), softer)
        gain = light_alone(light.skin if layer.skin else light.eyeball)
        lit = colour.apply_gain(looked_up, gain, x[:, columns], y[rows])
        if layer.skin:
            clean, bare = cv2.split(warp.sample(reference.surface, where))
            lit = on_other_skin(lit, bare, reference, light)
            shown = shown * clean
            if hair is not None:
                hair[rows, columns] = clean * (1 - bare)
        picture[rows, columns] = colour.mix(picture[rows, columns], lit, shown)
    matte, core = part_and_core_mattes(reference.part, landmarks, reference.landmarks, box)
    if hair is not None:
        needed = np.maximum(core, masks.dilate(hair, _BROW_MARGIN * scale))
        matte = matte * masks.blur(needed, 0.5 * _BROW_MARGIN * scale)
    matte = matte * keep_what_is_not_skin(target, reference.part, landmarks, light, box, core)
    hidden = cover_matte(plan.points, plan.covered, landmarks, box)
    if hidden is not None:
        matte = matte * (1 - hidden)
    levels = int(np.clip(np.log2(max(scale, 1) / 12), 1, 5))
    # Low bands leak past the matte; the cover lets them fade within twice its reach and ends them exactly.
    cover = masks.smoothstep(matte, 0.004, 0.20)
    return pyramid.blend(target, picture, matte, levels), cover


def _extent(matte: Matte) -> tuple[slice, slice]:
    """Rows and columns outside which ``matte`` is 0."""
    rows, columns = np.flatnonzero(matte.any(axis=1)), np.flatnonzero(matte.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def keep_what_is_not_skin(
    target: FloatImage, part: Part, landmarks: NDArray[np.float64], light: Light, box: Box, core: Matte
) -> Matte:
    """Factor for a part's matte: 1 on the part itself (``core``) and on skin, 0 on hair, beard or glasses around it."""
    keep = part_and_skin(target, part, landmarks, (light.skin_mean, light.skin_spread), box, core)
    hair = hair_matte(part, landmarks, light.hair, box)
    if hair is not None:
        keep = keep * (1 - hair)
    if light.glasses > 0:
        picture = (target * np.float32(255) + np.float32(0.5)).clip(0, 255).astype(np.uint8)
        lines = rims(picture, landmarks - (box.left, box.top, 0), Box(0, 0, box.width, box.height))
        keep = keep * (1 - np.float32(light.glasses) * lines)
    return keep
