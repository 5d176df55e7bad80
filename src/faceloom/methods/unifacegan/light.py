"""The target's light over the source's face: a gain that changes slowly across the skin and in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import colour, masks
from faceloom.geometry.partcover import face_scale
from faceloom.geometry.sharpness import sharpness
from faceloom.methods.face_look import FaceLooks
from faceloom.methods.light import SMOOTHING_RADIUS
from faceloom.methods.memo import FrameMemo
from faceloom.methods.surround import skin_statistics
from faceloom.methods.unifacegan.skin import SKIN
from faceloom.perceive.temporal_filter import smooth_parameters
from faceloom.types import Box, Face, FloatImage, Frame, Image

_FLOOR = np.float32(0.02)
_REACH = 0.9
"""How far what one point of the skin says about the light is believed around it, in distances between the eyes."""
_MOST = 0.3
"""Largest departure from an even slope of light that is followed, natural logarithm: more is a hand or a beard."""
_COARSE = 12


@dataclass(frozen=True, eq=False)
class FaceLight:
    """What a target's face looks like in one frame.

    skin       (K, 3) colours of the landmarks ``SKIN`` in [0, 1].
    trust      (K,) what they say about the light: little off the picture, on a beard or under hair.
    middle, spread  ``skin_statistics`` of them.
    glasses    0 to 1, how certainly glasses are worn.
    sharpness  (2,) of the face, see ``geometry.sharpness``.
    """

    skin: NDArray[np.float64]
    trust: NDArray[np.float64]
    middle: NDArray[np.float64]
    spread: NDArray[np.float64]
    glasses: float
    sharpness: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FaceLightMeter:
    """Measures the light on the faces of a clip."""

    looks: FaceLooks
    _memo: FrameMemo[NDArray[np.float64]] = field(default_factory=FrameMemo)

    def lights(self, frames: Sequence[Frame], faces: Sequence[Face | None]) -> list[FaceLight | None]:
        """The light in every frame of a window, smoothed in time without lag; None where no face is seen."""
        seen = np.array([face is not None for face in faces])
        if not seen.any():
            return [None] * len(faces)
        self._memo.forget_before(frames[0].index)
        rows = np.zeros((len(faces), 4 * len(SKIN) + 3))
        for i, (frame, face) in enumerate(zip(frames, faces, strict=True)):
            if face is not None:
                rows[i] = self._memo.get(face.track, frame.index, partial(self._measure, frame, face))
        smooth = smooth_parameters(rows, seen, radius=SMOOTHING_RADIUS, sigma=2.0)
        return [_light(row) if ok else None for row, ok in zip(smooth, seen, strict=True)]

    def forget(self, person: int) -> None:
        """Drop everything of a person: another clip begins."""
        self._memo.forget(person)

    def _measure(self, frame: Frame, face: Face) -> NDArray[np.float64]:
        look, points = self.looks.of(frame, face), list(SKIN)
        soft = face_sharpness(frame.image, face.landmarks.astype(np.float64))
        inside = np.where(look.inside[points], 1.0, 1e-3)
        return np.concatenate([np.log(look.colours[points] + _FLOOR).ravel(), inside, [look.bridge], soft])


def _light(row: NDArray[np.float64]) -> FaceLight:
    count = len(SKIN)
    colours = np.maximum(np.exp(row[: 3 * count]).reshape(count, 3) - _FLOOR, 0)
    middle, spread = skin_statistics(colours)
    glasses = float(masks.smoothstep(row[4 * count], 0.08, 0.12))
    trust = row[3 * count : 4 * count] * _likeness(colours, middle, spread)
    return FaceLight(colours, trust, middle, spread, glasses, row[4 * count + 1 :])


def _likeness(
    colours: NDArray[np.float64], middle: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(K,) how much colours look like skin: a shadow is darker, a beard is darker and has another tint."""
    away = (colour.skin_features(colours) - middle) / spread
    return 1 / (1 + ((away / np.array([3.0, 2.0, 2.0])) ** 2).sum(axis=1) ** 2) + 1e-3


def face_sharpness(image: Image, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2,) sharpness of the inner face in ``image`` (H, W, 3) uint8; zeros where it lies off the picture."""
    height, width = image.shape[:2]
    oval = masks.outline(masks.Region.FACE_OVAL, landmarks)
    inner = masks.offset_outline(oval, -0.25 * face_scale(landmarks))
    box = Box.around(inner).pad(4).clip(width, height)
    if not box.area:
        return np.zeros(2)
    region = np.zeros((box.height, box.width), np.uint8)
    cv2.fillPoly(region, [np.round(inner - (box.left, box.top)).astype(np.int32)], 1)
    return sharpness(cv2.cvtColor(image[box.slices], cv2.COLOR_RGB2GRAY).astype(np.float32) / 255, region > 0)


def light_field(
    source: NDArray[np.float64], trust: NDArray[np.float64], light: FaceLight, landmarks: NDArray[np.float64], box: Box
) -> NDArray[np.float32]:
    """(h, w, 3) float32 natural logarithm of the gain over ``box`` that puts ``light`` on the source's face.

    source     (K, 3) the source's colours at the landmarks ``SKIN``; trust (K,) how much each is worth.
    landmarks  (478, 3) of the result in the frame.

    An even slope fitted robustly (``colour.fit_gain``), and what single places differ from it, smoothed.
    """
    scale, points = face_scale(landmarks), landmarks[list(SKIN), :2]
    centre = points.mean(axis=0)
    weights = trust * light.trust
    gain = colour.fit_gain(source, light.skin, (points - centre) / scale, weights)
    design = np.column_stack([np.ones(len(points)), (points - centre) / scale])
    rest = np.log(light.skin + _FLOOR) - np.log(source + _FLOOR) - design @ gain
    rest = np.clip(rest, -_MOST, _MOST)
    weights = weights / (1 + (np.abs(rest).max(axis=1) / (0.5 * _MOST)) ** 2)
    step = max(2.0, scale / _COARSE)
    x = box.left + np.arange(int(box.width / step) + 2) * step
    y = box.top + np.arange(int(box.height / step) + 2) * step
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    squared = ((grid[:, :, None] - points) ** 2).sum(axis=-1)
    near = weights * np.exp(-0.5 * squared / (_REACH * scale / 2) ** 2)
    # The constant fades the local part out where no point is near.
    local = (near @ rest) / (near.sum(axis=-1, keepdims=True) + 0.15)
    coarse = (np.concatenate([np.ones((*grid.shape[:2], 1)), (grid - centre) / scale], axis=-1) @ gain) + local
    to_coarse = np.array([[1 / step, 0, 0], [0, 1 / step, 0]])
    field_: NDArray[np.float32] = cv2.warpAffine(
        coarse.astype(np.float32),
        to_coarse,
        (box.width, box.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return field_


def apply_field(picture: FloatImage, field_: NDArray[np.float32]) -> FloatImage:
    """``picture`` (h, w, 3) multiplied by the gain of ``light_field``."""
    lit: FloatImage = (picture + _FLOOR) * cv2.exp(field_) - _FLOOR
    return lit
