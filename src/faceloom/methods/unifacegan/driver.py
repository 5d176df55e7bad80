"""What drives a face: the expression or the pose of somebody else, in a picture or a clip."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError
from faceloom.geometry import masks
from faceloom.geometry.partcover import eye_openness, face_scale
from faceloom.geometry.similarity import invert, scale_of, transform
from faceloom.methods.eyeball import steady_irises
from faceloom.methods.face_look import look_at
from faceloom.methods.unifacegan.anchors import Anchors, find_anchors
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.gaze import EYES, look_of, looks_of
from faceloom.methods.unifacegan.head_motion import cameras_of_head
from faceloom.methods.unifacegan.skin import SKIN
from faceloom.methods.unifacegan.skin_motion import SkinMotion
from faceloom.perceive.morphable import (
    MorphableModel,
    MorphableParameters,
    MotionTemplate,
    RecordedMotion,
    smooth_motion,
)
from faceloom.perceive.temporal_filter import smooth_parameters
from faceloom.types import Box, Crop, Face, Glimpse, Image, Performance, Source

_OPEN_EYE = 0.27
"""Opening of the lids over the width of the eye of somebody who just looks: what a picture's eyes are compared with."""
_SHUT_EYE = (0.06, 0.14)
"""Openings that landmarks give to an eye that is shut, and from which on they can be taken at their word."""
_OPEN_SHARE = 0.8
"""Share of a clip's frames in which the eyes are open at most as far as when they just look."""
_WIDE_ENOUGH = 0.7
"""Share of the opening of an open eye that an eye has at the beginning of a clip if movements can count from there."""
_EVERY = 10
"""Frames between two looks at the light on a driver."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """A driver in the first frame that shows it.

    camera  (3, 4); centre (3,) the middle of its face in model space.
    look    (2, 2), see ``gaze.look_of``.
    """

    camera: NDArray[np.float64]
    centre: NDArray[np.float64]
    look: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drive:
    """What the driver does at one moment.

    parameters  expression and camera count.
    landmarks   (478, 3) float64 pixels of ``image``, or of its own frame where there is none.
    image       (h, w, 3) uint8, around the mouth at least; None where only the motion is known.
    brightness  mean natural logarithm of the colour of the driver's skin; 0 without image.
    lids        for the left and the right eye, opening as a share of that of the open eye.
    look        (2, 2), where the irises lie, see ``gaze.look_of``.
    begin       how the driver began, which movements count from; None for a picture, whose pose counts as it is.
    bend        (478, 2) float64, how the landmarks have moved on the driver's surface since the beginning, along x and
                y of the model, micrometres: what the model does not know of brows and cheeks. None for a picture.
    """

    parameters: MorphableParameters
    landmarks: NDArray[np.float64]
    image: Image | None
    brightness: float
    lids: tuple[float, float]
    look: NDArray[np.float64]
    begin: Beginning | None = None
    bend: NDArray[np.float64] | None = None


class Driver(Protocol):
    """Somebody who drives."""

    def at(self, time: Fraction) -> Drive | None:
        """What is done at ``time`` (seconds from the beginning of the target); None where nothing is known of it."""


@dataclass(frozen=True, eq=False)
class PictureDriver:
    """A picture: one expression, one pose."""

    drive: Drive

    def at(self, time: Fraction) -> Drive | None:
        """The same at any time."""
        return self.drive


@dataclass(frozen=True, eq=False)
class ClipDriver:
    """A clip: an expression, a pose and a gaze for every moment.

    motion      the driver's face in pixels of its own frames, without jitter; its landmarks are known.
    openness    (2,) of the left and the right eye when open.
    looks       (T, 2, 2), see ``gaze.looks_of``.
    anchors     of the landmarks at the beginning.
    performance pictures of the driver; None where only the motion is known.
    """

    model: MorphableModel
    begin: Beginning
    anchors: Anchors
    motion: MotionTemplate
    openness: NDArray[np.float64]
    looks: NDArray[np.float64]
    performance: Performance | None
    brightness: float

    def at(self, time: Fraction) -> Drive | None:
        """What the clip shows ``time`` seconds after its beginning; where the face is lost, what it showed last."""
        times = self.motion.times
        index = max(0, bisect_right(times, time + times[0]) - 1)
        seen = np.flatnonzero(self.motion.present)
        held = int(seen[max(0, int(np.searchsorted(seen, index, side="right")) - 1)])
        parameters, placed = self.motion.parameters(held), self.motion.points(held)
        if parameters is None or placed is None:
            return None
        lids = [_share(eye_openness(part, placed), whole) for part, whole in zip(EYES, self.openness, strict=True)]
        bend = self.anchors.bend(self.model, parameters, placed)
        glimpse = None if self.performance is None else self.performance.glimpse(held)
        landmarks = placed if glimpse is None else glimpse.face.landmarks.astype(np.float64)
        image = None if glimpse is None else glimpse.image
        both = (lids[0], lids[1])
        return Drive(parameters, landmarks, image, self.brightness, both, self.looks[held], self.begin, bend)


def read_driver(source: Source, fitter: FaceFitter) -> Driver:
    """Fit and measure the face of a picture or a clip, or take what was recorded of one.

    Raises ``FaceError`` where a motion template has no frame with a face, or no landmarks.
    """
    if isinstance(source.performance, RecordedMotion):
        template = source.performance.template
        return _drive_of_motion(template, fitter, None, 0.0)
    if source.performance is not None:
        motion, bright = record_motion(source.performance, fitter)
        return _drive_of_motion(motion, fitter, source.performance, bright)
    return drive_of_picture(source, fitter)


def record_motion(performance: Performance, fitter: FaceFitter) -> tuple[MotionTemplate, float]:
    """What a face does through a clip, without jitter and with its landmarks; and the ``brightness`` of its skin.

    Sizes of the clip are not known here, and given as 1. Landmarks move as the skin does (``skin_motion``), cameras as
    the head (``head_motion``).
    """
    found: list[MorphableParameters | None] = []
    faces: list[Face | None] = []
    bright: list[float] = []
    skin: SkinMotion | None = None
    off = np.zeros((len(performance.times), 478, 2))
    for index in range(len(performance.times)):
        glimpse = performance.glimpse(index)
        if glimpse is None:
            found.append(None)
            faces.append(None)
            continue
        landmarks = glimpse.face.landmarks.astype(np.float64)
        skin = skin or SkinMotion(glimpse.image, landmarks)
        off[index] = skin.correction(glimpse.image, landmarks) @ invert(glimpse.crop.matrix)[:, :2].T
        found.append(_uncropped(fitter.fit(glimpse.image, landmarks), glimpse.crop))
        faces.append(replace(glimpse.face, landmarks=_placed(glimpse).astype(np.float32)))
        if index % _EVERY == 0 or not bright:
            bright.append(brightness(glimpse.image, landmarks))
    placed = [None if face is None else face.landmarks for face in steady_irises(faces)]
    motion = smooth_motion(MotionTemplate.of(found, performance.times, 1, 1, placed))
    motion = _moving_as_the_skin(motion, off)
    return _moving_as_the_head(motion, fitter), float(np.median(bright))


def _drive_of_motion(
    motion: MotionTemplate, fitter: FaceFitter, performance: Performance | None, bright: float
) -> ClipDriver:
    placed = [motion.points(index) for index in range(len(motion))]
    first = next((index for index, points in enumerate(placed) if points is not None), None)
    beginning = None if first is None else motion.parameters(first)
    if first is None or beginning is None:
        raise FaceError("the motion template has no landmarks of a face; record it again with `faceloom motion`")
    points = placed[first]
    assert points is not None
    anchors = find_anchors(fitter.model, beginning, points, fitter.deviation)
    opened = [[eye_openness(part, points) for part in EYES] for points in placed if points is not None]
    openness = np.maximum(np.quantile(opened, _OPEN_SHARE, axis=0), 0.5 * _OPEN_EYE)
    whole = np.where(opened[0] > _WIDE_ENOUGH * openness, opened[0], openness)
    looks = looks_of(placed)
    begin = Beginning(beginning.camera, anchors.centre(fitter.model.neutral(beginning.shape)), looks[first])
    return ClipDriver(fitter.model, begin, anchors, motion, whole, looks, performance, bright)


def _moving_as_the_skin(motion: MotionTemplate, off: NDArray[np.float64]) -> MotionTemplate:
    """``motion`` with its landmarks moved by ``off`` (T, 478, 2) pixels, without jitter."""
    assert motion.landmarks is not None
    smooth = smooth_parameters(off.reshape(len(off), -1), motion.present, radius=2, sigma=1.0)
    landmarks = motion.landmarks.copy()
    landmarks[..., :2] += smooth.reshape(off.shape)
    return replace(motion, landmarks=landmarks)


def _moving_as_the_head(motion: MotionTemplate, fitter: FaceFitter) -> MotionTemplate:
    cameras = motion.cameras.copy()
    first = int(np.flatnonzero(motion.present)[0])
    beginning, points = motion.parameters(first), motion.points(first)
    if beginning is None or points is None:
        return motion
    anchors = find_anchors(fitter.model, beginning, points, fitter.deviation)
    depth = anchors.depth_of(fitter.model.vertices(beginning), points)
    placed = [motion.points(index) for index in range(len(motion))]
    for index, camera in enumerate(cameras_of_head(cameras[first].copy(), depth, placed)):
        if camera is not None:
            cameras[index] = camera
    return replace(motion, cameras=cameras)


def _placed(glimpse: Glimpse) -> NDArray[np.float64]:
    """(478, 3) float64, landmarks in pixels of the frame."""
    landmarks, back = glimpse.face.landmarks.astype(np.float64), invert(glimpse.crop.matrix)
    return np.column_stack([transform(back, landmarks), landmarks[:, 2] * scale_of(back)])


def _share(openness: float, whole: float) -> float:
    """How far an eye is open, 0 when it is shut: landmarks never quite close."""
    return openness / whole * float(masks.smoothstep(openness, *_SHUT_EYE))


def _uncropped(parameters: MorphableParameters, crop: Crop) -> MorphableParameters:
    """``parameters`` in pixels of the crop, in those of the frame."""
    back = invert(crop.matrix)
    camera = parameters.camera.copy()
    camera[:2] = back[:, :2] @ camera[:2]
    camera[:2, 3] += back[:, 2]
    camera[2] *= scale_of(back)
    return replace(parameters, camera=camera)


def drive_of_picture(source: Source, fitter: FaceFitter) -> PictureDriver:
    """Fit and measure the face of a picture."""
    landmarks = source.face.landmarks.astype(np.float64)
    box = Box.around(landmarks).pad(int(0.3 * face_scale(landmarks))).clip(source.image.shape[1], source.image.shape[0])
    lids = [min(1.0, _share(eye_openness(part, landmarks), _OPEN_EYE)) for part in EYES]
    return PictureDriver(
        Drive(
            fitter.fit(source.image, landmarks),
            landmarks - (box.left, box.top, 0),
            np.ascontiguousarray(source.image[box.slices]),
            brightness(source.image, landmarks),
            (lids[0], lids[1]),
            look_of(landmarks),
        )
    )


def brightness(image: Image, landmarks: NDArray[np.float64]) -> float:
    """Mean natural logarithm of the colour of the skin of a face in ``image`` ((H, W, 3) uint8)."""
    return float(np.log(np.median(look_at(image, landmarks).colours[list(SKIN)], axis=0) + 0.02).mean())
