"""The fine irregularity of skin and of the camera: how strong it is on a face, and more of it where it went missing.

A network's picture of skin is smoother than skin. Where it replaces some, noise in bands of detail fills in what the
skin around has more of. The noise lies still on the face, so it moves with it in video.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry.masks import smoothstep
from faceloom.geometry.similarity import invert, scale_of, transform
from faceloom.methods.langbrt.tone import LogLight, log_light_of
from faceloom.types import Box, Crop, Image, Matte

_COARSEST = 0.9
"""Deviation in network pixels of the Gaussian above which detail is the network's."""
_BANDS = 3
_FINEST = 0.5
"""Deviation in pixels of the picture below which a Gaussian does nothing."""
_CELLS = 64
"""Strength is measured in so many cells along each side of the aligned face."""
_AROUND = 4.0
"""Deviation in cells of the Gaussian over which strengths are averaged."""
_OUTLIER = 2.5
"""Strength, over the median of the face, beyond which it is something else than grain: a hair, a fold."""
_SHINE = 0.10, 0.35
"""Loss of the logarithm of luminance at which mirrored light begins to hide grain, and at which it hides all."""
_TEXTURE = 512
_OVERLAP = 1.35
"""Bands overlap, and a band's filter passes its own noise in part: noise of unit deviation measures so much less."""
_LUMINANCE = np.array([[0.2126, 0.7152, 0.0722]], np.float32)
_TILE = 1024


@dataclass(frozen=True, eq=False)
class Grain:
    """How strong detail is on the skin of a face, apart from its blemishes.

    sigmas     deviations of Gaussians, pixels of the picture, coarse to fine, the last 0; detail between two is a band.
    variances  (bands, cells, cells) float32 of the logarithm of luminance, over the aligned face.
    """

    sigmas: tuple[float, ...]
    variances: NDArray[np.float32]

    @classmethod
    def of(cls, image: Image, crop: Crop, skin: Matte) -> Grain:
        """Measure a face: ``image`` (H, W, 3) uint8, ``crop`` to the aligned face, ``skin`` (S, S) its bare skin."""
        sigmas = band_sigmas(1 / scale_of(crop.matrix))
        weight = cv2.resize(skin, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
        # Away from the edges of skin, because the edge of a brow is no grain.
        weight = cv2.erode(np.where(weight > 0.9, weight, np.float32(0)), np.ones((3, 3), np.uint8))
        variances = np.zeros((len(sigmas) - 1, _CELLS, _CELLS), np.float32)
        cells = _cell_centres(crop)
        for box in _boxes(cells, weight, image):
            wide = box.pad(int(4 * sigmas[0]) + int(4 / scale_of(crop.matrix))).clip(image.shape[1], image.shape[0])
            luminance = luminance_of(log_light_of(image[wide.slices]))
            inside = _inside(cells, box)
            where = (cells - (wide.left, wide.top)).astype(np.float32)
            side = _cell_side(crop)
            for number, band in enumerate(bands(luminance, sigmas)):
                energy = cv2.blur(band * band, (side, side), borderType=cv2.BORDER_REPLICATE)
                found = cv2.remap(energy, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                variances[number][inside] = found[inside]
        return cls(sigmas, np.stack([_filled(one, weight) for one in variances]) if len(variances) else variances)

    def deviation(self, crop: Crop, box: Box) -> Matte:
        """Of all bands together, (h, w) float32 over ``box`` of the picture."""
        return np.sqrt(_over(self.variances.sum(axis=0), crop, box))

    def missing(self, before: LogLight, after: LogLight, crop: Crop, box: Box) -> NDArray[np.float32]:
        """Noise for what a retouched picture over ``box`` lost: (h, w) float32, to be added to all its channels.

        No more than was there, and no more than around. But light mirrored by skin hides the grain below it: where
        that was taken away, as much as around.
        """
        now, then = luminance_of(after), luminance_of(before)
        hidden = smoothstep(then - now, *_SHINE)
        total = np.zeros(now.shape, np.float32)
        side, texel = _cell_side(crop), _COARSEST / 2
        pairs = zip(bands(now, self.sigmas), bands(then, self.sigmas), strict=True)
        for number, (band, old) in enumerate(pairs):
            there, was = (cv2.blur(b * b, (side, side), borderType=cv2.BORDER_REPLICATE) for b in (band, old))
            around = _over(self.variances[number], crop, box)
            wanted = np.minimum(around, was)
            lacking = np.maximum(wanted + hidden * (around - wanted) - there, 0)
            total += np.float32(_OVERLAP) * np.sqrt(lacking) * noise(crop, box, texel / 2**number, number)
        return total


def band_sigmas(zoom: float) -> tuple[float, ...]:
    """Limits of the bands for a picture with ``zoom`` pixels to each of the network's; empty if it is smaller."""
    sigmas = [_COARSEST * zoom / 2**k for k in range(_BANDS)]
    return (*(sigma for sigma in sigmas if sigma >= _FINEST), 0.0)


def bands(luminance: NDArray[np.float32], sigmas: tuple[float, ...]) -> Iterator[NDArray[np.float32]]:
    """Detail between Gaussians, coarse to fine."""
    for coarse, fine in pairwise(sigmas):
        sharper = luminance if fine == 0 else cv2.GaussianBlur(luminance, (0, 0), fine, borderType=cv2.BORDER_REPLICATE)
        yield sharper - cv2.GaussianBlur(luminance, (0, 0), coarse, borderType=cv2.BORDER_REPLICATE)


def luminance_of(log: LogLight) -> NDArray[np.float32]:
    """(H, W) weighted mean of the logarithms of colours."""
    return cv2.transform(log, _LUMINANCE)


def noise(crop: Crop, box: Box, texel: float, seed: int) -> NDArray[np.float32]:
    """Noise over ``box`` (h, w) of unit deviation, in a band around 3 texels; ``texel`` in network pixels.

    The same place of the face has the same noise in every frame.
    """
    to_texture = crop.matrix / texel
    to_texture[:, 2] += to_texture[:, :2] @ np.array([box.left, box.top], np.float64)
    x, y = np.arange(box.width, dtype=np.float64), np.arange(box.height, dtype=np.float64)[:, None]
    where = [(row[0] * x + row[1] * y + row[2]) % _TEXTURE for row in to_texture]
    # A texel beyond the edge repeats the first, so that nothing has to be wrapped inside a pixel.
    return cv2.remap(_texture(seed), where[0].astype(np.float32), where[1].astype(np.float32), cv2.INTER_LINEAR)


@cache
def _texture(seed: int) -> NDArray[np.float32]:
    white = np.random.default_rng(seed).standard_normal((_TEXTURE, _TEXTURE)).astype(np.float32)
    tiled = np.pad(white, 32, mode="wrap")
    band = cv2.GaussianBlur(tiled, (0, 0), 1.0) - cv2.GaussianBlur(tiled, (0, 0), 2.0)
    band = band[32 : 33 + _TEXTURE, 32 : 33 + _TEXTURE]
    return band / band.std()


def _cell_side(crop: Crop) -> int:
    return max(1, round(crop.width / _CELLS / scale_of(crop.matrix)))


def _cell_centres(crop: Crop) -> NDArray[np.float64]:
    """(cells, cells, 2) centres of the cells, pixels of the picture."""
    at = (np.arange(_CELLS) + 0.5) * (crop.width / _CELLS) - 0.5
    return transform(invert(crop.matrix), np.stack(np.meshgrid(at, at), axis=-1))


def _boxes(cells: NDArray[np.float64], weight: Matte, image: Image) -> Iterator[Box]:
    """Tiles of the picture that hold the centres of cells that count."""
    points = cells[weight > 0]
    if not len(points):
        return
    whole = Box.around(points).clip(image.shape[1], image.shape[0])
    for top in range(whole.top, whole.bottom, _TILE):
        for left in range(whole.left, whole.right, _TILE):
            box = Box(left, top, min(left + _TILE, whole.right), min(top + _TILE, whole.bottom))
            if _inside(points, box).any():
                yield box


def _inside(points: NDArray[np.float64], box: Box) -> NDArray[np.bool_]:
    x, y = points[..., 0], points[..., 1]
    return (x >= box.left) & (x < box.right) & (y >= box.top) & (y < box.bottom)


def _filled(values: NDArray[np.float32], weight: Matte) -> NDArray[np.float32]:
    """Means of the cells that count around every cell; of all of them where none is near."""
    total = float(weight.sum())
    if total > 0:
        values = np.minimum(values, np.float32(_OUTLIER * float(np.median(values[weight > 0]))))
    near = cv2.GaussianBlur(weight, (0, 0), _AROUND)
    mean = cv2.GaussianBlur(values * weight, (0, 0), _AROUND)
    everywhere = float((values * weight).sum()) / total if total > 0 else 0.0
    return (mean + np.float32(0.01 * everywhere)) / (near + np.float32(0.01))


def _over(cells: NDArray[np.float32], crop: Crop, box: Box) -> NDArray[np.float32]:
    """Values of cells over ``box`` of the picture, (h, w)."""
    scale = _CELLS / crop.width
    to_cells = crop.matrix * scale
    to_cells[:, 2] += 0.5 * scale - 0.5 + to_cells[:, :2] @ np.array([box.left, box.top], np.float64)
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    return cv2.warpAffine(cells, to_cells, (box.width, box.height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
