"""What drives a face: the expression or the pose of somebody else, in a picture or a clip."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks
from faceloom.geometry.partcover import eye_openness, face_scale
from faceloom.geometry.similarity import invert, scale_of, transform
from faceloom.methods.face_look import look_at
from faceloom.methods.unifacegan.anchors import Anchors, find_anchors
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.skin import SKIN
from faceloom.perceive.morphable import MorphableModel, MorphableParameters, MotionTemplate, smooth_motion
from faceloom.types import Box, Crop, Image, Part, Performance, Source

_OPEN_EYE = 0.27
"""Opening of the lids over the width of the eye of somebody who just looks: what a picture's eyes are compared with."""
_SHUT_EYE = (0.06, 0.14)
"""Openings that landmarks give to an eye that is shut, and from which on they can be taken at their word."""
_OPEN_SHARE = 0.8
"""Share of a clip's frames in which the eyes are open at most as far as when they just look."""
_EVERY = 10
"""Frames between two looks at the light on a driver."""
EYES = (Part.LEFT_EYE, Part.RIGHT_EYE)


@dataclass(frozen=True, eq=False)
class Drive:
    """What the driver does at one moment.

    parameters  expression and camera count.
    landmarks   (478, 3) float64 pixels of ``image``.
    image       (h, w, 3) uint8, around the mouth at least.
    brightness  mean natural logarithm of the colour of the driver's skin.
    lids        for the left and the right eye, opening as a share of that of the open eye.
    rest        camera of the driver at the beginning, which movements count from; None for a picture, whose pose counts
                as it is.
    bend        (478, 2) float64, how the landmarks have moved on the driver's surface since the beginning, along x and
                y of the model, micrometres: what the model does not know of brows and cheeks. None for a picture.
    """

    parameters: MorphableParameters
    landmarks: NDArray[np.float64]
    image: Image
    brightness: float
    lids: tuple[float, float]
    rest: NDArray[np.float64] | None = None
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
    """A clip: an expression and a pose for every moment.

    motion      the driver's face in pixels of its own frames, without jitter.
    openness    (2,) of the left and the right eye when open.
    anchors     of the landmarks at the beginning.
    """

    model: MorphableModel
    anchors: Anchors
    performance: Performance
    motion: MotionTemplate
    openness: NDArray[np.float64]
    brightness: float

    def at(self, time: Fraction) -> Drive | None:
        """What the clip shows ``time`` seconds after its beginning; where the face is lost, what it showed last."""
        times = self.motion.times
        index = max(0, bisect_right(times, time + times[0]) - 1)
        seen = np.flatnonzero(self.motion.present)
        held = int(seen[max(0, int(np.searchsorted(seen, index, side="right")) - 1)])
        parameters, glimpse = self.motion.parameters(held), self.performance.glimpse(held)
        if parameters is None or glimpse is None:
            return None
        landmarks = glimpse.face.landmarks.astype(np.float64)
        lids = [_share(eye_openness(part, landmarks), whole) for part, whole in zip(EYES, self.openness, strict=True)]
        rest = self.motion.cameras[int(seen[0])]
        bend = self.anchors.bend(self.model, parameters, transform(invert(glimpse.crop.matrix), landmarks))
        return Drive(parameters, landmarks, glimpse.image, self.brightness, (lids[0], lids[1]), rest, bend)


def read_driver(source: Source, fitter: FaceFitter) -> Driver:
    """Fit and measure the face of a picture or a clip."""
    if source.performance is not None:
        return _drive_of_clip(source.performance, fitter)
    return drive_of_picture(source, fitter)


def _drive_of_clip(performance: Performance, fitter: FaceFitter) -> ClipDriver:
    found: list[MorphableParameters | None] = []
    opened: list[list[float]] = []
    bright: list[float] = []
    for index in range(len(performance.times)):
        glimpse = performance.glimpse(index)
        if glimpse is None:
            found.append(None)
            continue
        landmarks = glimpse.face.landmarks.astype(np.float64)
        found.append(_uncropped(fitter.fit(glimpse.image, landmarks), glimpse.crop))
        opened.append([eye_openness(part, landmarks) for part in EYES])
        if index % _EVERY == 0 or not bright:
            bright.append(brightness(glimpse.image, landmarks))
    motion = MotionTemplate.of(found, performance.times, 1, 1)
    openness = np.maximum(np.quantile(opened, _OPEN_SHARE, axis=0), 0.5 * _OPEN_EYE)
    smooth = smooth_motion(motion)
    anchors = _anchors_at_the_beginning(smooth, performance, fitter)
    return ClipDriver(fitter.model, anchors, performance, smooth, openness, float(np.median(bright)))


def _anchors_at_the_beginning(motion: MotionTemplate, performance: Performance, fitter: FaceFitter) -> Anchors:
    first = int(np.flatnonzero(motion.present)[0])
    parameters, glimpse = motion.parameters(first), performance.glimpse(first)
    if parameters is None or glimpse is None:
        raise ValueError("the first frame with a face has none")
    landmarks = glimpse.face.landmarks.astype(np.float64)
    placed = np.column_stack([transform(invert(glimpse.crop.matrix), landmarks), landmarks[:, 2]])
    return find_anchors(fitter.model, parameters, placed, fitter.deviation)


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
        )
    )


def brightness(image: Image, landmarks: NDArray[np.float64]) -> float:
    """Mean natural logarithm of the colour of the skin of a face in ``image`` ((H, W, 3) uint8)."""
    return float(np.log(np.median(look_at(image, landmarks).colours[list(SKIN)], axis=0) + 0.02).mean())
