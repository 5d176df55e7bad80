"""What unifacegan makes once of its sources, and what it keeps of the people that it meets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from faceloom.geometry import masks
from faceloom.methods.eyeball import steady_trusts
from faceloom.methods.face_look import FaceLooks
from faceloom.methods.memo import Shots
from faceloom.methods.multiband import CONFIDENCE
from faceloom.methods.occlusion import CoverWatch
from faceloom.methods.unifacegan.driver import EYES, Driver
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.goal import Goal, Rest, make_goal, rest_of
from faceloom.methods.unifacegan.identity import Identity
from faceloom.methods.unifacegan.light import FaceLightMeter
from faceloom.methods.unifacegan.options import Options
from faceloom.methods.unifacegan.reenact import head_box, reenact
from faceloom.methods.unifacegan.skin import SKIN
from faceloom.methods.unifacegan.swap import Place, swap_box, swap_face
from faceloom.types import Box, Crop, Face, FloatImage, Frame, Part, Patch, Window

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
    """What to do in one frame: drive the face to ``goal``, put another face at ``place``, or both in this order.

    weight  0 to 1, how far the edit counts.
    """

    goal: Goal | None
    place: Place | None
    weight: float


@dataclass(frozen=True, eq=False)
class Prepared:
    """Sources, and memories of the last frames.

    identity           whose face is put on; None keeps the target's.
    expression, pose   who drives the face; None keeps the target's own.
    """

    fitter: FaceFitter
    identity: Identity | None
    expression: Driver | None
    pose: Driver | None
    options: Options
    looks: FaceLooks = field(default_factory=FaceLooks)
    shots: Shots = field(default_factory=Shots)
    rests: dict[int, Rest] = field(default_factory=dict)
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
            None if face is None else Plan(goal, place, _weight(face))
            for face, goal, place in zip(faces, goals, places, strict=True)
        ]

    def _goals(self, window: Window, faces: Sequence[Face | None]) -> list[Goal | None]:
        goals: list[Goal | None] = [None] * len(faces)
        some = next(((frame, face) for frame, face in zip(window.frames, faces, strict=True) if face is not None), None)
        if some is None or (self.expression is None and self.pose is None):
            return goals
        frame, face = some
        if face.track not in self.rests:
            self.rests[face.track] = rest_of(self.fitter, frame.image, face.landmarks.astype(np.float64))
        rest = self.rests[face.track]
        motion = self.fitter.track(window.frames, faces, rest.parameters.shape)
        for i, (frame, seen) in enumerate(zip(window.frames, faces, strict=True)):
            parameters = motion.parameters(i)
            if seen is not None and parameters is not None:
                time = frame.time - self.begin[0]
                expression = None if self.expression is None else self.expression.at(time)
                pose = None if self.pose is None else self.pose.at(time)
                landmarks = seen.landmarks.astype(np.float64)
                goals[i] = make_goal(self.fitter, rest, parameters, landmarks, expression, pose)
        return goals

    def _places(
        self,
        window: Window,
        faces: Sequence[Face | None],
        driven: Sequence[Face | None],
        goals: Sequence[Goal | None],
    ) -> list[Place | None]:
        places: list[Place | None] = [None] * len(faces)
        if self.identity is None:
            return places
        motion = self.fitter.track(window.frames, faces, self.identity.parameters.shape)
        lights = self.meter.lights(window.frames, faces)
        covered = self.watch.covered(window.frames, faces, window.core)
        left, right = (steady_trusts(part, driven, self.identity.landmarks) for part in EYES)
        for i, face in enumerate(driven):
            light, cover, goal, own = lights[i], covered[i], goals[i], motion.parameters(i)
            parameters = own if goal is None else goal.parameters
            if face is not None and parameters is not None and light is not None and cover is not None:
                landmarks = face.landmarks.astype(np.float64)
                places[i] = Place(landmarks, parameters, light, self.watch.points, cover, (left[i].lid, right[i].lid))
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
                picture, matte = reenact(frame.image, plan.goal, model, whole, turned)
                patches.append(Patch(picture, matte * weight, Crop.cut(whole)))
        if plan.place is not None and self.identity is not None:
            box = swap_box(plan.place.landmarks, frame.width, frame.height)
            if box.area:
                target = _pixels(frame, box, picture, whole)
                blended, matte = swap_face(target, box, plan.place, self.identity, model, self.options)
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
