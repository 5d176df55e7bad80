"""Section 3.2 of V-PartSwap: the reference's part, bent to the landmarks of every frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import topology as t
from faceloom.geometry import warp
from faceloom.geometry.colour import apply_gain
from faceloom.geometry.partcover import face_scale, part_matte
from faceloom.geometry.partmaps import mouth_opening_matte, part_layers
from faceloom.geometry.similarity import fit_similarity
from faceloom.geometry.tps import ThinPlateSpline
from faceloom.methods.light import light_frame
from faceloom.methods.timing import stage
from faceloom.types import Box, FloatImage, Matte, Part

_LEFT_EYE = t.LEFT_UPPER_LID_SKIN + t.LEFT_LOWER_LID_SKIN[1:-1] + t.LEFT_UNDER_BROW + t.LEFT_UNDER_EYE[1:-1]
_RIGHT_EYE = t.RIGHT_UPPER_LID_SKIN + t.RIGHT_LOWER_LID_SKIN[1:-1] + t.RIGHT_UNDER_BROW + t.RIGHT_UNDER_EYE[1:-1]
_CONTROLS: dict[Part, tuple[int, ...]] = {
    Part.MOUTH: t.MOUTH_RING + t.UPPER_LIP_SKIN + t.LOWER_LIP_SKIN[1:-1],
    Part.LEFT_EYE: _LEFT_EYE,
    Part.RIGHT_EYE: _RIGHT_EYE,
    Part.LEFT_EYEBROW: t.LEFT_EYEBROW_UPPER + t.LEFT_EYEBROW_LOWER + t.LEFT_FOREHEAD + t.LEFT_UNDER_BROW[2:7],
    Part.RIGHT_EYEBROW: t.RIGHT_EYEBROW_UPPER + t.RIGHT_EYEBROW_LOWER + t.RIGHT_FOREHEAD + t.RIGHT_UNDER_BROW[2:7],
}
"""Landmarks that a part's spline goes through. Lines that meet when mouth or eye shut are left out: a spline cannot
take two lines that coincide to two that do not."""
_SMOOTHING = 1e-3


@dataclass(frozen=True, eq=False)
class ReferencePart:
    """A part of a reference picture in the reference's own aligned crop.

    picture    (S, S, 3) float32 RGB in [0, 1].
    landmarks  (478, 3) crop pixels.
    mask       (S, S) float32: the part.
    """

    part: Part
    picture: FloatImage
    landmarks: NDArray[np.float64]
    mask: Matte


def reference_part(part: Part, picture: FloatImage, landmarks: NDArray[np.float64]) -> ReferencePart:
    """A part with its mask, from an aligned crop of the reference."""
    return ReferencePart(part, picture, landmarks, part_matte(part, landmarks, None, _box(picture)))


def lit(reference: ReferencePart, gain: NDArray[np.float64]) -> ReferencePart:
    """The part in the light of a target; ``gain`` (3, 3) as ``methods.light`` measures it."""
    centre, unit = light_frame(reference.landmarks, reference.part)
    height, width = reference.picture.shape[:2]
    x = ((np.arange(width) - centre[0]) / unit).astype(np.float32)[None, :]
    y = ((np.arange(height) - centre[1]) / unit).astype(np.float32)[:, None]
    # Beyond the part the gain's tilt means nothing.
    picture = apply_gain(reference.picture, gain, x.clip(-1, 1), y.clip(-1, 1))
    return replace(reference, picture=picture.clip(0, 1))


@dataclass(frozen=True, eq=False)
class Warped:
    """A reference's part as it lies in one frame's crop: sampling grid (S, S, 2), picture and mask."""

    grid: NDArray[np.float32]
    picture: FloatImage
    mask: Matte


def sampling_grid(reference: ReferencePart, landmarks: NDArray[np.float64], tps: bool) -> NDArray[np.float32]:
    """The grid ``G_t``: for every pixel of the frame's crop, the pixel of the reference's crop that it shows.

    A thin-plate spline from the frame's landmarks of the part to the reference's; eight points on the crop's border
    stay where they are, so that the rest of the picture remains a face. A nose is a similarity. Without ``tps`` the
    two crops lie on each other as they are aligned.
    """
    box = _box(reference.picture)
    if not tps:
        return warp.affine_field(np.eye(2, 3), box)
    if reference.part == Part.NOSE:
        nose = list(t.NOSE_POINTS)
        return warp.affine_field(fit_similarity(landmarks[nose], reference.landmarks[nose]), box)
    controls = list(_CONTROLS[reference.part])
    ends = np.array([0, 0.5, 1]) * (box.width - 1)
    border = np.array([(x, y) for x in ends for y in ends if (x, y) != (ends[1], ends[1])])
    source = np.vstack([landmarks[controls, :2], border])
    target = np.vstack([reference.landmarks[controls, :2], border])
    return ThinPlateSpline.fit(source, target, _SMOOTHING).field(box, step=2)


@stage("align")
def align(
    reference: ReferencePart, landmarks: NDArray[np.float64], target: FloatImage, tps: bool, layers: bool
) -> Warped:
    """The reference's picture and mask on the grid of a frame's crop.

    Args:
        reference: the part.
        landmarks: (478, 3) of the frame, crop pixels.
        target: (S, S, 3) the frame's own crop.
        tps: whether to bend at all, see ``sampling_grid``.
        layers: bend both lips, or both lids and the eyeball, apart (``geometry.partmaps``), and keep what the target
            shows between the lips: teeth are the target's own.
    """
    grid = sampling_grid(reference, landmarks, tps)
    picture, mask = warp.sample(reference.picture, grid), warp.sample(reference.mask, grid)
    if layers and tps:
        box = _box(target)
        near = part_matte(reference.part, landmarks, reference.landmarks, box)
        if reference.part == Part.MOUTH:
            picture = _over(picture, target, near * mouth_opening_matte(landmarks, box))
        for layer in part_layers(reference.part, landmarks, reference.landmarks, box):
            picture = _over(picture, warp.sample(reference.picture, layer.where), near * layer.matte)
    return Warped(grid, picture, mask)


def band_width(landmarks: NDArray[np.float64], share: float) -> float:
    """Pixels of the crop for a width in inter-ocular distances."""
    return share * face_scale(landmarks)


def _over(below: FloatImage, above: FloatImage, matte: Matte) -> FloatImage:
    return below + matte[..., None] * (above - below)


def _box(picture: FloatImage) -> Box:
    return Box(0, 0, picture.shape[1], picture.shape[0])
