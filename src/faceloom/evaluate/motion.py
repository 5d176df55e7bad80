"""Does the face still move as it did: landmarks away from the edit, opening of mouth and eyes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import cover_outline, eye_openness, face_scale, mouth_openness
from faceloom.types import Part, Points

RING = 0.2
"""Width of the ring around a part that an edit may disturb, in inter-ocular distances: about 12 mm on a face.

The soft edge of a transfer lies inside it.
"""

_EYEBALLS = {Part.LEFT_EYE: t.LEFT_IRIS, Part.RIGHT_EYE: t.RIGHT_IRIS}


@dataclass(frozen=True)
class Agreement:
    """How well one signal follows another over the frames of a clip.

    correlation     Pearson's r in [-1, 1], higher is better; NaN when one of the signals does not vary.
    target_spread   standard deviation of the target's signal, in the signal's unit. Where it is no larger than the
                    noise of the landmarks, the correlation says nothing.
    output_spread   standard deviation of the output's signal.
    """

    correlation: float
    target_spread: float
    output_spread: float


def outside_parts(parts: Iterable[Part], landmarks: Points, ring: float = RING) -> NDArray[np.bool_]:
    """Which landmarks an edit of ``parts`` should leave where they are: (478,) bool.

    A landmark is outside if it lies more than ``ring`` inter-ocular distances beyond the outline that a transfer of
    the part replaces (``partcover.cover_outline``) and is not an iris of an edited eye.

    Args:
        parts: the edited parts.
        landmarks: (478, 3) of a frontal face, pixels; the set is then used for every frame.
        ring: width of the surrounding ring, inter-ocular distances.
    """
    outside = np.ones(len(landmarks), bool)
    reach = ring * face_scale(landmarks)
    for part in parts:
        outline = cover_outline(part, landmarks).astype(np.float32)
        for index, point in enumerate(landmarks[:, :2]):
            distance = cv2.pointPolygonTest(outline, (float(point[0]), float(point[1])), True)
            outside[index] &= distance < -reach
        outside[list(_EYEBALLS.get(part, ()))] = False
    return outside


def landmark_shift(target: Points, output: Points) -> NDArray[np.float64]:
    """How far each landmark moved through the edit: (478,) share of the inter-ocular distance; lower is better.

    ``s_i = |p_i(output) - p_i(target)| / d(target)`` with x and y of the same frame in pixels and the distance d
    between the centres of the eyes, measured in 3-D (``partcover.face_scale``). The normalised mean error of face
    alignment (Sagonas et al., 300 Faces in-the-Wild, 2013) is its mean over landmarks and frames.
    """
    if target.shape[0] != output.shape[0]:
        raise ValueError(f"landmarks must pair up, got {len(target)} and {len(output)}")
    moved = np.asarray(output, np.float64)[:, :2] - np.asarray(target, np.float64)[:, :2]
    return np.hypot(moved[:, 0], moved[:, 1]) / face_scale(target)


def landmark_unsteadiness(target: Sequence[Points], output: Sequence[Points]) -> NDArray[np.float64]:
    """How much the shift of each landmark varies: (478,) share of the inter-ocular distance; lower is better.

    The standard deviation over frames of ``(p_i(output) - p_i(target)) / d(target)``, x and y together. A new part
    changes what the landmark network sees of the whole face and shifts its answer by some amount; as long as this
    amount stays the same, the face moves as it did.

    Raises:
        ValueError: no frames, or not the same number on both sides.
    """
    if not len(target) or len(target) != len(output):
        raise ValueError(f"unsteadiness needs the same frames on both sides, got {len(target)} and {len(output)}")
    pairs = zip(target, output, strict=True)
    shifts = np.stack([(np.asarray(b, np.float64) - a)[:, :2] / face_scale(a) for a, b in pairs])
    return np.sqrt(shifts.var(axis=0).sum(axis=-1))


def eyes_openness(landmarks: Points) -> float:
    """Lid opening over eye width, mean of both eyes (``partcover.eye_openness``); about 0.3 open, under 0.1 shut.

    The mean of both eyes is the usual blink signal: Soukupova and Cech, Real-Time Eye Blink Detection using Facial
    Landmarks, 2016.
    """
    return 0.5 * (eye_openness(Part.LEFT_EYE, landmarks) + eye_openness(Part.RIGHT_EYE, landmarks))


def agreement(target: Sequence[float], output: Sequence[float]) -> Agreement:
    """Pearson correlation over frames, ``cov(a, b) / (std(a) std(b))``, with both standard deviations.

    Raises:
        ValueError: the signals differ in length.
    """
    a, b = np.asarray(target, np.float64), np.asarray(output, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"a correlation needs two signals of one length, got {a.shape} and {b.shape}")
    if len(a) == 0:
        return Agreement(float("nan"), float("nan"), float("nan"))
    spread_a, spread_b = float(a.std()), float(b.std())
    if min(spread_a, spread_b) < 1e-12:
        return Agreement(float("nan"), spread_a, spread_b)
    correlation = float(np.mean((a - a.mean()) * (b - b.mean())) / (spread_a * spread_b))
    return Agreement(correlation, spread_a, spread_b)


def opening_agreement(
    target: Sequence[Points], output: Sequence[Points], opening: Callable[[Points], float] = mouth_openness
) -> Agreement:
    """How well an opening (``mouth_openness`` or ``eyes_openness``) of the output follows the target's.

    target, output  (478, 3) landmarks of the same frames, found in each video on its own.
    """
    return agreement([opening(points) for points in target], [opening(points) for points in output])
