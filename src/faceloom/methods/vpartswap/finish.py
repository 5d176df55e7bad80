"""From frames to the crops that are rendered, and back into the frame under the part's soft matte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from faceloom.geometry import masks
from faceloom.geometry.partcover import face_scale, part_box, part_matte, visibility
from faceloom.geometry.partmaps import mouth_opening_matte
from faceloom.methods.multiband import CONFIDENCE
from faceloom.methods.timing import stage
from faceloom.methods.vpartswap.alignment import ReferencePart
from faceloom.methods.vpartswap.codec import Codec
from faceloom.methods.vpartswap.crops import FaceCrop, cut_face, enlarge, resample
from faceloom.methods.vpartswap.options import Options
from faceloom.types import Box, Crop, Face, FloatImage, Frame, Matte, Part, Patch

_EDGE = 0.03
"""Deviation of the soft edge along what hides a part, in inter-ocular distances."""


@dataclass(frozen=True, eq=False)
class Work:
    """One frame to edit.

    base     what multiband makes of it: detail finer than the network's pixels, and nothing where something hides the
             part.
    seen     the target's crop.
    collage  (S, S, 3) float32 in [0, 1]: the same crop with ``base`` pasted in.
    """

    frame: Frame
    face: Face
    base: Patch
    seen: FaceCrop
    collage: FloatImage

    @classmethod
    @stage("crop")
    def of(cls, frame: Frame, face: Face, base: Patch, codec: Codec) -> Work:
        """Cut the crops."""
        seen, box = cut_face(frame, face, codec.size), _box(base)
        pasted = frame.image.copy()
        pasted[box.slices] = (_over(frame, base) * 255 + 0.5).astype(np.uint8)
        return cls(frame, face, base, seen, resample(pasted, seen.crop))


@stage("finish")
def finish(work: Work, picture: FloatImage, references: Sequence[ReferencePart], options: Options) -> Patch:
    """A rendered crop over the pixels that multiband edits.

    ``below + matte * enlarged(rendered - shrunk(below))``: up to the network's resolution the rendered picture decides,
    beyond it what is below: multiband's picture, or the target's own if the options want no detail.
    """
    frame, box, detail = work.frame, _box(work.base), options.detail == "multiband"
    below = _over(frame, work.base) if detail else frame.image[box.slices].astype(np.float32) / np.float32(255)
    change = enlarge(picture - (work.collage if detail else work.seen.picture), work.seen.crop, box)
    matte = _matte(work, references, box)
    edited = np.clip(below + matte[..., None] * change, 0, 1)
    touched = np.maximum((matte > 0).astype(np.float32), work.base.matte if detail else 0)
    return Patch(edited, touched, Crop.cut(box))


def _over(frame: Frame, base: Patch) -> FloatImage:
    """The frame's pixels in the box of a patch, with the patch pasted."""
    below = frame.image[_box(base).slices].astype(np.float32) / np.float32(255)
    return np.clip(below + base.matte[..., None] * (base.image - below), 0, 1)


def _box(patch: Patch) -> Box:
    offset = patch.crop.offset
    if offset is None:
        raise ValueError("the base of an edit must be cut in whole pixels")
    left, top = offset
    return Box(left, top, left + patch.crop.width, top + patch.crop.height)


def _matte(work: Work, references: Sequence[ReferencePart], box: Box) -> Matte:
    """Where the rendered picture counts: the soft mattes of the parts, without the opening of the mouth.

    What multiband leaves to the target, because something hides the part or it is too small to see, stays the target's.
    """
    landmarks = work.face.landmarks.astype(np.float64)
    trust = float(masks.smoothstep(work.face.confidence, *CONFIDENCE))
    whole = np.zeros((box.height, box.width), np.float32)
    for part in (reference.part for reference in references):
        weight = trust * visibility(part, work.face.pose)
        own = part_box(part, landmarks, work.frame.width, work.frame.height)
        if weight <= 0 or not own.area or own.union(box) != box:
            continue
        matte = part_matte(part, landmarks, None, own)
        if part == Part.MOUTH:
            matte = matte * (1 - mouth_opening_matte(landmarks, own))
        inside = own.relative_to(box).slices
        np.maximum(whole[inside], np.float32(weight) * matte, out=whole[inside])
    near = cv2.GaussianBlur(work.base.matte, (0, 0), _EDGE * face_scale(landmarks), borderType=cv2.BORDER_REPLICATE)
    return whole * np.clip(2 * near - 1, 0, 1)
