"""A facial part cut out of a reference picture, cleaned and measured once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import colour, masks, warp
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import cover_outline, face_scale
from faceloom.methods.face_look import look_at
from faceloom.methods.light import (
    SKIN_POINTS,
    eyeball_colours,
    light_frame,
    part_shading,
    part_sharpness,
    sharpness_box,
)
from faceloom.methods.surround import part_and_skin, skin_statistics
from faceloom.types import Box, FloatImage, Image, Matte, Part, Source

ZOOMS = np.geomspace(0.25, 8.0, 11)
"""Reference pixels per frame pixel at which the sharpness of a reference is measured."""
_LOG_ZOOMS = np.log(ZOOMS)
_NOT_LIP = 15.0
"""Distance in CIE Lab (lightness at half weight) from the lip's own colour beyond which a pixel is tooth or gap."""

_HAIR, _EYEBROW_HAIR = (0.25, 0.55), (0.5, 0.9)
_NOSTRIL = (0.04, 0.18)
"""Brightness relative to the skin's up to which a pixel is hair or lash, and from which on it is skin."""


@dataclass(frozen=True, eq=False)
class PartReference:
    """A part of a reference picture, ready to be sampled."""

    part: Part
    landmarks: NDArray[np.float64]
    """(478, 3) pixels of ``levels[0]``."""
    levels: list[NDArray[np.float32]]
    """The picture around the part, float32 RGB in [0, 1], and its halvings."""
    clean: Matte
    """(H, W) of ``levels[0]``: 0 where hair or the like lies over the skin around the part."""
    bare: Matte
    """(H, W) of ``levels[0]``: 1 on bare skin, 0 on lips and hair, whose colour says nothing of the skin's."""
    skin: NDArray[np.float64]
    """(K, 3) colours at the part's skin points."""
    eyeball: NDArray[np.float64]
    """(2, 3) colours of the white of the eye, for eyes."""
    feature: NDArray[np.float64]
    """(3,) median colour of what is not bare skin on the part: lips, or hair; black where there is nothing."""
    shading: float
    """``light.part_shading``."""
    sharpness: NDArray[np.float64]
    """(Z, 2) sharpness when sampled at each of ``ZOOMS``."""

    @cached_property
    def skin_median(self) -> NDArray[np.float64]:
        """(3,) median colour of the skin around the part."""
        return colour.column_medians(self.skin)

    @cached_property
    def skin_luminance(self) -> float:
        """Median luminance of the skin around the part."""
        return float(colour.column_medians(self.skin @ colour.LUMINANCE[:, None])[0])

    @cached_property
    def surface(self) -> NDArray[np.float32]:
        """(H, W, 2) ``clean`` and ``bare``, to be sampled together."""
        return cv2.merge([self.clean, self.bare])

    @cached_property
    def skin_spread(self) -> NDArray[np.float64]:
        """(3,) deviations of ``colour.skin_features`` of the skin around the part."""
        return skin_statistics(self.skin)[1]

    def sharpness_at(self, zoom: float) -> NDArray[np.float64]:
        """(2,) sharpness of the part where one pixel of the frame is ``zoom`` pixels of the reference."""
        return np.array([np.interp(math.log(zoom), _LOG_ZOOMS, self.sharpness[:, band]) for band in range(2)])


def cut_reference(part: Part, source: Source) -> PartReference:
    """Cut ``part`` out of ``source``; a mouth loses its teeth and gap, which are never transferred."""
    landmarks = source.face.landmarks.astype(np.float64)
    scale = face_scale(landmarks)
    height, width = source.image.shape[:2]
    box = Box.around(cover_outline(part, landmarks)).pad(int(scale) + 8).clip(width, height)
    local = landmarks - (box.left, box.top, 0)
    image = np.ascontiguousarray(source.image[box.slices])
    look = look_at(image, local)
    skin = look.colours[list(SKIN_POINTS[part])]
    eyeball = eyeball_colours(part, image, local)
    if part == Part.MOUTH:
        image = lips_only(image, local)
    picture = image.astype(np.float32) / np.float32(255)
    whole = Box(0, 0, box.width, box.height)
    clean = part_and_skin(picture, part, local, skin_statistics(skin), whole)
    levels = warp.minified(picture)
    bare = _bare(picture, part, local, skin)
    feature = _feature(picture, bare, part, local)
    sharp, shading = _sharpness_by_zoom(part, levels, local), part_shading(part, look)
    return PartReference(part, local, levels, clean, bare, skin, eyeball, feature, shading, sharp)


def at_landmarks(reference: PartReference, landmarks: NDArray[np.float64]) -> PartReference:
    """The same cut-out with the part at other ``landmarks``, (478, 3) pixels of it, and its sharpness there."""
    sharp = _sharpness_by_zoom(reference.part, reference.levels, landmarks)
    return replace(reference, landmarks=landmarks, sharpness=sharp)


def _feature(picture: FloatImage, bare: Matte, part: Part, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """``feature`` of a ``PartReference``."""
    whole = Box(0, 0, picture.shape[1], picture.shape[0])
    pixels = picture[(masks.polygon_mask(cover_outline(part, landmarks), whole) > 0.5) & (bare < 0.2)]
    return np.median(pixels, axis=0).astype(np.float64) if len(pixels) else np.zeros(3)


def _bare(picture: FloatImage, part: Part, landmarks: NDArray[np.float64], skin: NDArray[np.float64]) -> Matte:
    """Where a cut-out shows bare skin: not on the lips, and not where it is much darker than the skin beside it."""
    whole, scale = Box(0, 0, picture.shape[1], picture.shape[0]), face_scale(landmarks)
    smooth = cv2.GaussianBlur(picture, (0, 0), max(0.4, 0.008 * scale))
    bright = smooth.sum(axis=2) / _skin_brightness(part, landmarks, skin, whole)
    hair = {Part.LEFT_EYEBROW: _EYEBROW_HAIR, Part.RIGHT_EYEBROW: _EYEBROW_HAIR, Part.NOSE: _NOSTRIL}.get(part, _HAIR)
    bare = masks.blur(masks.smoothstep(bright, *hair), 0.010 * scale)
    if part != Part.MOUTH:
        return bare
    return bare * (1 - masks.blur(masks.region_mask(masks.Region.LIPS, landmarks, whole), 0.015 * scale))


def _skin_brightness(
    part: Part, landmarks: NDArray[np.float64], skin: NDArray[np.float64], box: Box
) -> NDArray[np.float32]:
    """(h, w) what red, green and blue of the skin add up to all over ``box``, for a face lit from one side is dark on
    the other."""
    centre, unit = light_frame(landmarks, part)
    positions = (landmarks[list(SKIN_POINTS[part]), :2] - centre) / unit
    grey = np.repeat(skin.sum(axis=1, keepdims=True), 3, axis=1)
    level = colour.fit_gain(np.ones_like(grey), grey, positions)[:, 0]
    # Beyond the points the slope means nothing.
    low, high = positions.min(axis=0), positions.max(axis=0)
    x = np.clip((np.arange(box.left, box.right) - centre[0]) / unit, low[0], high[0])
    y = np.clip((np.arange(box.top, box.bottom) - centre[1]) / unit, low[1], high[1])
    return np.maximum(1.02 * np.exp(level[0] + level[1] * x + level[2] * y[:, None]) - 0.02, 1e-3).astype(np.float32)


def _sharpness_by_zoom(
    part: Part, levels: list[NDArray[np.float32]], landmarks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``sharpness`` of a ``PartReference``."""
    return np.stack([_sharpness_when_sampled(part, levels, landmarks, zoom) for zoom in ZOOMS])


def _sharpness_when_sampled(
    part: Part, levels: list[NDArray[np.float32]], landmarks: NDArray[np.float64], zoom: float
) -> NDArray[np.float64]:
    height, width = (max(1, round(side / zoom)) for side in levels[0].shape[:2])
    seen = landmarks / zoom
    box = sharpness_box(part, seen).clip(width, height)
    where = warp.affine_field(np.array([[zoom, 0, 0], [0, zoom, 0]]), box)
    sampled = warp.sample_minified(levels, where, zoom)
    return part_sharpness(part, (sampled.clip(0, 1) * 255).round().astype(np.uint8), seen - (box.left, box.top, 0))


def lips_only(image: Image, landmarks: NDArray[np.float64]) -> Image:
    """The picture with its mouth's interior painted over with lip.

    The inner lip landmarks of a smile lie on the teeth rather than on the lip's edge. Sampled there, teeth would
    show as bright streaks on closed lips, so everything between the lips' middle lines that does not look like
    the lip it borders is filled in from the lip.
    """
    height, width = image.shape[:2]
    box = Box(0, 0, width, height)
    scale = face_scale(landmarks)
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), max(0.3, 0.006 * scale)), cv2.COLOR_RGB2LAB).astype(np.float32)
    inside = masks.region_mask(masks.Region.INNER_MOUTH, landmarks, box)
    line = 0.5 * (landmarks[list(t.UPPER_LIP_INNER), :2] + landmarks[list(t.LOWER_LIP_INNER), :2])
    interior = np.maximum(inside, masks.line_mask(line, 0.025 * scale, box)) > 0.5
    for outer, middle, inner in (
        (t.UPPER_LIP_OUTER, t.UPPER_LIP_MIDDLE, t.UPPER_LIP_INNER),
        (t.LOWER_LIP_OUTER, t.LOWER_LIP_MIDDLE, t.LOWER_LIP_INNER),
    ):
        # On a thin lip even the middle line can lie on a tooth; half-way to the outer line is lip for certain.
        red = 0.5 * (landmarks[list(outer), :2] + landmarks[list(middle), :2])
        interior |= _unlike_lip(lab, red, landmarks[list(inner), :2], box)
    grown = masks.dilate(interior.astype(np.float32), 0.012 * scale) > 0.5
    return cv2.inpaint(image, grown.astype(np.uint8), 3, cv2.INPAINT_TELEA)


def _unlike_lip(
    lab: NDArray[np.float32], red: NDArray[np.float64], inner: NDArray[np.float64], box: Box
) -> NDArray[np.bool_]:
    """Pixels between the line ``red`` through a lip and its ``inner`` line that do not have the lip's colour."""
    strip = masks.polygon_mask(np.vstack([red, inner[::-1]]), box) > 0.5
    on_lip = np.clip(red[2:-2].round().astype(int), 0, (box.width - 1, box.height - 1))
    own = np.median(lab[on_lip[:, 1], on_lip[:, 0]], axis=0)
    difference = (lab - own) * np.array([0.5 * 100 / 255, 1, 1], np.float32)
    return strip & (np.linalg.norm(difference, axis=-1) > _NOT_LIP)
