"""A driven face: the target's own pixels moved, its mouth and eyes put together anew."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks
from faceloom.geometry.fill import fill
from faceloom.geometry.glasses import bridge_contrast
from faceloom.geometry.mesh_texture import MeshTexture, take_texture
from faceloom.geometry.partcover import cover_outline, face_scale
from faceloom.geometry.partmaps import eye_opening_matte
from faceloom.geometry.rasteriser import Raster, rasterise, soft_matte
from faceloom.methods.unifacegan.gaze import EYES
from faceloom.methods.unifacegan.goal import Goal
from faceloom.methods.unifacegan.lids import shut_lid
from faceloom.methods.unifacegan.mouth import between_the_lips, closes, mouth, without_teeth
from faceloom.methods.unifacegan.move import eyeball, identity_field, look_up, motion_around, reach
from faceloom.perceive.morphable import MorphableModel
from faceloom.types import Box, FloatImage, Image, Matte, Part

_RIM = 0.15
"""Distances between the eyes over which the motion of the drawn face passes into that around it."""
GLASSES = (0.08, 0.12)
"""Contrasts across the bridge of the nose without glasses, and with them."""
_NOSE_FOOT = (4, 45, 220, 115, 48, 64, 98, 97, 2, 326, 327, 294, 278, 344, 440, 275)
"""Around the tip, the wings and the openings of the nose."""
_SAME = 0.25
"""Pixels that a surface may have moved to count as where it was."""
_TRUSTED = 0.35
_THIN = (0.75, 0.4)
"""Pixels of the frame for one of the result above which a surface shows its own side, and below which the other one."""


def head_box(goal: Goal, width: int, height: int, turned: bool) -> Box:
    """The pixels that driving a face may touch, clipped to the frame; ``turned`` as in ``reenact``."""
    margin = int(np.ceil(reach(turned) * face_scale(goal.seen)))
    both = Box.around(goal.seen).union(Box.around(goal.landmarks))
    return both.pad(margin).clip(width, height)


class LastTexture:
    """The texture of a head in the last picture: of a photo that is driven, the same in every frame."""

    def __init__(self) -> None:
        self._last: tuple[Image, NDArray[np.float32], MeshTexture] | None = None

    def of(self, image: Image, frame: FloatImage, surface: NDArray[np.float32], model: MorphableModel) -> MeshTexture:
        """The texture of ``model`` at ``surface`` (V, 3) in ``image``, which ``frame`` holds as float32."""
        if self._last is not None:
            picture, before, texture = self._last
            if picture is image and float(np.abs(surface[:, :2] - before[:, :2]).max()) < _SAME:
                return texture
        texture = take_texture(frame, surface, model.triangles, model.mirror)
        self._last = image, surface, texture
        return texture


def reenact(
    image: Image, goal: Goal, model: MorphableModel, box: Box, turned: bool, textures: LastTexture
) -> tuple[FloatImage, Matte]:
    """The pixels of ``box`` of a frame with its face driven to ``goal``, and the matte where they differ.

    image   (H, W, 3) uint8, the frame.
    turned  whether the pose changes, so that the head shows what it had hidden; that comes from the other side.
    """
    frame = image.astype(np.float32) / np.float32(255)
    lips = without_teeth(image, goal) if closes(goal) else frame
    corner = np.array([box.left, box.top, 0], np.float32)
    raster = rasterise(goal.vertices - corner, model.triangles, box.width, box.height, soft=False)
    texture = textures.of(image, frame, goal.surface, model) if turned else None
    where, side, opposite = _face_map(frame.shape[:2], goal, raster, box, texture)
    picture = look_up(lips, where)
    if opposite is not None and float(side.min()) < 0.99:
        picture += (1 - side)[..., None] * (look_up(frame, opposite) - picture)
    changed = 1 - side
    glasses = float(masks.smoothstep(bridge_contrast(image, goal.seen), *GLASSES))
    near = _part_box(Part.MOUTH, goal, box)
    if near.area:
        inside = near.relative_to(box).slices
        opening = between_the_lips(goal, (raster.triangle[inside] >= 0).astype(np.float32), near)
        picture[inside] += opening[..., None] * (mouth(image, frame, goal, near) - picture[inside])
        np.maximum(changed[inside], opening, out=changed[inside])
    for eye, part in enumerate(EYES):
        near = _part_box(part, goal, box)
        if near.area:
            inside = near.relative_to(box).slices
            opening = eye_opening_matte(part, goal.landmarks, near)
            lid = shut_lid(part, frame, goal.seen, goal.landmarks, near, glasses)
            if lid is not None:
                picture[inside] = lid.over(picture[inside])
                opening *= 1 - np.float32(lid.hidden)
                np.maximum(changed[inside], np.maximum(lid.cover, 1 - lid.light), out=changed[inside])
            ball = look_up(frame, eyeball(part, goal, goal.irises[eye], near))
            picture[inside] += opening[..., None] * (ball - picture[inside])
            if lid is not None:
                picture[inside] *= lid.light[..., None]
            if goal.irises[eye].any():
                np.maximum(changed[inside], opening, out=changed[inside])
    plain = identity_field(box)
    moved = masks.smoothstep(np.linalg.norm(where - plain, axis=-1), 0.02, 0.2)
    return np.clip(picture, 0, 1), np.maximum(moved, changed)


def _part_box(part: Part, goal: Goal, box: Box) -> Box:
    """The pixels of ``box`` on and around a part of the driven face; may be empty."""
    if part == Part.MOUTH:
        around = Box.around(masks.outline(part, goal.landmarks)).pad(int(0.1 * _scale(goal)) + 2)
    else:
        # As far as a lid that comes down covers.
        around = Box.around(cover_outline(part, goal.landmarks)).pad(int(0.2 * _scale(goal)) + 2)
    return Box(
        max(box.left, around.left),
        max(box.top, around.top),
        min(box.right, around.right),
        min(box.bottom, around.bottom),
    )


def _face_map(
    shape: tuple[int, int], goal: Goal, raster: Raster, box: Box, texture: MeshTexture | None
) -> tuple[NDArray[np.float32], Matte, NDArray[np.float32] | None]:
    """Where each pixel of ``box`` comes from in the frame, (h, w, 2); how far it does, and where from otherwise."""
    plain = identity_field(box)
    seen, side, opposite = (raster.triangle >= 0).astype(np.float32), np.ones(plain.shape[:2], np.float32), None
    if texture is not None:
        fields = raster.interpolate(np.column_stack([texture.own, texture.opposite, texture.side, texture.trust]))
        own, opposite = np.ascontiguousarray(fields[..., :2]), np.ascontiguousarray(fields[..., 2:4])
        # Towards the outline the own side is right even where it is seen at a grazing angle: hair begins there.
        oval = masks.offset_outline(masks.outline(masks.Region.FACE_OVAL, goal.landmarks), -0.1 * _scale(goal))
        inner = masks.blur(masks.polygon_mask(oval, box), 0.06 * _scale(goal))
        side = 1 - (1 - fields[..., 4]) * inner * seen * _drawn_out(own)
        known = seen * (fields[..., 5] > _TRUSTED)
    else:
        own = np.ascontiguousarray(raster.interpolate(goal.surface[:, :2]))
        known = seen
    # The mesh ends in the hair; what it says along its rim is the least certain.
    known = cv2.erode(known, np.ones((3, 3), np.uint8))
    motion = (own - plain) * known[..., None]
    if texture is not None:
        # Under the nose hardly anything was seen; it moves as what is around it.
        inside = Box.around(goal.landmarks[list(_NOSE_FOOT), :2]).pad(int(0.1 * _scale(goal)) + 2).relative_to(box)
        inside = inside.clip(box.width, box.height)
        if inside.area:
            motion[inside.slices] = fill(motion[inside.slices], known[inside.slices]) * seen[inside.slices][..., None]
            np.maximum(known[inside.slices], seen[inside.slices], out=known[inside.slices])
    around = motion_around(goal, known, box, shape, texture is not None)
    # Gradual along the rim, or hair tears there; not along the lips, whose edges lie where the mesh says.
    lips = masks.polygon_mask(masks.outline(Part.MOUTH, goal.landmarks), box)
    soft = soft_matte(np.maximum(known, lips), _RIM * _scale(goal)) * known
    return plain + around + soft[..., None] * (motion - around), side, opposite


def _drawn_out(own: NDArray[np.float32]) -> Matte:
    """(h, w) how much ``own`` (h, w, 2) draws the picture out, 0 where it hardly does: what is seen at a grazing angle
    is right as long as it stays so."""
    (xx, xy), (yx, yy) = (
        cv2.split(cv2.Sobel(own, cv2.CV_32F, *along, ksize=3, scale=1 / 8)) for along in ((1, 0), (0, 1))
    )
    area = masks.blur(np.minimum(np.abs(xx * yy - xy * yx), 1), 1.5)
    return masks.smoothstep(area, *_THIN)


def _scale(goal: Goal) -> float:
    return face_scale(goal.seen)
