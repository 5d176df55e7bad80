"""How to light a part of a reference so that it sits in the target's light, in every frame of a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import colour, masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import cover_outline, eye_openness, face_scale
from faceloom.geometry.sharpness import sharpness
from faceloom.methods.face_look import FaceLook, FaceLooks
from faceloom.methods.memo import FrameMemo
from faceloom.methods.surround import skin_statistics
from faceloom.methods.temple_hair import hair_over_brow
from faceloom.perceive.temporal_filter import smooth_parameters
from faceloom.types import Box, Face, Frame, Image, Part, Points

SMOOTHING_RADIUS = 4
"""Frames on each side that the smoothing of gains looks at."""
_SMOOTHING_SIGMA = 2.0
SKIN_POINTS: dict[Part, tuple[int, ...]] = {
    Part.MOUTH: (
        165, 167, 164, 393, 391, 92, 322, 206, 426, 216, 436, 43, 273, 106, 335, 182, 406, 83, 313, 18, 200, 201, 421,
        194, 418, 204, 424, 202, 422,
    ),
    Part.NOSE: (
        47, 277, 126, 355, 142, 371, 100, 329, 121, 350, 203, 423, 165, 391, 167, 393, 164, 168, 193, 417, 8, 9, 120,
        349, 36, 266,
    ),
    Part.LEFT_EYE: (346, 347, 348, 349, 350, 449, 450, 451, 443, 442, 444, 441, 413, 353, 265, 372, 168, 6),
    Part.RIGHT_EYE: (117, 118, 119, 120, 121, 229, 230, 231, 223, 222, 224, 221, 189, 124, 35, 143, 168, 6),
    Part.LEFT_EYEBROW: (298, 333, 299, 337, 9, 8, 442, 443, 444, 441, 353, 301),
    Part.RIGHT_EYEBROW: (68, 104, 69, 108, 9, 8, 222, 223, 224, 221, 124, 71),
}  # fmt: skip
"""Bare skin around each part, where reference and target can be compared landmark by landmark."""
_RIDGE = (195, 5, 4, 1, 51, 281, 45, 275, 115, 344, 220, 440, 196, 419, 197, 6)
"""Skin of the nose."""
_NOSE_SHADING = 0.05
"""How much more unevenly a nose is lit by its shape than the skin around it."""


@dataclass(frozen=True, eq=False)
class Light:
    """How to light one part in one frame, and what the target's skin around it looks like.

    skin, eyeball           (3, 3) gains as ``colour.apply_gain`` takes them.
    skin_mean, skin_spread  (3,) of ``colour.skin_features`` over the target's skin points.
    glasses                 0 to 1: how certainly the target wears glasses, whose rims must stay.
    sharpness               (2,) of the target's own part, see ``geometry.sharpness``.
    shading                 ``part_shading`` of the target.
    hair                    (2,) ``temple_hair.hair_over_brow``.
    """

    skin: NDArray[np.float64]
    eyeball: NDArray[np.float64]
    skin_mean: NDArray[np.float64]
    skin_spread: NDArray[np.float64]
    glasses: float
    sharpness: NDArray[np.float64]
    shading: float
    hair: NDArray[np.float64]


def light_frame(landmarks: Points, part: Part) -> tuple[NDArray[np.float64], float]:
    """Origin (frame pixels) and unit (pixels) of the coordinates in which a part's gains are linear."""
    points = np.asarray(landmarks, np.float64)[list(SKIN_POINTS[part]), :2]
    return points.sum(axis=0) / len(points), face_scale(landmarks)


@dataclass(frozen=True, eq=False)
class LightMeter:
    """Measures the light for one part of a reference in the frames of a clip.

    part     which part.
    skin     (K, 3) the reference's colours at ``SKIN_POINTS[part]``.
    eyeball  (2, 3) the reference's colours of the white of the eye.
    looks    the clip's faces.
    """

    part: Part
    skin: NDArray[np.float64]
    eyeball: NDArray[np.float64]
    looks: FaceLooks
    _memo: FrameMemo[NDArray[np.float64]] = field(default_factory=FrameMemo)

    def lights(self, frames: Sequence[Frame], faces: Sequence[Face | None]) -> list[Light | None]:
        """Light for every frame of a window, smoothed in time without lag; None where no face is seen."""
        seen = np.array([face is not None for face in faces])
        if not seen.any():
            return [None] * len(faces)
        self._memo.forget_before(frames[0].index)
        rows = np.zeros((len(faces), 25))
        for i, (frame, face) in enumerate(zip(frames, faces, strict=True)):
            if face is not None:
                rows[i] = self._memo.get(face.track, frame.index, partial(self._measure, frame, face))
        smooth = smooth_parameters(rows, seen, radius=SMOOTHING_RADIUS, sigma=_SMOOTHING_SIGMA)
        return [_light(row) if ok else None for row, ok in zip(smooth, seen, strict=True)]

    def forget(self, person: int) -> None:
        """Drop everything of a person: another clip begins."""
        self._memo.forget(person)

    def _measure(self, frame: Frame, face: Face) -> NDArray[np.float64]:
        """(25,) what ``_light`` makes a ``Light`` of, for one frame."""
        part, landmarks = self.part, face.landmarks.astype(np.float64)
        points, look = list(SKIN_POINTS[part]), self.looks.of(frame, face)
        centre, unit = light_frame(landmarks, part)
        colours, weights = look.colours[points], np.where(look.inside[points], 1.0, 1e-3)
        gain = colour.fit_gain(self.skin, colours, (landmarks[points, :2] - centre) / unit, weights)
        middle, spread = skin_statistics(colours)
        eyeball_gain = _eyeball_gain(part, self.eyeball, frame.image, landmarks)
        soft = part_sharpness(part, frame.image, landmarks)
        return np.concatenate(
            [
                *(gain.ravel(), eyeball_gain, middle, spread, [look.bridge, part_shading(part, look)], soft),
                hair_over_brow(part, look.features, middle, spread),
            ]
        )


def _light(row: NDArray[np.float64]) -> Light:
    return Light(
        skin=row[:9].reshape(3, 3),
        # The gain comes weighted with the trust in it, so a blink takes it from the open eyes before and after.
        eyeball=np.vstack([row[9:12] / max(row[12], 0.02), np.zeros((2, 3))]),
        skin_mean=row[13:16],
        skin_spread=row[16:19],
        glasses=float(masks.smoothstep(row[19], 0.08, 0.12)),
        shading=float(row[20]),
        sharpness=row[21:23],
        hair=row[23:],
    )


def part_shading(part: Part, look: FaceLook) -> float:
    """How unevenly the skin around a part is lit, and a nose itself: deviation of the logarithm of its luminance.

    A nose is all skin, and its ridge shines where the skin around it does not.
    """
    luminance = np.log(look.colours @ colour.LUMINANCE + 0.02)
    around = luminance[list(SKIN_POINTS[part])]
    middle = colour.column_medians(around[:, None])[0]
    spread = 1.4826 * float(colour.column_medians(np.abs(around - middle)[:, None])[0])
    if part != Part.NOSE:
        return spread
    return max(spread, 1.25 * float(np.abs(luminance[list(_RIDGE)] - middle).mean()) - _NOSE_SHADING)


def part_sharpness(part: Part, image: Image, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2,) sharpness of a part and the skin around it in a picture."""
    height, width = image.shape[:2]
    outline, box = cover_outline(part, landmarks), sharpness_box(part, landmarks).clip(width, height)
    if not box.area:
        return np.zeros(2)
    region = np.zeros((box.height, box.width), np.uint8)
    cv2.fillPoly(region, [np.round(outline - (box.left, box.top)).astype(np.int32)], 1)
    return sharpness(cv2.cvtColor(image[box.slices], cv2.COLOR_RGB2GRAY).astype(np.float32) / 255, region > 0)


def sharpness_box(part: Part, landmarks: NDArray[np.float64]) -> Box:
    """The pixels that ``part_sharpness`` looks at, as far as the picture has them."""
    return Box.around(cover_outline(part, landmarks)).pad(4)


def eyeball_colours(part: Part, image: Image, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3) colours of the white of the eye, outer side first; ones for parts that are no eye."""
    if part not in (Part.LEFT_EYE, Part.RIGHT_EYE):
        return np.ones((2, 3))
    return colour.sample_colours(image, _white_points(part, landmarks), 0.015 * face_scale(landmarks))


def _eyeball_gain(
    part: Part, reference: NDArray[np.float64], image: Image, landmarks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(4,) log gain that makes the whites of the eyes agree, times the trust in it, and that trust.

    Skin says little about an eyeball: people's skins differ more than the whites of their eyes. A closing eye shows
    less and less of them.
    """
    if part not in (Part.LEFT_EYE, Part.RIGHT_EYE):
        return np.array([0.0, 0.0, 0.0, 1.0])
    colours = eyeball_colours(part, image, landmarks)
    ratio = np.log(colours + 0.02).mean(axis=0) - np.log(reference + 0.02).mean(axis=0)
    trust = float(masks.smoothstep(eye_openness(part, landmarks), 0.08, 0.2)) + 1e-3
    return trust * np.append(np.clip(ratio, -0.7, 0.7), 1.0)


def _white_points(part: Part, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 2) points half-way from the iris' rim to each corner of the eye."""
    left = part == Part.LEFT_EYE
    iris, corners = (t.LEFT_IRIS, t.LEFT_EYE_CORNERS) if left else (t.RIGHT_IRIS, t.RIGHT_EYE_CORNERS)
    centre = landmarks[iris[0], :2]
    radius = float(np.linalg.norm(landmarks[list(iris[1:]), :2] - centre, axis=1).mean())
    toward = landmarks[list(corners), :2] - centre
    length = np.maximum(np.linalg.norm(toward, axis=1, keepdims=True), 1e-6)
    return centre + toward / length * 0.5 * (radius + length)
