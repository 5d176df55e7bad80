"""From one planar format to another, where a codec cannot take the file's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceloom.media.edit import block_mean, from_rgb
from faceloom.media.formats import PlaneFormat
from faceloom.media.native import NativePlanes, Plane, to_rgb


def convert(native: NativePlanes, fmt: PlaneFormat) -> NativePlanes:
    """The picture in format ``fmt``, under the same matrix and range.

    Chroma is repeated to a finer grid and averaged to a coarser one, depth is rescaled with rounding, alpha is kept
    where both have it and opaque where only ``fmt`` has it. Between RGB and Y'CbCr the picture goes through 8-bit RGB.
    """
    have = native.format
    if have == fmt:
        return native
    if (have.family == "rgb") != (fmt.family == "rgb"):
        planes = list(from_rgb(to_rgb(native), replace(fmt, alpha=False), native.matrix).planes)
    else:
        planes = _colour(native, fmt)
    if fmt.alpha:
        if have.alpha:
            planes.append(_rescale(native.planes[-1], have.peak, fmt, shift=0))
        else:
            planes.append(np.full((native.height, native.width), fmt.peak, fmt.dtype))
    return replace(native, planes=tuple(planes), format=fmt)


def _colour(native: NativePlanes, fmt: PlaneFormat) -> list[Plane]:
    have = native.format
    # Limited-range code values scale with the bit depth; full-range ones (and RGB) with the peak.
    shift = 0 if native.matrix.full or fmt.family == "rgb" else fmt.bits - have.bits
    luma = _rescale(native.planes[0], have.peak, fmt, shift)
    if fmt.family == "gray":
        return [luma]
    if have.family == "gray":
        columns, rows = fmt.chroma_size(native.width, native.height)
        return [luma] + [np.full((rows, columns), 1 << (fmt.bits - 1), fmt.dtype) for _ in range(2)]
    chroma = [_regrid(plane, have, fmt, native) for plane in native.planes[1:3]]
    return [luma] + [_rescale(plane, have.peak, fmt, shift) for plane in chroma]


def _rescale(plane: NDArray[np.generic], peak: int, fmt: PlaneFormat, shift: int) -> Plane:
    if not shift and peak == fmt.peak and plane.dtype == fmt.dtype:
        return np.ascontiguousarray(plane)
    factor = 2.0**shift if shift else fmt.peak / peak
    return np.clip(np.rint(plane.astype(np.float32) * factor), 0, fmt.peak).astype(fmt.dtype)


def _regrid(plane: Plane, have: PlaneFormat, fmt: PlaneFormat, native: NativePlanes) -> NDArray[np.generic]:
    columns, rows = fmt.chroma_size(native.width, native.height)
    if fmt.step_x < have.step_x:
        plane = np.repeat(plane, have.step_x // fmt.step_x, axis=1)[:, :columns]
    if fmt.step_y < have.step_y:
        plane = np.repeat(plane, have.step_y // fmt.step_y, axis=0)[:rows]
    step_x, step_y = max(1, fmt.step_x // have.step_x), max(1, fmt.step_y // have.step_y)
    if step_x == step_y == 1:
        return plane
    return block_mean(plane.astype(np.float32), step_x, step_y)
