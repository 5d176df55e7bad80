"""What is seen between driven lips."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks, warp
from faceloom.geometry import topology as t
from faceloom.geometry.colour import sample_colours
from faceloom.geometry.partcover import face_scale, mouth_openness
from faceloom.geometry.similarity import fit_similarity
from faceloom.methods.part_reference import lips_only
from faceloom.methods.unifacegan.driver import Drive, brightness
from faceloom.methods.unifacegan.goal import Goal
from faceloom.methods.unifacegan.move import look_up
from faceloom.types import Box, FloatImage, Image, Matrix, Matte, Points

_UPPER_JAW = (2, 98, 327, 97, 326, *t.UPPER_LIP_INNER[2:-2])
"""What teeth move with."""
_TEETH = 0.025
"""Opening of a mouth from which on teeth may be seen."""
_RIM = 0.03
"""How far the hole of the surface may lie outside the opening between the lips, distances between the eyes."""
_LINE = 0.03
"""Width of the dark line between shut lips, the same unit."""
_SHADOW = 0.3
"""Light in an open mouth over that on the lips."""


def mouth(image: Image, frame: FloatImage, goal: Goal, box: Box) -> FloatImage:
    """What is seen between the lips, over all of ``box``: the target's own where its mouth is open as far, else the
    driver's."""
    own = look_up(frame, warp.affine_field(fit_similarity(_jaw(goal.landmarks), _jaw(goal.seen)), box))
    if goal.drive is None:
        return own
    wanted, has = mouth_openness(goal.landmarks), mouth_openness(goal.seen)
    share = float(masks.smoothstep(has - wanted, -0.06, -0.015))
    if closes(goal):
        # The line between shut lips cannot be had from parted ones.
        share *= float(masks.smoothstep(wanted, 0.02, 0.07))
    if share >= 1:
        return own
    if goal.drive.image is None:
        driver = _dark_mouth(image, goal, box)
    else:
        driver = _drivers_mouth(goal.drive, goal.drive.image, goal, box)
        gain = np.clip(brightness(image, goal.seen) - goal.drive.brightness, -0.6, 0.6)
        driver *= np.float32(np.exp(gain))
    mixed: FloatImage = driver + np.float32(share) * (own - driver)
    return mixed


def closes(goal: Goal) -> bool:
    """Whether the lips are to be closer than they are: then teeth lie where lips are wanted."""
    has = mouth_openness(goal.seen)
    return has > _TEETH and mouth_openness(goal.landmarks) < has - 0.005


def without_teeth(image: Image, goal: Goal) -> FloatImage:
    """The frame with the mouth's interior painted over with lip."""
    points = goal.seen[list(t.MOUTH_RING)]
    box = Box.around(points).pad(int(0.4 * face_scale(goal.seen))).clip(image.shape[1], image.shape[0])
    painted = image.copy()
    if box.area:
        local = goal.seen - (box.left, box.top, 0)
        painted[box.slices] = lips_only(np.ascontiguousarray(image[box.slices]), local)
    return painted.astype(np.float32) / np.float32(255)


def between_the_lips(goal: Goal, drawn: Matte, box: Box) -> Matte:
    """Where ``mouth`` is seen, (h, w) over ``box``: the opening, or of lips that are shut the dark line between them.

    drawn  (h, w), 1 where the surface is; its hole between the lips is a little larger than the opening.
    """
    scale, inner = face_scale(goal.seen), masks.outline(masks.Region.INNER_MOUTH, goal.landmarks)
    opening, grown = masks.polygon_masks([inner, masks.offset_outline(inner, _RIM * scale)], box)
    parted = masks.smoothstep(mouth_openness(goal.landmarks), 0.006, 0.025)
    # A pixel of the rim is half surface, half what was looked up for the hole.
    hole = grown * cv2.dilate(1 - drawn, np.ones((5, 5), np.uint8))
    seen = parted * np.maximum(masks.blur(opening, 0.012 * scale), masks.blur(hole, 0.004 * scale))
    if closes(goal):
        middle = 0.5 * (goal.landmarks[list(t.UPPER_LIP_INNER), :2] + goal.landmarks[list(t.LOWER_LIP_INNER), :2])
        np.maximum(seen, masks.blur(masks.line_mask(middle, _LINE * scale, box), 0.012 * scale), out=seen)
    return seen


def _jaw(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    return landmarks[list(_UPPER_JAW), :2]


def _drivers_mouth(drive: Drive, image: Image, goal: Goal, box: Box) -> FloatImage:
    ring = list(t.INNER_MOUTH_RING)
    matrix = _affine(goal.landmarks[ring, :2], drive.landmarks[ring, :2])
    picture = image.astype(np.float32) / np.float32(255)
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    return warp.sample_minified(warp.minified(picture), warp.affine_field(matrix, box), zoom)


def _dark_mouth(image: Image, goal: Goal, box: Box) -> FloatImage:
    """What is seen in a mouth of which there is no picture: the colour of the lips in shadow."""
    lips = sample_colours(image, goal.seen[list(t.INNER_MOUTH_RING)], 0.02 * face_scale(goal.seen)).mean(axis=0)
    return np.broadcast_to(np.float32(_SHADOW) * lips.astype(np.float32), (box.height, box.width, 3)).copy()


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
