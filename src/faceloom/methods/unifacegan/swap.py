"""One face drawn over another: posed as the model says, pulled to the target's landmarks, lit and blended in."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks, pyramid, warp
from faceloom.geometry import topology as t
from faceloom.geometry.glasses import rims
from faceloom.geometry.partcover import face_scale
from faceloom.geometry.partmaps import EyeTrust, eye_opening_matte, eyeball_layer, mouth_opening_matte
from faceloom.geometry.rasteriser import rasterise, soft_matte
from faceloom.geometry.sharpness import soften
from faceloom.geometry.similarity import fit_similarity
from faceloom.methods.occlusion import cover_matte
from faceloom.methods.unifacegan.anchors import BROWS, CONTROLS
from faceloom.methods.unifacegan.identity import Identity
from faceloom.methods.unifacegan.light import FaceLight, apply_field, light_field
from faceloom.methods.unifacegan.options import Options
from faceloom.methods.unifacegan.skin import face_pixels, oval_matte
from faceloom.perceive.morphable import MorphableModel, MorphableParameters, recombine
from faceloom.types import Box, FloatImage, Matte, Part

_INSET, _SOFT = 0.08, 0.03
"""Where the edge of the swapped face lies inside the oval of the target's, and its softness, distances between eyes."""
_OUTLINE = 0.16
"""Width of the fall along the outline of the drawn surface, the same unit."""
_OVERLAP = 2.2
"""What ``soften`` is asked for, over what is wanted: bands of detail overlap, so that it weakens them by too little."""
_FREE: dict[tuple[int, ...], float] = {
    (*t.NOSE_POINTS, 98, 97, 326, 327, 64, 294): 1.0,
    (*t.UPPER_LIP_OUTER[1:-1], *t.LOWER_LIP_OUTER[1:-1]): 0.3,
    (*t.UPPER_LIP_MIDDLE[1:-1], *t.LOWER_LIP_MIDDLE[1:-1]): 0.15,
    (165, 167, 164, 393, 391, 50, 280, 101, 330, 205, 425, 187, 411, 36, 266, 200, 18, 83, 313): 0.6,
}
"""How far landmarks may stay where the source's own proportions put them. The others go where the target's lie: lids
and the inner lips, because gaze and teeth are the target's; the oval, because hair and neck are. For brows see
``brow_offsets``: the model does not know their motion."""
_BROWS = np.array([i in BROWS for i in CONTROLS])
_BROW_SHARE = 0.75
"""How far brows keep the place and shape that they have on the source; they move as the target's all the same."""
_EYE_LIGHT = 0.5
"""How far the light on the skin goes over the whites of the eyes, which shine whatever the skin does."""
_FREEDOM = np.array([next((share for group, share in _FREE.items() if i in group), 0.0) for i in CONTROLS])
_STEADY = np.array([i in (*t.RIGID_POINTS, *t.LEFT_LOWER_LID, *t.RIGHT_LOWER_LID) for i in CONTROLS])
"""What shows where the skull is; upper lids would take the head along as they shut."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where a face goes in one frame.

    landmarks  (478, 3) float64 frame pixels of the face to cover.
    motion     its parameters: expression and camera count.
    light      on it.
    points, covered  landmarks looked at and (N,) how much each is hidden by something in front of it.
    eyes       for the left and the right eye, how far the source's can be shown.
    brows      ``brow_offsets`` of this person.
    """

    landmarks: NDArray[np.float64]
    motion: MorphableParameters
    light: FaceLight
    points: list[int]
    covered: NDArray[np.float64]
    eyes: tuple[EyeTrust, EyeTrust]
    brows: NDArray[np.float64]


def brow_offsets(
    landmarks: NDArray[np.float64], motion: MorphableParameters, identity: Identity, model: MorphableModel
) -> NDArray[np.float64]:
    """(K, 2) micrometres along x and y of the model: from where a target at ``landmarks`` (478, 3) has its brows to
    where the source's own lie, at ``CONTROLS``; 0 for other landmarks.

    Taken once for each person, so that brows are shaped as the source's and move as the target's.
    """
    _, at, wanted = _placed(landmarks, motion, identity, model)
    offset = (at - wanted) @ np.linalg.inv(motion.camera[:2, :2]).T
    return np.where(_BROWS[:, None], _BROW_SHARE * offset, 0)


def swap_box(landmarks: NDArray[np.float64], width: int, height: int) -> Box:
    """The pixels that a swap may touch, clipped to the frame; may be empty."""
    return Box.around(landmarks[list(t.FACE_OVAL)]).pad(4).clip(width, height)


def swap_face(
    target: FloatImage, box: Box, place: Place, identity: Identity, model: MorphableModel, options: Options
) -> tuple[FloatImage, Matte]:
    """``identity`` over the face at ``place``.

    target  (h, w, 3) float32 in [0, 1], the pixels of ``box``.

    Returns the blended pixels (h, w, 3), not clipped, and the matte (h, w) under which they count, exactly 0 outside.
    """
    vertices, drawn_at = place_surface(place, identity, model, options.proportions)
    vertices[:, :2] -= (box.left, box.top)
    raster = rasterise(vertices, model.triangles, box.width, box.height)
    scale = face_scale(place.landmarks)
    zoom = face_scale(identity.landmarks) / scale
    drawn, believed = identity.draw(raster, zoom)
    drawn = soften(drawn, _OVERLAP * (place.light.sharpness - identity.sharpness_at(zoom)))
    gain = light_field(identity.skin, identity.skin_trust, place.light, drawn_at, box)
    lit = apply_field(drawn, np.float32(options.light) * gain)
    drawn_on = (raster.triangle >= 0).astype(np.float32)
    opening, lid = _openings(place, box)
    layer = drawn_on * (1 - np.maximum(opening, lid))
    picture = target + layer[..., None] * (lit - target)
    _draw_eyes(picture, np.float32(options.light) * gain, place, identity, zoom, box)
    if lid.any():
        picture += (lid * (1 - opening) * drawn_on)[..., None] * _tint(lit - target, layer, 0.06 * scale)
    matte = oval_matte(place.landmarks, box, _INSET, _SOFT) * soft_matte(believed, _OUTLINE * scale)
    matte = matte * _in_front(target, place, box)
    levels = int(np.clip(np.log2(max(scale, 1) / 10), 1, 6))
    cover = masks.smoothstep(matte, 0.004, 0.20)
    return pyramid.blend(target, picture, matte, levels), cover


def place_surface(
    place: Place, identity: Identity, model: MorphableModel, proportions: float
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Vertices (V, 3) of the drawn head in the frame, and the landmarks (478, 3) that it shows there (eq. 4)."""
    vertices, at, wanted = _placed(place.landmarks, place.motion, identity, model)
    wanted = wanted + proportions / 0.6 * place.brows @ place.motion.camera[:2, :2].T
    goal = at + (1 - proportions * _FREEDOM)[:, None] * (wanted - at)
    shown = place.landmarks.copy()
    shown[list(CONTROLS), :2] = goal
    return identity.anchors.pulled(vertices, goal - at), shown


def _placed(
    landmarks: NDArray[np.float64], motion: MorphableParameters, identity: Identity, model: MorphableModel
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """The source's head as the target moves: vertices (V, 3), where its landmarks ``CONTROLS`` lie (K, 2), and where
    the target's do."""
    mixed = recombine(identity.parameters, motion, motion)
    vertices = model.vertices(mixed, identity.neutral)
    at = identity.anchors.landmarks(vertices, mixed)[list(CONTROLS), :2]
    wanted = landmarks[list(CONTROLS), :2]
    # Another head's shape under the same camera lies a little higher or lower: eyes and forehead decide.
    onto = fit_similarity(at[_STEADY], wanted[_STEADY])
    vertices[:, :2] = vertices[:, :2] @ onto[:, :2].T.astype(np.float32) + onto[:, 2].astype(np.float32)
    return vertices, at @ onto[:, :2].T + onto[:, 2], wanted


def _openings(place: Place, box: Box) -> tuple[Matte, Matte]:
    """What stays the target's inside its face: what is seen between the lips and between the lids; and the skin of a
    lid that shuts further than the source's can follow."""
    landmarks = place.landmarks
    opening, lid = mouth_opening_matte(landmarks, box), np.zeros((box.height, box.width), np.float32)
    for part, trust in zip((Part.LEFT_EYE, Part.RIGHT_EYE), place.eyes, strict=True):
        np.maximum(opening, eye_opening_matte(part, landmarks, box), out=opening)
        if trust.lid < 1:
            np.maximum(lid, np.float32(1 - trust.lid) * _upper_lid(part, landmarks, box), out=lid)
    return opening, lid


def _draw_eyes(
    picture: FloatImage, gain: NDArray[np.float32], place: Place, identity: Identity, zoom: float, box: Box
) -> None:
    """The source's eyeballs where the target looks, between its lids, over ``picture``, the pixels of ``box``."""
    for part, trust in zip((Part.LEFT_EYE, Part.RIGHT_EYE), place.eyes, strict=True):
        outline = masks.outline(part, place.landmarks)
        near = Box.around(outline).pad(int(0.1 * face_scale(place.landmarks)) + 2)
        near = Box(
            max(near.left, box.left), max(near.top, box.top), min(near.right, box.right), min(near.bottom, box.bottom)
        )
        if not near.area or trust.ball <= 0:
            continue
        layer, inside = (
            eyeball_layer(part, place.landmarks, identity.landmarks, near, trust),
            near.relative_to(box).slices,
        )
        ball = warp.sample_minified(identity.levels, layer.where, zoom)
        ball = apply_field(ball, np.float32(_EYE_LIGHT) * gain[inside])
        picture[inside] += layer.matte[..., None] * (ball - picture[inside])


def _tint(difference: FloatImage, where: Matte, sigma: float) -> FloatImage:
    """``difference`` (h, w, 3) smoothed, from the pixels ``where`` alone: the tone of the face."""
    weighted = cv2.GaussianBlur(difference * where[..., None], (0, 0), sigma)
    smooth: FloatImage = weighted / (cv2.GaussianBlur(where, (0, 0), sigma)[..., None] + np.float32(0.02))
    return smooth


def _upper_lid(part: Part, landmarks: NDArray[np.float64], box: Box) -> Matte:
    left = part == Part.LEFT_EYE
    crease, lower = (t.LEFT_UPPER_LID_SKIN, t.LEFT_LOWER_LID) if left else (t.RIGHT_UPPER_LID_SKIN, t.RIGHT_LOWER_LID)
    lid = landmarks[list(crease + lower[::-1]), :2]
    return masks.blur(masks.polygon_mask(lid, box), 0.015 * face_scale(landmarks))


def _in_front(target: FloatImage, place: Place, box: Box) -> Matte:
    """1 where the target's face is bare, 0 where hair, glasses or a hand lies over it."""
    landmarks, light = place.landmarks, place.light
    keep = face_pixels(target, landmarks, (light.middle, light.spread), box)
    if light.glasses > 0:
        picture = cv2.convertScaleAbs(target, alpha=255)
        lines = rims(picture, landmarks - (box.left, box.top, 0), Box(0, 0, box.width, box.height))
        keep = keep * (1 - np.float32(light.glasses) * lines)
    hidden = cover_matte(place.points, place.covered, landmarks, box)
    return keep if hidden is None else keep * (1 - hidden)
