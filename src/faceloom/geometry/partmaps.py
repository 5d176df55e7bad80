"""Where each pixel of a facial part comes from in the reference, layer by layer.

One smooth map for a whole mouth or eye squeezes teeth into closed lips and eyeballs into closed lids, because a
gap that opens and closes is no smooth deformation. So a part is a stack of layers, each with a map of its own:
lips take one thin-plate map per lip, joined on the mouth's mid-line, around an opening that stays the target's;
an eye is an eyeball placed by its iris, seen through the target's lids, under one thin-plate map per lid.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import GeometryError
from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import eye_opennesses, face_scale
from faceloom.geometry.similarity import fit_similarity, invert, transform
from faceloom.geometry.tps import ThinPlateSpline, field_step
from faceloom.geometry.warp import affine_field
from faceloom.types import Box, Matrix, Matte, Part, Points

_SMOOTHING = 1e-3
"""Thin-plate regularisation: neighbouring lip lines a pixel apart must not fold the map."""

_MOUTH_CORNER_SKIN = (
    57, 186, 92, 216, 206, 43, 106, 212, 202, 287, 410, 322, 436, 426, 273, 335, 432, 422,
)  # fmt: skip
"""Skin around both corners of the mouth: in both lips' maps, so that they agree where they meet beyond the corners."""
_UPPER_LIP = tuple(dict.fromkeys((
    *t.UPPER_LIP_OUTER, *t.UPPER_LIP_MIDDLE[3:-3], *t.UPPER_LIP_INNER, *t.UPPER_LIP_SKIN, *_MOUTH_CORNER_SKIN,
    2, 98, 327, 203, 423,
)))  # fmt: skip
_LOWER_LIP = tuple(dict.fromkeys((
    *t.LOWER_LIP_OUTER, *t.LOWER_LIP_MIDDLE[3:-3], *t.LOWER_LIP_INNER, *t.LOWER_LIP_SKIN, *_MOUTH_CORNER_SKIN,
    200, 194, 418, 204, 424,
)))  # fmt: skip


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a part over a box of the frame.

    where    (H, W, 2) float32: the reference pixel (x, y) for each pixel of the box.
    matte    (H, W) float32 in [0, 1]: where the layer covers what is below it.
    skin     True for surfaces lit and coloured like the skin around them, False for the eyeball.
    """

    where: NDArray[np.float32]
    matte: Matte
    skin: bool = True


@dataclass(frozen=True)
class EyeTrust:
    """How far parts of an eye can come from the reference, from 0 to 1.

    lid   the upper lid: a closing lid shows skin that the open reference hides. Stretching the little it shows turns
          lashes into stripes, so it gives way to the target's as it is stretched beyond 1.1 to 1.7 times.
    ball  the eyeball. Landmarks never quite close: in the last of the gap of a shut eye the target's own lashes are
          right, and a shut reference shows no eyeball to give.
    """

    lid: float
    ball: float


def part_layers(part: Part, target: Points, reference: Points, box: Box, trust: EyeTrust | None = None) -> list[Layer]:
    """The layers of ``part``, back to front.

    Args:
        part: which part.
        target: (478, 3) landmarks of the face to edit, frame pixels.
        reference: (478, 3) landmarks of the face that the part comes from, pixels of the reference picture.
        box: the pixels of the frame wanted.
        trust: ``eye_trust``, if it was smoothed in time; None takes that of this frame.

    Raises:
        GeometryError: landmarks that define no map.
    """
    if part == Part.MOUTH:
        return mouth_layers(target, reference, box)
    if part in (Part.LEFT_EYE, Part.RIGHT_EYE):
        return eye_layers(part, target, reference, box, trust)
    full = np.ones((box.height, box.width), np.float32)
    if part == Part.NOSE:
        nose = list(t.NOSE_POINTS)
        return [Layer(affine_field(fit_similarity(target[nose], reference[nose]), box), full)]
    return [Layer(_spline_field(_eyebrow_controls(part), target, reference, box), full)]


def mouth_layers(target: Points, reference: Points, box: Box) -> list[Layer]:
    """Both lips and the skin beside them; the opening between the inner lip lines is left to the target."""
    lower_share = _share_of_lower(target, t.UPPER_LIP_INNER, t.LOWER_LIP_INNER, box)
    where = _join(_UPPER_LIP, _LOWER_LIP, target, reference, lower_share, box)
    return [Layer(where, 1 - mouth_opening_matte(target, box))]


def mouth_opening_matte(landmarks: Points, box: Box) -> Matte:
    """The opening between the inner lip lines with the dark line of closed lips: (H, W) float32 in [0, 1].

    Grown by about 1 % of the inter-ocular distance: landmarks err by that much, and a crease or tooth that comes
    from the wrong picture is seen at once, while a hair's breadth less lip is not.
    """
    scale = face_scale(landmarks)
    inner = masks.outline(masks.Region.INNER_MOUTH, landmarks)
    line = 0.5 * (landmarks[list(t.UPPER_LIP_INNER), :2] + landmarks[list(t.LOWER_LIP_INNER), :2])
    outlines = masks.offset_outline(inner, 0.006 * scale), masks.line_outline(line, 0.033 * scale)
    return masks.blur(np.maximum(*masks.polygon_masks(outlines, box)), 0.010 * scale)


def eye_layers(part: Part, target: Points, reference: Points, box: Box, trust: EyeTrust | None = None) -> list[Layer]:
    """Eyeball between the target's lids, then both lids over it; ``trust`` as in ``part_layers``."""
    trust = eye_trust(part, target, reference) if trust is None else trust
    left = part == Part.LEFT_EYE
    upper_line, lower_line = (t.LEFT_UPPER_LID, t.LEFT_LOWER_LID) if left else (t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID)
    lower_share = _share_of_lower(target, upper_line, lower_line, box)
    lids = _join(_lid_controls(left, True), _lid_controls(left, False), target, reference, lower_share, box)
    to_ball = _iris_similarity(part, target, reference)
    opening, seen, upper_lid = _eye_mattes(part, target, reference, to_ball, box)
    return [
        Layer(affine_field(to_ball, box), np.float32(trust.ball) * opening * seen, skin=False),
        Layer(lids, (1 - opening) * (1 - np.float32(1 - trust.lid) * upper_lid)),
    ]


def eyeball_layer(part: Part, target: Points, reference: Points, box: Box, trust: EyeTrust) -> Layer:
    """The eyeball of ``eye_layers`` alone, between the target's lids."""
    to_ball = _iris_similarity(part, target, reference)
    opening, seen, _ = _eye_mattes(part, target, reference, to_ball, box)
    return Layer(affine_field(to_ball, box), np.float32(trust.ball) * opening * seen, skin=False)


def _eye_mattes(part: Part, target: Points, reference: Points, to_ball: Matrix, box: Box) -> tuple[Matte, Matte, Matte]:
    """The opening between the lids, where the reference's eyeball can be seen, and the upper lid, all over ``box``.

    ``to_ball`` is the similarity that places the eyeball, from the frame to the reference.
    """
    scale = face_scale(target)
    mattes = masks.polygon_masks(
        [_opening(part, target), _inside_reference_lids(part, target, reference, to_ball), _upper_lid(part, target)],
        box,
    )
    opening, seen, upper_lid = (
        masks.blur(m, soft * scale) for m, soft in zip(mattes, (0.008, 0.010, 0.015), strict=True)
    )
    return opening, seen, upper_lid


def eye_trust(part: Part, target: Points, reference: Points) -> EyeTrust:
    """How far the eye of one picture can show that of another; ``part`` is an eye."""
    return eye_trusts(part, np.asarray(target)[None], reference)[0]


def eye_trusts(part: Part, targets: Points, reference: Points) -> list[EyeTrust]:
    """``eye_trust`` for many pictures at once, with landmarks ``targets`` (T, 478, 3)."""
    left = part == Part.LEFT_EYE
    lid, skin = (t.LEFT_UPPER_LID, t.LEFT_UPPER_LID_SKIN) if left else (t.RIGHT_UPPER_LID, t.RIGHT_UPPER_LID_SKIN)
    own = np.asarray(reference)[None]
    stretch = _strip_heights(targets, lid, skin) / np.maximum(_strip_heights(own, lid, skin), 0.01)
    openness = np.minimum(eye_opennesses(part, targets), eye_opennesses(part, own))
    lids = masks.smoothstep(stretch.astype(np.float32), 1.7, 1.1)
    balls = masks.smoothstep(openness.astype(np.float32), 0.08, 0.17)
    return [EyeTrust(*both) for both in zip(lids.tolist(), balls.tolist(), strict=True)]


def _upper_lid(part: Part, landmarks: Points) -> NDArray[np.float64]:
    """(K, 2) outline of the upper lid from its crease down to the lower lid's line."""
    left = part == Part.LEFT_EYE
    crease, lower = (t.LEFT_UPPER_LID_SKIN, t.LEFT_LOWER_LID) if left else (t.RIGHT_UPPER_LID_SKIN, t.RIGHT_LOWER_LID)
    return np.asarray(landmarks, np.float64)[list(crease + lower[::-1]), :2]


def _strip_heights(landmarks: Points, lid: t.Indices, skin: t.Indices) -> NDArray[np.float64]:
    """Mean distance of a lid's line and the skin line beside it over the distance between the eyes, of (T, 478, 3)."""
    inner = slice(2, -2)
    gap = landmarks[:, lid[inner], :2] - landmarks[:, skin[inner], :2]
    scale = np.array([face_scale(each) for each in landmarks])
    heights: NDArray[np.float64] = np.hypot(gap[..., 0], gap[..., 1]).mean(axis=-1) / scale
    return heights


def eye_opening_matte(part: Part, landmarks: Points, box: Box) -> Matte:
    """The opening between the lids: (H, W) float32 in [0, 1], soft by about 1 % of the inter-ocular distance.

    Half a percent larger than the lid lines on every side, so that the edge of the eyeball lies under the lids.
    """
    return masks.blur(masks.polygon_mask(_opening(part, landmarks), box), 0.008 * face_scale(landmarks))


def _opening(part: Part, landmarks: Points) -> NDArray[np.float64]:
    return masks.offset_outline(masks.outline(part, landmarks), 0.006 * face_scale(landmarks))


def _inside_reference_lids(part: Part, target: Points, reference: Points, to_ball: Matrix) -> NDArray[np.float64]:
    """(K, 2) outline within which the reference's eyeball, moved onto the target's, was not hidden by its own lids."""
    lids = transform(invert(to_ball), masks.outline(part, reference))
    # The lashes and the wet rim of the reference's lids are not eyeball: keep a little inside them.
    return masks.offset_outline(lids, -0.010 * face_scale(target))


def _lid_controls(left: bool, upper: bool) -> t.Indices:
    if upper:
        lines = (
            (t.LEFT_UPPER_LID, t.LEFT_UPPER_LID_SKIN, t.LEFT_UNDER_BROW, t.LEFT_EYEBROW_LOWER)
            if left
            else (t.RIGHT_UPPER_LID, t.RIGHT_UPPER_LID_SKIN, t.RIGHT_UNDER_BROW, t.RIGHT_EYEBROW_LOWER)
        )
    else:
        lines = (
            (t.LEFT_LOWER_LID, t.LEFT_LOWER_LID_SKIN, t.LEFT_UNDER_EYE, (346, 347, 348, 349, 350))
            if left
            else (t.RIGHT_LOWER_LID, t.RIGHT_LOWER_LID_SKIN, t.RIGHT_UNDER_EYE, (117, 118, 119, 120, 121))
        )
    return tuple(index for line in lines for index in line)


def _eyebrow_controls(part: Part) -> t.Indices:
    if part == Part.LEFT_EYEBROW:
        lines = (t.LEFT_EYEBROW_UPPER, t.LEFT_EYEBROW_LOWER, t.LEFT_UNDER_BROW[2:7], t.LEFT_FOREHEAD, (353, 383, 9, 8))
    else:
        lines = (
            t.RIGHT_EYEBROW_UPPER, t.RIGHT_EYEBROW_LOWER, t.RIGHT_UNDER_BROW[2:7], t.RIGHT_FOREHEAD, (124, 156, 9, 8),
        )  # fmt: skip
    return tuple(index for line in lines for index in line)


def _spline_field(controls: t.Indices, target: Points, reference: Points, box: Box) -> NDArray[np.float32]:
    spline = ThinPlateSpline.fit(target[list(controls)], reference[list(controls)], _SMOOTHING)
    return spline.field(box, field_step(face_scale(target)))


def _iris_similarity(part: Part, source: Points, target: Points) -> Matrix:
    """Similarity from one picture's eyeball to another's: iris onto iris, turned as the line of the eye corners.

    The rim of a round iris says nothing of rotation, so that comes from the corners.
    """
    left = part == Part.LEFT_EYE
    iris, corners = (t.LEFT_IRIS, t.LEFT_EYE_CORNERS) if left else (t.RIGHT_IRIS, t.RIGHT_EYE_CORNERS)
    # As complex numbers, turning and scaling is a ratio.
    turn = _iris_radius(target, iris) * _direction(target, corners)
    turn /= _iris_radius(source, iris) * _direction(source, corners)
    shift = complex(*target[iris[0], :2]) - turn * complex(*source[iris[0], :2])
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _iris_radius(points: Points, iris: t.Indices) -> float:
    rim = points[list(iris[1:]), :2] - points[iris[0], :2]
    return max(float(np.hypot(rim[:, 0], rim[:, 1]).mean()), 1e-3)


def _direction(points: Points, pair: t.Indices) -> complex:
    line = complex(*(points[pair[1], :2] - points[pair[0], :2]))
    if not 0 < abs(line) < np.inf:
        raise GeometryError("these landmarks place no eye: its corners coincide or are not numbers")
    return line / abs(line)


def _join(
    upper: t.Indices, lower: t.Indices, target: Points, reference: Points, lower_share: Matte, box: Box
) -> NDArray[np.float32]:
    """One map from two thin-plate maps, given by their control points; each is evaluated only where it counts."""
    where = np.zeros((box.height, box.width, 2), np.float32)
    if not box.area:
        return where
    for controls, share in ((upper, 1 - lower_share), (lower, lower_share)):
        rows = _span(share.max(axis=1, initial=0) > 0)
        if rows.start == rows.stop:
            continue
        mapped = _spline_field(
            controls, target, reference, Box(box.left, box.top + rows.start, box.right, box.top + rows.stop)
        )
        if controls is lower:
            mapped -= where[rows]
            mapped *= cv2.merge([share[rows]] * 2)
        where[rows] += mapped
    return where


def _span(rows: NDArray[np.bool_]) -> slice:
    """The shortest slice that holds all that is True."""
    found = np.flatnonzero(rows)
    return slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0)


def _share_of_lower(landmarks: Points, upper_line: t.Indices, lower_line: t.Indices, box: Box) -> Matte:
    """How much the lower of two maps counts: 0 above the line midway between two facing lines, 1 below it.

    The lines run from corner to corner. Between the corners the change is sharp (less than a pixel); beyond them
    both maps describe the same skin, and the change widens with the distance to the corner.
    """
    a, b = landmarks[list(upper_line), :2].astype(np.float64), landmarks[list(lower_line), :2].astype(np.float64)
    middle = 0.5 * (a + b)
    axis = middle[-1] - middle[0]
    # "Below" is towards the chin, not towards the picture's lower border: heads tilt and lie.
    chin_ward = landmarks[t.FACE_OVAL[len(t.FACE_OVAL) // 2], :2] - landmarks[t.FACE_OVAL[0], :2]
    if axis[0] * chin_ward[1] - axis[1] * chin_ward[0] < 0:
        middle, axis = middle[::-1], -axis
    length = max(float(np.hypot(*axis)), 1e-6)
    axis = axis / length
    x = (np.arange(box.left, box.right) - middle[0, 0]).astype(np.float32)
    y = (np.arange(box.top, box.bottom) - middle[0, 1]).astype(np.float32)[:, None]
    axis = axis.astype(np.float32)
    along, across = axis[0] * x + axis[1] * y, axis[0] * y - axis[1] * x
    local = (middle - middle[0]) @ np.array([[axis[0], -axis[1]], [axis[1], axis[0]]])
    order = np.argsort(local[:, 0])
    height = np.interp(along.ravel(), local[order, 0], local[order, 1]).astype(np.float32).reshape(along.shape)
    width = np.maximum(np.maximum(-along, along - np.float32(length)), 0)
    width *= np.float32(2 * 0.6)
    width += np.float32(2 * 0.4)
    share: Matte = across - height
    share /= width
    share += np.float32(0.5)
    return np.clip(share, 0, 1, out=share)
