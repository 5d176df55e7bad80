"""A driven face: the target's own pixels moved, its mouth and eyes put together anew."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks, warp
from faceloom.geometry import topology as t
from faceloom.geometry.mesh_texture import take_texture
from faceloom.geometry.partcover import face_scale, mouth_openness
from faceloom.geometry.partmaps import eye_opening_matte
from faceloom.geometry.rasteriser import Raster, rasterise, soft_matte
from faceloom.geometry.similarity import fit_similarity
from faceloom.methods.part_reference import lips_only
from faceloom.methods.unifacegan.driver import EYES, Drive, brightness
from faceloom.methods.unifacegan.goal import Goal
from faceloom.perceive.morphable import MorphableModel
from faceloom.types import Box, FloatImage, Image, Matrix, Matte, Part, Points

_EXPRESSION, _TURNING = (0.0, 0.9), (0.5, 2.6)
"""Distances between the eyes beyond the drawn face up to which what is around moves as the face's edge does, and from
which on nothing moves: first for an expression, then for a head that turns and takes its hair along."""
_COARSE = 8
"""Pixels of a cell in which the motion around the face is worked out, at most; small faces take finer ones."""
_BORDER = 0.9
"""Distances between the eyes from the border of the picture within which less and less moves across it."""
_RIM = 0.15
"""Distances between the eyes over which the motion of the drawn face passes into that around it."""
_UPPER_JAW = (2, 98, 327, 97, 326, *t.UPPER_LIP_INNER[2:-2])
"""What teeth move with."""
_TRUSTED = 0.35


def head_box(goal: Goal, width: int, height: int, turned: bool) -> Box:
    """The pixels that driving a face may touch, clipped to the frame; ``turned`` as in ``reenact``."""
    margin = int(np.ceil(_reach(turned)[1] * face_scale(goal.seen)))
    both = Box.around(goal.seen).union(Box.around(goal.landmarks))
    return both.pad(margin).clip(width, height)


def reenact(image: Image, goal: Goal, model: MorphableModel, box: Box, turned: bool) -> tuple[FloatImage, Matte]:
    """The pixels of ``box`` of a frame with its face driven to ``goal``, and the matte where they differ.

    image   (H, W, 3) uint8, the frame.
    turned  whether the pose changes, so that the head shows what it had hidden; that comes from the other side.
    """
    frame = image.astype(np.float32) / np.float32(255)
    lips = _without_teeth(image, goal) if _closes(goal) else frame
    corner = np.array([box.left, box.top, 0], np.float32)
    raster = rasterise(goal.vertices - corner, model.triangles, box.width, box.height, soft=False)
    where, side, opposite = _face_map(frame, goal, model, raster, box, turned)
    picture = _look_up(lips, where)
    if opposite is not None and float(side.min()) < 0.99:
        picture += (1 - side)[..., None] * (_look_up(frame, opposite) - picture)
    changed = 1 - side
    near = _part_box(Part.MOUTH, goal, box)
    if near.area:
        inside = near.relative_to(box).slices
        opening = _between_the_lips(goal, near)
        picture[inside] += opening[..., None] * (_mouth(image, frame, goal, near) - picture[inside])
        np.maximum(changed[inside], opening, out=changed[inside])
    for part in EYES:
        near = _part_box(part, goal, box)
        if near.area:
            inside = near.relative_to(box).slices
            ball = _look_up(frame, warp.affine_field(_eyeball(part, goal), near))
            picture[inside] += eye_opening_matte(part, goal.landmarks, near)[..., None] * (ball - picture[inside])
    plain = warp.affine_field(np.array([[1.0, 0, 0], [0, 1.0, 0]]), box)
    moved = masks.smoothstep(np.linalg.norm(where - plain, axis=-1), 0.02, 0.2)
    return np.clip(picture, 0, 1), np.maximum(moved, changed)


def _part_box(part: Part, goal: Goal, box: Box) -> Box:
    """The pixels of ``box`` on and around a part of the driven face; may be empty."""
    margin = int(0.1 * _scale(goal)) + 2
    around = Box.around(masks.outline(part, goal.landmarks)).pad(margin)
    return Box(
        max(box.left, around.left),
        max(box.top, around.top),
        min(box.right, around.right),
        min(box.bottom, around.bottom),
    )


def _face_map(
    frame: FloatImage, goal: Goal, model: MorphableModel, raster: Raster, box: Box, turned: bool
) -> tuple[NDArray[np.float32], Matte, NDArray[np.float32] | None]:
    """Where each pixel of ``box`` comes from in the frame, (h, w, 2); how far it does, and where from otherwise."""
    plain = warp.affine_field(np.array([[1.0, 0, 0], [0, 1.0, 0]]), box)
    seen, side, opposite = (raster.triangle >= 0).astype(np.float32), np.ones(plain.shape[:2], np.float32), None
    if turned:
        texture = take_texture(frame, goal.surface, model.triangles, model.mirror)
        fields = raster.interpolate(np.column_stack([texture.own, texture.opposite, texture.side, texture.trust]))
        own, opposite = np.ascontiguousarray(fields[..., :2]), np.ascontiguousarray(fields[..., 2:4])
        # Towards the outline the own side is right even where it is seen at a grazing angle: hair begins there.
        oval = masks.offset_outline(masks.outline(masks.Region.FACE_OVAL, goal.landmarks), -0.1 * _scale(goal))
        inner = masks.blur(masks.polygon_mask(oval, box), 0.06 * _scale(goal))
        side = 1 - (1 - fields[..., 4]) * inner * seen
        known = seen * (fields[..., 5] > _TRUSTED)
    else:
        own = np.ascontiguousarray(raster.interpolate(goal.surface[:, :2]))
        known = seen
    # The mesh ends in the hair; what it says along its rim is the least certain.
    known = cv2.erode(known, np.ones((3, 3), np.uint8))
    motion = (own - plain) * known[..., None]
    around = _around(motion, known, _scale(goal), *_reach(turned))
    around *= _inside(box, frame.shape[1], frame.shape[0], _BORDER * _scale(goal))
    # Gradual along the rim, or hair tears there; not along the lips, whose edges lie where the mesh says.
    mouth = masks.polygon_mask(masks.outline(Part.MOUTH, goal.landmarks), box)
    soft = soft_matte(np.maximum(known, mouth), _RIM * _scale(goal)) * known
    return plain + around + soft[..., None] * (motion - around), side, opposite


def _inside(box: Box, width: int, height: int, reach: float) -> NDArray[np.float32]:
    """Over ``box`` (h, w, 2), for motion across and down: 0 along the borders of the frame that the motion would cross,
    1 from ``reach`` pixels inside on. Beyond them nothing is known; along them everything may move.
    """
    x = np.minimum(np.arange(box.left, box.right), width - 1 - np.arange(box.left, box.right))
    y = np.minimum(np.arange(box.top, box.bottom), height - 1 - np.arange(box.top, box.bottom))
    across, down = (masks.smoothstep(distance.astype(np.float32), 0, max(1.0, reach)) for distance in (x, y))
    return np.dstack(np.broadcast_arrays(across[None, :], down[:, None]))


def _reach(turned: bool) -> tuple[float, float]:
    return _TURNING if turned else _EXPRESSION


def _around(motion: NDArray[np.float32], known: Matte, scale: float, along: float, still: float) -> NDArray[np.float32]:
    """``motion`` (h, w, 2) carried on from where it is ``known`` over the whole box, fading out between ``along`` and
    ``still`` distances ``scale`` away.

    Filled in by averages over ever wider surroundings (Gortler et al., The Lumigraph, 1996, push and pull).
    """
    height, width = known.shape
    cell = int(np.clip(scale / 12, 1, _COARSE))
    size = (max(1, width // cell), max(1, height // cell))
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    value = cv2.resize(motion, size, interpolation=cv2.INTER_AREA)
    filled = _pull(value, weight)
    away = cv2.distanceTransform((weight < 0.5).astype(np.uint8), cv2.DIST_L2, 5) * np.float32(cell / scale)
    filled *= masks.smoothstep(away, still, along)[..., None]
    filled = cv2.GaussianBlur(filled, (0, 0), 1.0)
    grown: NDArray[np.float32] = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    return grown


def _pull(value: NDArray[np.float32], weight: Matte) -> NDArray[np.float32]:
    """Sums ``value`` (h, w, 2) over ``weight`` (h, w): their ratio, with gaps filled from coarser levels."""
    height, width = weight.shape
    if min(height, width) <= 2:
        total = max(float(weight.sum()), 1e-6)
        return np.broadcast_to(value.sum(axis=(0, 1)) / np.float32(total), value.shape).astype(np.float32)
    half = _pull(cv2.pyrDown(value), cv2.pyrDown(weight))
    coarse = cv2.pyrUp(half, dstsize=(width, height))
    trust = np.clip(weight, 0, 1)[..., None]
    own = value / np.maximum(weight, 1e-4)[..., None]
    filled: NDArray[np.float32] = coarse + trust * (own - coarse)
    return filled


def _mouth(image: Image, frame: FloatImage, goal: Goal, box: Box) -> FloatImage:
    """What is seen between the lips, over all of ``box``: the target's own where its mouth is open as far, else the
    driver's."""
    own = _look_up(frame, warp.affine_field(fit_similarity(_jaw(goal.landmarks), _jaw(goal.seen)), box))
    if goal.drive is None:
        return own
    wanted, has = mouth_openness(goal.landmarks), mouth_openness(goal.seen)
    share = float(masks.smoothstep(has - wanted, -0.06, -0.015))
    if share >= 1:
        return own
    driver = _drivers_mouth(goal.drive, goal, box)
    gain = np.clip(brightness(image, goal.seen) - goal.drive.brightness, -0.6, 0.6)
    driver *= np.float32(np.exp(gain))
    mixed: FloatImage = driver + np.float32(share) * (own - driver)
    return mixed


def _closes(goal: Goal) -> bool:
    """Whether the lips are to be closer than they are: then teeth lie where lips are wanted."""
    return mouth_openness(goal.landmarks) < mouth_openness(goal.seen) - 0.005


def _without_teeth(image: Image, goal: Goal) -> FloatImage:
    """The frame with the mouth's interior painted over with lip."""
    points = goal.seen[list(t.MOUTH_RING)]
    box = Box.around(points).pad(int(0.4 * _scale(goal))).clip(image.shape[1], image.shape[0])
    painted = image.copy()
    if box.area:
        local = goal.seen - (box.left, box.top, 0)
        painted[box.slices] = lips_only(np.ascontiguousarray(image[box.slices]), local)
    return painted.astype(np.float32) / np.float32(255)


def _between_the_lips(goal: Goal, box: Box) -> Matte:
    """The opening of the driven mouth, (h, w); nothing where the lips touch."""
    inner = masks.polygon_mask(masks.outline(masks.Region.INNER_MOUTH, goal.landmarks), box)
    parted = masks.smoothstep(mouth_openness(goal.landmarks), 0.006, 0.025)
    return parted * masks.blur(inner, 0.012 * _scale(goal))


def _jaw(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    return landmarks[list(_UPPER_JAW), :2]


def _drivers_mouth(drive: Drive, goal: Goal, box: Box) -> FloatImage:
    ring = list(t.INNER_MOUTH_RING)
    matrix = _affine(goal.landmarks[ring, :2], drive.landmarks[ring, :2])
    picture = drive.image.astype(np.float32) / np.float32(255)
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    return warp.sample_minified(warp.minified(picture), warp.affine_field(matrix, box), zoom)


def _affine(source: Points, target: Points) -> Matrix:
    """The affine map from one mouth to the other: a similarity, stretched as far as the lips say how."""
    start = fit_similarity(source, target)
    centre = source.mean(axis=0)
    near = source - centre
    rest = target - (source @ start[:, :2].T + start[:, 2])
    ridge = 0.05 * float((near**2).sum()) * np.eye(2)
    bend = np.linalg.solve(near.T @ near + ridge, near.T @ (rest - rest.mean(axis=0))).T
    linear = start[:, :2] + bend
    return np.column_stack([linear, start[:, 2] + rest.mean(axis=0) - bend @ centre])


def _eyeball(part: Part, goal: Goal) -> Matrix:
    corners = list(t.LEFT_EYE_CORNERS if part == Part.LEFT_EYE else t.RIGHT_EYE_CORNERS)
    return fit_similarity(goal.landmarks[corners, :2], goal.seen[corners, :2])


def _scale(goal: Goal) -> float:
    return face_scale(goal.seen)


def _look_up(picture: FloatImage, where: NDArray[np.float32]) -> FloatImage:
    """Bicubic: every frame is looked up once, and bilinearly it would lose its grain."""
    return cv2.remap(picture, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
