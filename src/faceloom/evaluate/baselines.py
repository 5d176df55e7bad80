"""What a part transfer has to beat: two simple ways of putting a reference's part into a frame.

Both are methods (``methods.contract.Method``), so that they run in the same loop as what they are compared with.
They are not offered to users and know nothing of time: every frame is edited on its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import RecipeError
from faceloom.evaluate.motion import outside_parts
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale, part_box, part_matte, visibility
from faceloom.geometry.similarity import fit_similarity, scale_of, transform
from faceloom.geometry.tps import ThinPlateSpline, field_step
from faceloom.geometry.warp import minified, sample_minified
from faceloom.types import Attribute, Box, Crop, Face, FloatImage, Frame, Image, Part, Patch, Points, Source, Window

_NOSE_TIP = 4
_SMOOTHING = 1e-3
_SMALLEST = 64
"""Pixels: a part that covers fewer is too small to see and to warp."""
_STEERING_RING = 0.12
"""Landmarks this near to a part (inter-ocular distances) steer its thin-plate map."""


def five_points(landmarks: Points) -> NDArray[np.float64]:
    """(5, 2) pixels: centres of the subject's right and left eye, tip of the nose, right and left mouth corner."""
    points = np.asarray(landmarks, np.float64)[:, :2]
    eyes = [points[list(ring)].mean(axis=0) for ring in (t.RIGHT_EYE_RING, t.LEFT_EYE_RING)]
    return np.stack([*eyes, points[_NOSE_TIP], *points[list(t.MOUTH_CORNERS)]])


@dataclass(frozen=True, eq=False)
class _Reference:
    """One part of a reference picture.

    landmarks  (478, 3) float64, pixels of ``levels[0]``; steering  (478,) bool, those at and around the part.
    """

    part: Part
    landmarks: NDArray[np.float64]
    steering: NDArray[np.bool_]
    levels: list[NDArray[np.float32]]


class _Baseline(ABC):
    """What both baselines share: one still picture per part, every frame for itself."""

    takes: ClassVar[frozenset[Attribute]] = frozenset(a for a in Attribute if a.parts)
    needs: ClassVar[tuple[str, ...]] = ()
    context: ClassVar[int] = 0

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        if options:
            raise RecipeError(f"a baseline has no options, got {', '.join(options)}")

    def prepare(self, sources: Mapping[Attribute, Source]) -> list[_Reference]:
        """Measure every part of every reference once."""
        references = []
        for attribute, source in sources.items():
            landmarks = source.face.landmarks.astype(np.float64)
            levels = minified(source.image.astype(np.float32) / np.float32(255))
            for part in attribute.parts:
                steering = ~outside_parts([part], landmarks, _STEERING_RING)
                references.append(_Reference(part, landmarks, steering, levels))
        return references

    def apply(self, window: Window, faces: Sequence[Face | None], prepared: Sequence[_Reference]) -> list[list[Patch]]:
        """See ``Method.apply``."""
        core = range(*window.core.indices(len(window.frames)))
        return [list(self._patches(window.frames[i], faces[i], prepared)) for i in core]

    def _patches(self, frame: Frame, face: Face | None, prepared: Sequence[_Reference]) -> Iterator[Patch]:
        if face is None:
            return
        landmarks = face.landmarks.astype(np.float64)
        for reference in prepared:
            box = part_box(reference.part, landmarks, frame.width, frame.height)
            visible = np.float32(visibility(reference.part, face.pose))
            if box.area <= _SMALLEST or visible <= 0:
                continue
            matte = part_matte(reference.part, landmarks, reference.landmarks, box)
            image, cover = self._place(reference, landmarks, frame.image[box.slices], matte, box)
            yield Patch(image, cover * visible, Crop.cut(box))

    @abstractmethod
    def _place(
        self,
        reference: _Reference,
        landmarks: NDArray[np.float64],
        target: Image,
        matte: NDArray[np.float32],
        box: Box,
    ) -> tuple[FloatImage, NDArray[np.float32]]:
        """The reference's part over ``box`` and where it counts."""


class UnwarpedPaste(_Baseline):
    """The part placed by one similarity of the whole face and laid under a soft matte, nothing more.

    The similarity maps the five points of the reference onto the frame's; the matte is that of ``multiband``. No
    warp, no colour, no layers: a mouth or an eye stays as open as it is in the reference.
    """

    name: ClassVar[str] = "unwarped_paste"
    summary: ClassVar[str] = "baseline: one similarity from five points, soft matte"

    def _place(
        self,
        reference: _Reference,
        landmarks: NDArray[np.float64],
        target: Image,
        matte: NDArray[np.float32],
        box: Box,
    ) -> tuple[FloatImage, NDArray[np.float32]]:
        to_reference = fit_similarity(five_points(landmarks), five_points(reference.landmarks))
        x, y = np.meshgrid(np.arange(box.left, box.right), np.arange(box.top, box.bottom))
        where = transform(to_reference, np.stack([x, y], axis=-1).astype(np.float64)).astype(np.float32)
        return sample_minified(reference.levels, where, scale_of(to_reference)), matte


class SeamlessClone(_Baseline):
    """The part under one thin-plate map, cloned into the frame's gradients, frame by frame.

    It covers what lies within the half-way line of ``multiband``'s matte. Its colours follow the target's pixels on
    that line anew in every frame.

    Source: Perez et al., Poisson Image Editing, 2003 (``cv2.seamlessClone``).
    """

    name: ClassVar[str] = "seamless_clone"
    summary: ClassVar[str] = "baseline: one thin-plate map for the whole part, Poisson cloning per frame"

    def _place(
        self,
        reference: _Reference,
        landmarks: NDArray[np.float64],
        target: Image,
        matte: NDArray[np.float32],
        box: Box,
    ) -> tuple[FloatImage, NDArray[np.float32]]:
        steering = reference.steering
        spline = ThinPlateSpline.fit(landmarks[steering], reference.landmarks[steering], _SMOOTHING)
        scale = face_scale(landmarks)
        where = spline.field(box, field_step(scale))
        warped = np.clip(sample_minified(reference.levels, where, face_scale(reference.landmarks) / scale), 0, 1)
        return _clone((warped * 255 + 0.5).astype(np.uint8), target, matte > 0.5)


def _clone(picture: Image, target: Image, inside: NDArray[np.bool_]) -> tuple[FloatImage, NDArray[np.float32]]:
    # The solver needs known pixels all around, also where the box ends at the frame's border.
    inside[:2], inside[-2:], inside[:, :2], inside[:, -2:] = False, False, False, False
    mask = inside.astype(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    if width < 3 or height < 3:
        return target.astype(np.float32) / np.float32(255), np.zeros(target.shape[:2], np.float32)
    # OpenCV puts the middle of the mask's bounding box at the centre it is given; this one leaves it in place.
    centre = (left + width // 2, top + height // 2)
    cloned = cv2.seamlessClone(picture, np.ascontiguousarray(target), mask * 255, centre, cv2.NORMAL_CLONE)
    return cloned.astype(np.float32) / np.float32(255), mask.astype(np.float32)
