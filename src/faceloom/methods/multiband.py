"""multiband: transfer facial parts with no network at all.

The reference's part is warped onto each frame's landmarks (layers of thin-plate maps, geometry/partmaps), lit
like the skin around it, and blended band by band in a Laplacian pyramid. What moves in the target goes on
moving: teeth and tongue, gaze, blinks and lip closures are the target's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import RecipeError
from faceloom.geometry import colour, masks, pyramid, warp
from faceloom.geometry.glasses import rims
from faceloom.geometry.partcover import core_matte, face_scale, part_box, part_matte, visibility
from faceloom.geometry.partmaps import part_layers
from faceloom.methods.light import SMOOTHING_RADIUS, Light, light_frame, lights
from faceloom.methods.part_reference import PartReference, cut_reference
from faceloom.types import Attribute, Box, Crop, Face, FloatImage, Frame, Image, Matte, Part, Patch, Source, Window

_ORDER = (Part.NOSE, Part.MOUTH, Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW, Part.LEFT_EYE, Part.RIGHT_EYE)
"""Large parts first, so that small ones lie on top."""
_SMALLEST = 64
"""Pixels: a part that covers fewer is too small to see and to warp."""


class Multiband:
    """Part transfer by landmarks, colour gains and Laplacian pyramids."""

    name: ClassVar[str] = "multiband"
    summary: ClassVar[str] = (
        "warps the part to every frame's landmarks and blends it in a Laplacian pyramid; no network"
    )
    takes: ClassVar[frozenset[Attribute]] = frozenset(a for a in Attribute if a.parts)
    needs: ClassVar[tuple[str, ...]] = ()
    context: ClassVar[int] = SMOOTHING_RADIUS

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        if options:
            raise RecipeError(f"method 'multiband' has no options, got {', '.join(options)}")

    def prepare(self, sources: Mapping[Attribute, Source]) -> list[PartReference]:
        """Cut out, measure and order the parts: large ones first, so that small ones lie on top."""
        chosen = {part: source for attribute, source in sources.items() for part in attribute.parts}
        return [cut_reference(part, chosen[part]) for part in _ORDER if part in chosen]

    def apply(self, window: Window, faces: Sequence[Face | None], prepared: list[PartReference]) -> list[list[Patch]]:
        """See ``Method.apply``."""
        gains = [lights(ref.part, ref.skin, ref.eyeball, window.frames, faces) for ref in prepared]
        core = range(*window.core.indices(len(window.frames)))
        patches: list[list[Patch]] = []
        for i in core:
            face = faces[i]
            per_part = [(reference, light[i]) for reference, light in zip(prepared, gains, strict=True)]
            patch = None if face is None else self._edit(window.frames[i], face, per_part)
            patches.append([] if patch is None else [patch])
        return patches

    def _edit(self, frame: Frame, face: Face, parts: Sequence[tuple[PartReference, Light | None]]) -> Patch | None:
        """One patch with all parts of one face: each is blended over what the ones before it left."""
        landmarks = face.landmarks.astype(np.float64)
        boxes = [part_box(ref.part, landmarks, frame.width, frame.height) for ref, _ in parts]
        todo = [
            (ref, light, box, visibility(ref.part, face.pose))
            for (ref, light), box in zip(parts, boxes, strict=True)
            if light is not None and box.area > _SMALLEST
        ]
        todo = [item for item in todo if item[3] > 0]
        if not todo:
            return None
        whole = todo[0][2]
        for _, _, box, _ in todo[1:]:
            whole = whole.union(box)
        canvas = frame.image[whole.slices].astype(np.float32) / np.float32(255)
        matte = np.zeros(canvas.shape[:2], np.float32)
        for reference, light, box, visible in todo:
            inside = Box(box.left - whole.left, box.top - whole.top, box.right - whole.left, box.bottom - whole.top)
            blended, cover = blend_part(canvas[inside.slices], landmarks, reference, light, box)
            weight = cover * np.float32(visible)
            canvas[inside.slices] += weight[..., None] * (blended - canvas[inside.slices])
            # The canvas already holds the blend; the matte only says where it may differ from the frame.
            np.maximum(matte[inside.slices], (weight > 0).astype(np.float32), out=matte[inside.slices])
        return Patch(np.clip(canvas, 0, 1), matte, Crop.cut(whole))


def blend_part(
    target: FloatImage, landmarks: NDArray[np.float64], reference: PartReference, light: Light, box: Box
) -> tuple[FloatImage, Matte]:
    """Blend one part into the target's pixels over ``box``.

    Returns:
        The blended picture (h, w, 3) float32, not clipped, and the matte (h, w) under which it counts, exactly 0
        outside the part's soft edge.
    """
    scale = face_scale(landmarks)
    centre, unit = light_frame(landmarks, reference.part)
    x = ((np.arange(box.left, box.right) - centre[0]) / unit).astype(np.float32)[None, :]
    y = ((np.arange(box.top, box.bottom) - centre[1]) / unit).astype(np.float32)[:, None]
    zoom = face_scale(reference.landmarks) / scale
    picture = target
    for layer in part_layers(reference.part, landmarks, reference.landmarks, box):
        looked_up = warp.sample_minified(reference.levels, layer.where, zoom)
        lit = colour.apply_gain(looked_up, light.skin if layer.skin else light.eyeball, x, y)
        picture = picture + layer.matte[..., None] * (lit - picture)
    matte = part_matte(reference.part, landmarks, reference.landmarks, box)
    matte = matte * keep_what_is_not_skin(target, reference.part, landmarks, light, box)
    levels = int(np.clip(np.log2(max(scale, 1) / 12), 1, 5))
    # Low bands leak past the matte; the cover lets them fade within twice its reach and ends them exactly.
    cover = masks.smoothstep(matte, 0.004, 0.20)
    return pyramid.blend(target, picture, matte, levels), cover


def keep_what_is_not_skin(
    target: FloatImage, part: Part, landmarks: NDArray[np.float64], light: Light, box: Box
) -> Matte:
    """Factor for a part's matte: 1 on the part itself and on skin, 0 on hair, beard or glasses around it."""
    core = core_matte(part, landmarks, box)
    scale = face_scale(landmarks)
    smooth = cv2.GaussianBlur(target, (0, 0), max(0.4, 0.008 * scale))
    skin = masks.blur(colour.likeness(smooth, light.skin_mean, light.skin_spread), 0.010 * scale)
    keep = core + (1 - core) * skin
    if light.glasses > 0:
        picture = (target * np.float32(255) + np.float32(0.5)).clip(0, 255).astype(np.uint8)
        keep = keep * (
            1 - np.float32(light.glasses) * rims(picture, landmarks - (box.left, box.top, 0), _whole(picture))
        )
    return keep


def _whole(image: Image) -> Box:
    return Box(0, 0, image.shape[1], image.shape[0])
