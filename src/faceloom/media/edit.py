"""Write an edited RGB picture back into the decoded planes, touching only what was edited."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.media.colour import Matrix
from faceloom.media.formats import PlaneFormat
from faceloom.media.native import NativePlanes, Plane, to_rgb
from faceloom.types import Box, Frame, Image

_AT_ITS_LIMIT = np.array([1, *[0] * 254, 1], np.uint8)
"""For each level of decoded RGB, whether what lies beyond it was cut off."""


def edited_planes(frame: Frame, fmt: PlaneFormat, matrix: Matrix) -> NativePlanes:
    """The planes to encode for ``frame``.

    Without an edit these are the decoded planes themselves. With one, the *difference* between the edited and the
    decoded RGB inside ``frame.changed`` is taken through the colour matrix and added to the decoded planes: luma where
    the pixel differs, chroma where any pixel of the block differs. Everything else keeps its decoded value bit for bit,
    and inside the edit the extra depth and grain of the original survive (except where the decoded pixel was at the
    limit of RGB; there the new colour is converted outright). A frame without decoded planes is converted
    whole, to ``fmt`` under ``matrix``.
    """
    native = frame.native
    if not isinstance(native, NativePlanes):
        return from_rgb(frame.image, fmt, matrix)
    if frame.changed is None:
        return native
    decoded = to_rgb(native) if frame.decoded is None else frame.decoded
    box = _align(frame.changed, native)
    if not box.area:
        return native
    image, decoded = frame.image[box.slices], decoded[box.slices]
    return native if np.array_equal(image, decoded) else _add(native, image, decoded, box)


def from_rgb(image: Image, fmt: PlaneFormat, matrix: Matrix) -> NativePlanes:
    """A whole RGB picture in format ``fmt``; alpha, if the format has it, is opaque."""
    planes = _code_values(image.astype(np.float32), fmt, matrix)
    if fmt.family != "rgb":
        planes[0] += matrix.scales(fmt.bits)[1]
        for chroma in planes[1:]:
            chroma += 1 << (fmt.bits - 1)
    if fmt.alpha:
        planes.append(np.full(image.shape[:2], fmt.peak, np.float32))
    return NativePlanes(tuple(_quantise(plane, fmt) for plane in planes), fmt, matrix)


def _align(box: Box, native: NativePlanes) -> Box:
    """``box`` grown to whole chroma blocks and cut to the picture."""
    step_x, step_y = native.format.step_x, native.format.step_y
    grown = Box(
        box.left // step_x * step_x,
        box.top // step_y * step_y,
        -(-box.right // step_x) * step_x,
        -(-box.bottom // step_y) * step_y,
    )
    return grown.clip(native.width, native.height)


def _add(native: NativePlanes, image: Image, decoded: Image, box: Box) -> NativePlanes:
    fmt = native.format
    difference = np.subtract(image, decoded, dtype=np.float32)
    deltas = _code_values(difference, fmt, native.matrix)
    # Decoded RGB at its limit may hide a sample far outside RGB; a difference would leave that excess behind.
    clipped = _most(cv2.absdiff(image, decoded)) * _most(cv2.LUT(decoded, _AT_ITS_LIMIT)) > 0
    exact = from_rgb(image, replace(fmt, alpha=False), native.matrix).planes if clipped.any() else ()
    planes = list(native.planes)
    for index, delta in enumerate(deltas):
        step_x, step_y = (fmt.step_x, fmt.step_y) if index else (1, 1)
        top, left = box.top // step_y, box.left // step_x
        where = slice(top, top + delta.shape[0]), slice(left, left + delta.shape[1])
        # A zero difference rounds to zero, so unedited samples inside the box keep their value.
        samples = np.clip(planes[index][where] + np.rint(delta).astype(np.int32), 0, fmt.peak).astype(fmt.dtype)
        if exact:
            limit = block_mean(clipped.astype(np.float32), step_x, step_y) > 0
            samples = np.where(limit, exact[index], samples)
        planes[index] = planes[index].copy()
        planes[index][where] = samples
    return replace(native, planes=tuple(planes))


def _most(image: Image) -> NDArray[np.uint8]:
    """(h, w) the highest of the three channels. Numpy takes eight times as long along a last axis of three."""
    red, green, blue = cv2.split(image)
    return cv2.max(cv2.max(red, green), blue)


def _code_values(levels: NDArray[np.float32], fmt: PlaneFormat, matrix: Matrix) -> list[NDArray[np.float32]]:
    """``levels`` (h, w, 3) in 0..255 units as code values for each plane of ``fmt``, without offsets."""
    if fmt.family == "rgb":
        return [levels[..., channel] * (fmt.peak / 255.0) for channel in (1, 2, 0)]
    return _luma_chroma(levels, fmt, matrix)


def _luma_chroma(levels: NDArray[np.float32], fmt: PlaneFormat, matrix: Matrix) -> list[NDArray[np.float32]]:
    """Linear part of the conversion: ``levels`` (h, w, 3) in 0..255 units to code values, chroma averaged by block."""
    luma_scale, _, chroma_scale = matrix.scales(fmt.bits)
    forward = matrix.forward() / 255.0 * np.array([[luma_scale], [chroma_scale], [chroma_scale]])
    if fmt.family == "gray":
        return [cv2.transform(levels, forward[:1].astype(np.float32))]
    mixed = cv2.transform(levels, forward.astype(np.float32))
    chroma = block_mean(mixed[..., 1:], fmt.step_x, fmt.step_y)
    return [np.ascontiguousarray(mixed[..., 0]), chroma[..., 0], chroma[..., 1]]


def block_mean(values: NDArray[np.float32], step_x: int, step_y: int) -> NDArray[np.float32]:
    """Mean over blocks of ``step_y`` rows by ``step_x`` columns of (h, w) or (h, w, 2).

    Blocks at the edge: over what they contain.
    """
    if step_x == 1 and step_y == 1:
        return values
    below, right = -values.shape[0] % step_y, -values.shape[1] % step_x
    if below or right:
        # Steps are at most 2, so repeating the edge leaves the mean of a partial block unchanged.
        values = cv2.copyMakeBorder(values, 0, below, 0, right, cv2.BORDER_REPLICATE)
    size = (values.shape[1] // step_x, values.shape[0] // step_y)
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _quantise(plane: NDArray[np.float32], fmt: PlaneFormat) -> Plane:
    return np.clip(np.rint(plane), 0, fmt.peak).astype(fmt.dtype)
