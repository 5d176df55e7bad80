"""Put edited crops back into their frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from faceloom.geometry.similarity import invert, scale_of, transform
from faceloom.types import Box, Crop, FloatImage, Frame, Image, Matte, Patch


def paste(frame: Frame, patches: Sequence[Patch], strength: float = 1.0) -> Frame:
    """The frame with ``patches`` blended in, in order: ``out = in + strength * matte * (patch - in)``.

    Pixels whose matte is 0 keep their value exactly, and a frame that nothing is pasted into is returned as it is.

    Args:
        frame: the frame to edit; its picture is not modified.
        patches: crops with mattes, crop space.
        strength: 0 leaves the frame as it is, 1 applies the patches in full.

    Raises:
        ValueError: strength outside [0, 1].
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie in [0, 1], got {strength}")
    if strength == 0 or not patches:
        return frame
    picture, changed = frame.image.copy(), None
    for patch in patches:
        box = _paste_one(picture, patch, strength)
        if box.area:
            changed = box if changed is None else changed.union(box)
    return frame if changed is None else frame.edited(picture, changed)


def _paste_one(picture: Image, patch: Patch, strength: float) -> Box:
    """Blend one patch into ``picture`` in place; returns the box that it may have changed."""
    height, width = picture.shape[:2]
    box, image, matte = _in_frame(patch, width, height)
    if not box.area:
        return box
    region = picture[box.slices]
    before = region.astype(np.float32)
    weight = (matte * np.float32(strength))[..., None]
    after = before + weight * (image * np.float32(255) - before)
    # Rounding an unchanged pixel gives back its own value, so a matte of 0 needs no separate treatment.
    np.copyto(region, np.clip(after + np.float32(0.5), 0, 255).astype(np.uint8))
    return box


def _in_frame(patch: Patch, width: int, height: int) -> tuple[Box, FloatImage, Matte]:
    """The patch as frame pixels: their box, clipped to the frame, the picture and the matte over it."""
    offset = patch.crop.offset
    if offset is not None:
        full = Box(offset[0], offset[1], offset[0] + patch.crop.width, offset[1] + patch.crop.height)
        box = full.clip(width, height)
        rows, columns = box.relative_to(full).slices
        return box, patch.image[rows, columns], patch.matte[rows, columns]
    box = _footprint(patch.crop).clip(width, height)
    if not box.area:
        return box, patch.image[:0, :0], patch.matte[:0, :0]
    to_crop = patch.crop.matrix.copy()
    to_crop[:, 2] += to_crop[:, :2] @ np.array([box.left, box.top], np.float64)
    size = (box.width, box.height)
    image, matte = _antialiased(patch, scale_of(to_crop))
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC
    warped = cv2.warpAffine(image, to_crop, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(matte, to_crop, size, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR)
    return box, np.clip(warped, 0, 1), cover


def _antialiased(patch: Patch, crop_pixels_per_frame_pixel: float) -> tuple[FloatImage, Matte]:
    """Picture and matte low-passed for a paste that makes them smaller."""
    excess = crop_pixels_per_frame_pixel
    if excess <= 1.25:
        return patch.image, patch.matte
    sigma = 0.45 * float(np.sqrt(excess * excess - 1))
    image = cv2.GaussianBlur(patch.image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return image, cv2.GaussianBlur(patch.matte, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)


def _footprint(crop: Crop) -> Box:
    """The frame pixels that a crop can touch."""
    corners = np.array([[0, 0], [crop.width, 0], [0, crop.height], [crop.width, crop.height]], np.float64) - 0.5
    return Box.around(transform(invert(crop.matrix), corners)).pad(1)
