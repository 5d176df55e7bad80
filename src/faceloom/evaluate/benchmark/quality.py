"""Is a face good enough to take a part from? One function per reason to say no, each with its limit.

A filter looks at a ``Look`` and returns how far its limit is used up: at most 1 passes, more is rejected. So one can
see from a manifest how near a sample came to each limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import masks
from faceloom.geometry.partcover import cover_outline, eye_openness, mouth_openness, visibility
from faceloom.perceive import BLENDSHAPES
from faceloom.types import Attribute, Box, Face, Image

LEAST_SHARPNESS = 12.0
"""Variance of the Laplacian over the face, grey levels squared, in a crop whose side is ``REFERENCE_SIDE``."""
REFERENCE_SIDE = 256
LEAST_RESOLUTION = 0.6
"""Pixels of the source per pixel of the crop: below, the crop is mostly interpolated."""
MOST_CUT = 0.05
"""Share of a part's area that may lie outside the picture, turn away from the camera or be covered."""
MOST_YAW, MOST_PITCH = 25.0, 20.0
"""Degrees of the head away from the camera."""
MOST_EXPRESSION: Mapping[str, float] = {
    "jawOpen": 0.4,
    "mouthFunnel": 0.5,
    "mouthPucker": 0.9,
    "cheekPuff": 0.5,
    "jawLeft": 0.5,
    "jawRight": 0.5,
    "mouthLeft": 0.6,
    "mouthRight": 0.6,
    "mouthStretchLeft": 0.7,
    "mouthStretchRight": 0.7,
    "noseSneerLeft": 0.5,
    "noseSneerRight": 0.5,
    "eyeBlinkLeft": 0.5,
    "eyeBlinkRight": 0.5,
    "eyeWideLeft": 0.7,
    "eyeWideRight": 0.7,
}
"""Blendshapes, each with the value from which an expression is extreme. Smiles are not: they are how people look."""
LEAST_EYE_OPENING = 0.12
"""Lid opening over the width of the eye; ``faceloom edit`` warns of references below it."""
MOST_MOUTH_OPENING = 0.2
"""Gap between the inner lips in inter-ocular distances. Both openings are measured beside the blendshapes, which miss
some shut eyes and open mouths."""


@dataclass(frozen=True, eq=False)
class Look:
    """A face and where it was seen.

    crop        (S, S, 3) uint8 RGB, the aligned crop.
    face        in crop pixels; its pose is relative to the camera of the crop.
    seen        (S, S) bool: which pixels of the crop lie inside the source picture.
    resolution  source pixels per crop pixel.
    covered     by part, the share of it that something else covers, as the parser sees it; empty if it was not asked.
    """

    crop: Image
    face: Face
    seen: NDArray[np.bool_]
    resolution: float
    covered: Mapping[Attribute, float] = field(default_factory=dict)


def blur(look: Look, part: Attribute) -> float:
    """Limit over sharpness. Variance of the Laplacian over the face (Pech-Pacheco et al., Diatom autofocusing, 2000).

    Over the whole face and not the part alone: bare skin has little detail however sharp it is.
    """
    side = look.crop.shape[0]
    grey = cv2.cvtColor(look.crop, cv2.COLOR_RGB2GRAY)
    if side != REFERENCE_SIDE:
        grey = cv2.resize(grey, (REFERENCE_SIDE, REFERENCE_SIDE), interpolation=cv2.INTER_AREA)
    scale = REFERENCE_SIDE / side
    box = Box(0, 0, REFERENCE_SIDE, REFERENCE_SIDE)
    landmarks = (look.face.landmarks[:, :2] + 0.5) * scale - 0.5
    inside = masks.region_mask(masks.Region.FACE_OVAL, landmarks, box) > 0.5
    detail = cv2.Laplacian(grey, cv2.CV_32F)[inside]
    return LEAST_SHARPNESS / max(float(detail.var()), 1e-6) if detail.size else float("inf")


def low_resolution(look: Look, part: Attribute) -> float:
    """Limit over source pixels per crop pixel."""
    return LEAST_RESOLUTION / max(look.resolution, 1e-6)


def truncated_mask(look: Look, part: Attribute) -> float:
    """Share of the part that is outside the picture, turned away or covered, over the limit; the worst of the three."""
    outside = max(_share_outside(look, cover_outline(piece, look.face.landmarks)) for piece in part.parts)
    away = max(1 - visibility(piece, look.face.pose) for piece in part.parts)
    return max(outside, away, look.covered.get(part, 0.0)) / MOST_CUT


def _share_outside(look: Look, outline: NDArray[np.float64]) -> float:
    """Share of a polygon's area where the crop shows nothing of the source picture."""
    box = Box.around(outline).pad(1)
    mask, side = masks.polygon_mask(outline, box), look.crop.shape[0]
    inside = box.clip(side, side)
    visible = mask[inside.relative_to(box).slices][look.seen[inside.slices]].sum()
    return 1 - float(visible) / max(float(mask.sum()), 1e-6)


def extreme_expression(look: Look, part: Attribute) -> float:
    """The blendshape or opening nearest to, or farthest beyond, its limit, over that limit."""
    values = dict(zip(BLENDSHAPES, look.face.blendshapes, strict=True))
    landmarks = look.face.landmarks.astype(np.float64)
    eyes = min(eye_openness(eye, landmarks) for eye in Attribute.EYES.parts)
    mouth = mouth_openness(landmarks) / MOST_MOUTH_OPENING
    used = max(float(values[name]) / limit for name, limit in MOST_EXPRESSION.items())
    return max(used, mouth, LEAST_EYE_OPENING / max(eyes, 1e-6))


def extreme_pose(look: Look, part: Attribute) -> float:
    """Yaw and pitch over their limits, the larger; roll is removed by the alignment."""
    yaw, pitch = head_angles(look.face)
    return max(abs(yaw) / MOST_YAW, abs(pitch) / MOST_PITCH)


Filter = Callable[[Look, Attribute], float]
FILTERS: Mapping[str, Filter] = {
    "low resolution": low_resolution,
    "blur": blur,
    "truncated mask": truncated_mask,
    "extreme expression": extreme_expression,
    "extreme pose": extreme_pose,
}
"""In the order in which they are asked; a sample counts under the first that rejects it."""


def judge(look: Look, part: Attribute) -> tuple[dict[str, float], str | None]:
    """How far each limit is used up, by filter, and the first filter that rejects the sample (None: it is good)."""
    used = {name: filter_(look, part) for name, filter_ in FILTERS.items()}
    return used, next((name for name, value in used.items() if not value <= 1), None)


def thresholds() -> dict[str, float]:
    """All limits by name, for the manifest."""
    return {
        "sharpness": LEAST_SHARPNESS,
        "resolution": LEAST_RESOLUTION,
        "cut": MOST_CUT,
        "yaw": MOST_YAW,
        "pitch": MOST_PITCH,
        "eye opening": LEAST_EYE_OPENING,
        "mouth opening": MOST_MOUTH_OPENING,
        **{f"blendshape {name}": limit for name, limit in MOST_EXPRESSION.items()},
    }


def head_angles(face: Face) -> tuple[float, float]:
    """Yaw (positive to the subject's left) and pitch (positive upwards) of the head, degrees."""
    x, y, z = face.pose[:3, :3] @ np.array([0.0, 0.0, 1.0])
    return float(np.degrees(np.arctan2(x, z))), float(np.degrees(np.arctan2(y, np.hypot(x, z))))
