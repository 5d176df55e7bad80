"""A correction of an aligned face carried out on the full-size picture, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry.masks import outline, polygon_masks, smoothstep
from faceloom.geometry.similarity import invert, scale_of, transform
from faceloom.methods.langbrt.grain import Grain
from faceloom.methods.langbrt.guided import FROM_ZOOM, GuidedChange
from faceloom.methods.langbrt.temporal import Correction
from faceloom.methods.langbrt.tone import log_light, log_light_of, picture_of
from faceloom.methods.timing import stage
from faceloom.methods.vpartswap.crops import enlarge
from faceloom.types import Box, Crop, FloatImage, Frame, Image, Matte, Part, Patch

_TILE = 1024
"""Side in pixels of what is worked on at a time."""
_FULL = 0.10
"""Cover from which on the correction counts in full; from there it ends within a soft edge."""
_FEATURES = (Part.LEFT_EYE, Part.RIGHT_EYE, Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW, Part.MOUTH)
_MARGIN = 6
"""Network pixels around a tile that its smoothing looks at."""


@stage("lift")
def lift(
    frame: Frame, crop: Crop, picture: FloatImage, skin: Matte, correction: Correction, grain: float
) -> list[Patch]:
    """Patches that carry a correction out, of whole pixels, none where nothing changes.

    Args:
        frame: the picture.
        crop: from frame to the aligned face of S pixels.
        picture: (S, S, 3) float32 in [0, 1], the aligned face.
        skin: (S, S) float32, where it is skin.
        correction: what to do to it.
        grain: 0 to 1, how much grain to put back.
    """
    tiles = list(_tiles(crop, correction.cover, frame))
    if not tiles:
        return []
    zoom, image = 1 / scale_of(crop.matrix), frame.image
    gray = _is_gray(image, crop)
    if gray:  # and must stay so
        correction = correction.gray()
    guided = GuidedChange.fit(log_light(picture), correction.change) if zoom > FROM_ZOOM else None
    own = Grain.of(image, crop, np.where(correction.cover > 0, 0, skin).astype(np.float32))
    landmarks = transform(invert(crop.matrix), correction.landmarks)
    job = _Job(image, crop, zoom, correction, guided, own, grain, landmarks)
    return [patch for tile in tiles if (patch := job.patch(tile)) is not None]


@dataclass(frozen=True, eq=False)
class _Job:
    """Everything that is the same for all tiles of a face."""

    image: Image
    crop: Crop
    zoom: float
    correction: Correction
    guided: GuidedChange | None
    own: Grain
    grain: float
    landmarks: NDArray[np.float64]

    def patch(self, tile: Box) -> Patch | None:
        """One tile, None if nothing in it changes."""
        wide = tile.pad(int(_MARGIN * self.zoom) + 2).clip(self.image.shape[1], self.image.shape[0])
        inner = tile.relative_to(wide).slices
        values = enlarge(self.correction.values, self.crop, wide)
        weight = smoothstep(values[..., 3], 0.0, _FULL) * (1 - self._features(wide))
        if not weight[inner].any():
            return None
        log = log_light_of(self.image[wide.slices])
        if self.guided is None:
            result = log + weight[..., None] * values[..., :3]
        else:
            level = self.own.deviation(self.crop, wide)
            result = self.guided.apply(log, weight, level, self.crop, wide, self.zoom)
        if self.grain > 0:
            missing = self.own.missing(log, result, self.crop, wide)
            result = result + (np.float32(self.grain) * weight * missing)[..., None]
        touched = (weight[inner] > 0).astype(np.float32)
        return Patch(picture_of(result[inner]), touched, Crop.cut(tile))

    def _features(self, box: Box) -> Matte:
        """Eyes, brows and mouth, which end more sharply than the network's pixels: (h, w) float32 in [0, 1]."""
        outlines = [outline(part, self.landmarks) for part in _FEATURES]
        return np.maximum.reduce(polygon_masks(outlines, box))


def _tiles(crop: Crop, cover: Matte, frame: Frame) -> Iterator[Box]:
    """The parts of the frame that something is to be done to: at most ``_TILE`` pixels a side, as small as they can."""
    rows, columns = np.nonzero(cover > 0)
    if not len(rows):
        return
    low, high = (columns.min() - 2, rows.min() - 2), (columns.max() + 2, rows.max() + 2)
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.float64)
    whole = Box.around(transform(invert(crop.matrix), corners)).pad(1).clip(frame.width, frame.height)
    for top in range(whole.top, whole.bottom, _TILE):
        for left in range(whole.left, whole.right, _TILE):
            box = Box(left, top, min(left + _TILE, whole.right), min(top + _TILE, whole.bottom))
            tight = _covered(crop, cover, box)
            if tight is not None:
                yield tight


def _covered(crop: Crop, cover: Matte, box: Box) -> Box | None:
    """The part of a box in which there is any cover, looked at on a grid of about one network pixel."""
    zoom = 1 / scale_of(crop.matrix)
    step = max(1, int(zoom))
    x, y = np.arange(box.left, box.right + step, step), np.arange(box.top, box.bottom + step, step)
    points = np.stack(np.meshgrid(x, y), axis=-1).astype(np.float64)
    where = transform(crop.matrix, points).astype(np.float32)
    spread = cv2.dilate(cover, np.ones((5, 5), np.uint8))
    found = cv2.remap(spread, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) > 0
    if not found.any():
        return None
    rows, columns = np.nonzero(found.any(axis=1))[0], np.nonzero(found.any(axis=0))[0]
    tight = Box(int(x[columns[0]]), int(y[rows[0]]), int(x[columns[-1]]) + 1, int(y[rows[-1]]) + 1).pad(step)
    return Box(
        max(tight.left, box.left), max(tight.top, box.top), min(tight.right, box.right), min(tight.bottom, box.bottom)
    )


def _is_gray(image: Image, crop: Crop) -> bool:
    """Whether the face is gray."""
    corners = np.array([[0, 0], [crop.width, 0], [0, crop.height], [crop.width, crop.height]], np.float64)
    box = Box.around(transform(invert(crop.matrix), corners)).clip(image.shape[1], image.shape[0])
    part = image[box.slices][::3, ::3]
    return bool(np.array_equal(part[..., 0], part[..., 1]) and np.array_equal(part[..., 1], part[..., 2]))
