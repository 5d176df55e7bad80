"""What unifacegan makes once of its sources, and what it keeps of the people that it meets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError
from faceloom.geometry import masks
from faceloom.methods.eyeball import steady_irises, steady_trusts
from faceloom.methods.face_look import FaceLooks
from faceloom.methods.memo import Shots
from faceloom.methods.multiband import CONFIDENCE
from faceloom.methods.occlusion import CoverWatch
from faceloom.methods.unifacegan.driver import Driver
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.gaze import EYES
from faceloom.methods.unifacegan.generator import FaceGenerator
from faceloom.methods.unifacegan.goal import Goal, Rest, make_goal, rest_of
from faceloom.methods.unifacegan.identity import Identity, read_identity
from faceloom.methods.unifacegan.light import FaceLightMeter
from faceloom.methods.unifacegan.options import Options
from faceloom.methods.unifacegan.reenact import LastTexture, head_box, reenact
from faceloom.methods.unifacegan.skin import SKIN
from faceloom.methods.unifacegan.swap import Place, brow_offsets, swap_box, swap_face
from faceloom.types import Box, Crop, Face, FloatImage, Frame, Part, Patch, Source, Window

TURNED = (60.0, 45.0)
"""Degrees between the face and the camera from which on nothing is edited, and up to which an edit counts in full."""


class FaceWatch(CoverWatch):
    """What lies in front of a face, anywhere on it."""

    @cached_property
    def points(self) -> list[int]:
        """Landmarks looked at: skin and lips."""
        return [*SKIN, 40, 37, 267, 270, 91, 84, 314, 321, 57, 287, 164]


@dataclass(frozen=True, eq=False)
class Plan:
    """What to do in one frame: drive the face to ``goal``, put ``identity`` at ``place``, or both in this order.

    weight  0 to 1, how far the edit counts.
    """

    goal: Goal | None
    place: Place | None
    identity: Identity | None
    weight: float


@dataclass(frozen=True, eq=False)
class Prepared:
    """Sources, and memories of the last frames.

    identity                whose face is put on; None keeps the target's.
    expression, pose, gaze  who drives the face; None keeps the target's own.
    generator               draws the face instead of the blend.
    """

    fitter: FaceFitter
    identity: Identity | None
    expression: Driver | None
    pose: Driver | None
    gaze: Driver | None
    options: Options
    generator: FaceGenerator | None = None
    looks: FaceLooks = field(default_factory=FaceLooks)
    shots: Shots = field(default_factory=Shots)
    rests: dict[int, Rest] = field(default_factory=dict)
    brows: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    textures: LastTexture = field(default_factory=LastTexture)
    own: dict[int, Identity | None] = field(default_factory=dict)
    begin: list[Fraction] = field(default_factory=list)
    """Time of the first frame of the clip, which drivers count from."""

    @cached_property
    def meter(self) -> FaceLightMeter:
        """Measures the light."""
        return FaceLightMeter(self.looks)

    @cached_property
    def watch(self) -> FaceWatch:
        """Watches for things in front."""
        return FaceWatch(Part.NOSE, self.looks)

    def meet(self, person: int, window: Window) -> None:
        """Drop everything measured of a person in another shot or clip; before ``plans``, for every person."""
        if self.shots.is_new_to(person, window):
            for memory in (self.looks, self.meter, self.watch, self.fitter):
                memory.forget(person)
            self.rests.pop(person, None)
            self.brows.pop(person, None)
            self.own.pop(person, None)

    def plans(self, window: Window, faces: Sequence[Face | None]) -> list[Plan | None]:
        """What to do in each frame of a window; None where there is no face."""
        self.looks.forget_before(window.frames[0].index)
        if window.first or not self.begin:
            self.begin[:] = [window.frames[0].time]
        goals = self._goals(window, faces)
        driven = [
            face if goal is None or face is None else replace(face, landmarks=goal.landmarks.astype(np.float32))
            for face, goal in zip(faces, goals, strict=True)
        ]
        places = self._places(window, faces, driven, goals)
        return [
            None if face is None else Plan(goal, place, self._identity(face.track), _weight(face))
            for face, goal, place in zip(faces, goals, places, strict=True)
        ]

    def _goals(self, window: Window, faces: Sequence[Face | None]) -> list[Goal | None]:
        goals: list[Goal | None] = [None] * len(faces)
        some = next(((frame, face) for frame, face in zip(window.frames, faces, strict=True) if face is not None), None)
        if some is None or not any((self.expression, self.pose, self.gaze)):
            return goals
        frame, face = some
        if face.track not in self.rests:
            self.rests[face.track] = rest_of(self.fitter, frame.image, face.landmarks.astype(np.float64))
        rest = self.rests[face.track]
        motion = self.fitter.track(window.frames, faces, rest.parameters.shape)
        # Who puts a face on looks at what the frames around are driven to; else nobody does.
        core = range(*window.core.indices(len(faces)))
        needed = range(len(faces)) if self.identity is not None or self.generator is not None else core
        for i in needed:
            frame, seen, parameters = window.frames[i], faces[i], motion.parameters(i)
            if seen is not None and parameters is not None:
                time = frame.time - self.begin[0]
                drivers = (self.expression, self.pose, self.gaze)
                # One clip often drives all three.
                known = {driver: driver.at(time) for driver in dict.fromkeys(drivers) if driver is not None}
                drives = [None if driver is None else known[driver] for driver in drivers]
                goals[i] = make_goal(self.fitter, rest, parameters, seen.landmarks.astype(np.float64), *drives)
        return goals

    def _identity(self, person: int) -> Identity | None:
        """Whose face is drawn: the source's, or for a generator that only drives, the person's own."""
        return self.identity or self.own.get(person)

    def _know(self, person: int, frame: Frame, face: Face) -> None:
        """Take the person's own face, for a generator to drive; one that looks away is left to the blend."""
        if self.identity is None and self.generator is not None and person not in self.own:
            try:
                self.own[person] = read_identity(Source(Path(f"frame {frame.index}"), frame.image, face), self.fitter)
            except FaceError:
                self.own[person] = None

    def _places(
        self,
        window: Window,
        faces: Sequence[Face | None],
        driven: Sequence[Face | None],
        goals: Sequence[Goal | None],
    ) -> list[Place | None]:
        places: list[Place | None] = [None] * len(faces)
        some = next(((frame, face) for frame, face in zip(window.frames, faces, strict=True) if face is not None), None)
        if some is None:
            return places
        self._know(some[1].track, *some)
        identity = self._identity(some[1].track)
        if identity is None:
            return places
        motion = self.fitter.track(window.frames, faces, identity.parameters.shape)
        lights = self.meter.lights(window.frames, faces)
        covered = self.watch.covered(window.frames, faces, window.core)
        left, right = (steady_trusts(part, driven, identity.landmarks) for part in EYES)
        for i, face in enumerate(steady_irises(driven)):
            light, cover, goal, own = lights[i], covered[i], goals[i], motion.parameters(i)
            parameters = own if goal is None else goal.parameters
            if face is not None and parameters is not None and light is not None and cover is not None:
                landmarks = face.landmarks.astype(np.float64)
                if face.track not in self.brows:
                    self.brows[face.track] = brow_offsets(landmarks, parameters, identity, self.fitter.model)
                brows = self.brows[face.track]
                places[i] = Place(landmarks, parameters, light, self.watch.points, cover, (left[i], right[i]), brows)
        return places

    def edit(self, frame: Frame, plan: Plan | None) -> list[Patch]:
        """The patches of one frame, to be pasted in order."""
        if plan is None or plan.weight <= 0:
            return []
        patches: list[Patch] = []
        model, weight = self.fitter.model, np.float32(plan.weight)
        whole, picture = Box(0, 0, 0, 0), np.zeros((0, 0, 3), np.float32)
        if plan.goal is not None:
            turned = self.pose is not None
            whole = head_box(plan.goal, frame.width, frame.height, turned)
            if whole.area:
                picture, matte = reenact(frame.image, plan.goal, model, whole, turned, self.textures)
                patches.append(Patch(picture, matte * weight, Crop.cut(whole)))
        if plan.place is None or plan.identity is None:
            return patches
        if self.generator is not None:
            every = _pixels(frame, Box(0, 0, frame.width, frame.height), picture, whole)
            made = self.generator.draw(every, plan.place, plan.identity, model, self.options.proportions)
            patches.append(Patch(made.image, made.matte * weight, made.crop))
        else:
            box = swap_box(plan.place.landmarks, frame.width, frame.height)
            if box.area:
                target = _pixels(frame, box, picture, whole)
                blended, matte = swap_face(target, box, plan.place, plan.identity, model, self.options)
                patches.append(Patch(np.clip(blended, 0, 1), matte * weight, Crop.cut(box)))
        return patches


def _pixels(frame: Frame, box: Box, driven: FloatImage, whole: Box) -> FloatImage:
    """The pixels of ``box`` of a frame of which those of ``whole`` became ``driven``."""
    pixels = frame.image[box.slices].astype(np.float32) / np.float32(255)
    common = Box(
        max(box.left, whole.left), max(box.top, whole.top), min(box.right, whole.right), min(box.bottom, whole.bottom)
    )
    if common.area:
        pixels[common.relative_to(box).slices] = driven[common.relative_to(whole).slices]
    return pixels


def _weight(face: Face) -> float:
    """How far a face is edited: not where its landmarks are unsure, nor where it looks away from the camera."""
    forward = face.pose[:3, :3] @ np.array([0.0, 0.0, 1.0])
    angle = float(np.degrees(np.arccos(np.clip(forward[2] / max(float(np.linalg.norm(forward)), 1e-9), -1, 1))))
    return float(masks.smoothstep(face.confidence, *CONFIDENCE)) * float(masks.smoothstep(angle, *TURNED))
