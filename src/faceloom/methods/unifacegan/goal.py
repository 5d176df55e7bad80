"""Where the landmarks of a driven face go, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import eye_openness, face_scale
from faceloom.geometry.similarity import fit_similarity, transform
from faceloom.methods.unifacegan.anchors import CONTROLS, Anchors, find_anchors
from faceloom.methods.unifacegan.driver import Drive
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.gaze import EYES, look_of, turned_irises
from faceloom.perceive.morphable import MorphableParameters, camera_of, recombine, split_camera
from faceloom.types import Image, Part

MOST_TURN = 30.0
"""Degrees by which a head is turned away from where the target has it, at most: beyond, too much was never seen."""
_WIDEST = 1.4
"""How far lids open beyond what the target shows: there is no eyeball under them, what is seen of it is stretched."""
_LEAST_OPEN = 0.2
"""Opening of an eye from which on it may be taken for that of the open eye."""
_WITH_LOWER: dict[tuple[int, ...], float] = {
    (*t.LOWER_LIP_INNER[1:-1], *t.LOWER_LIP_MIDDLE[1:-1], *t.LOWER_LIP_OUTER[1:-1], *t.LOWER_LIP_SKIN[1:-1]): 1.0,
    (199, 200, 175, 170, 395, 210, 430, 152, 148, 377, 176, 400, 149, 378): 0.7,
}
_WITH_UPPER = (*t.UPPER_LIP_INNER[1:-1], *t.UPPER_LIP_MIDDLE[1:-1], *t.UPPER_LIP_OUTER[1:-1])
_LOWER_SHARE = 0.75
"""Of a gap between the lips that the model misses, what the lower lip and the jaw make up for; the upper lip the rest.
"""
_SHUT = 0.02
"""Opening that is left of a shut eye: lines that cross would turn the lid inside out."""
_BENDING = list(CONTROLS)
"""Landmarks whose motion on the driver's skin is taken over."""
_LOWER_LID_SHARE = 0.12
_CREASE_SHARE = 0.2
"""How far the lower lid and the crease above the eye go along with the upper lid."""


@dataclass(frozen=True, eq=False)
class Goal:
    """A face as it is and as it is to be, in one frame.

    landmarks, vertices  (478, 3) and (V, 3), pixels of the frame, as they are to be.
    seen, surface        the same as they are.
    parameters           as they are to be (eq. 4).
    drive                whose mouth is open, None when no expression is taken.
    posed                (36, 2) pixels, the oval of the face if it did no more than turn and move.
    irises               (2, 2) pixels by which the left and the right iris are moved in their eyes.
    """

    landmarks: NDArray[np.float64]
    vertices: NDArray[np.float32]
    seen: NDArray[np.float64]
    surface: NDArray[np.float32]
    parameters: MorphableParameters
    drive: Drive | None
    posed: NDArray[np.float64]
    irises: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rest:
    """One person of the target as first met in a shot: what is constant of it, and what movements count from.

    neutral  (V, 3) the head at rest.
    lids     opening of the open left and right eye.
    look     (2, 2), where the irises lie, see ``gaze.look_of``.
    """

    parameters: MorphableParameters
    neutral: NDArray[np.float32]
    anchors: Anchors
    lids: tuple[float, float]
    look: NDArray[np.float64]


def rest_of(fitter: FaceFitter, image: Image, landmarks: NDArray[np.float64]) -> Rest:
    """A person at rest, by the first frame of a shot that shows the face, at ``landmarks`` (478, 3)."""
    parameters = fitter.fit(image, landmarks)
    anchors = find_anchors(fitter.model, parameters, landmarks, fitter.deviation)
    lids = [max(_LEAST_OPEN, eye_openness(part, landmarks)) for part in EYES]
    return Rest(parameters, fitter.model.neutral(parameters.shape), anchors, (lids[0], lids[1]), look_of(landmarks))


def make_goal(
    fitter: FaceFitter,
    rest: Rest,
    parameters: MorphableParameters,
    landmarks: NDArray[np.float64],
    expression: Drive | None,
    pose: Drive | None,
    gaze: Drive | None = None,
) -> Goal:
    """What a face at ``landmarks`` (478, 3) with ``parameters`` comes to look like when it is driven.

    expression, pose, gaze  who drives each; None keeps the target's own.
    """
    model = fitter.model
    surface = model.vertices(parameters, rest.neutral)
    anchors = rest.anchors.moved_to(surface, parameters, landmarks)
    wanted = parameters if expression is None else recombine(parameters, expression.parameters, parameters)
    if pose is not None:
        wanted = replace(wanted, camera=driven_camera(parameters, rest, pose))
    vertices = model.vertices(wanted, rest.neutral)
    if expression is not None:
        at = anchors.landmarks(vertices, wanted)
        bend = _bend(wanted, expression)
        at[:, :2] += bend
        pull = bend + _lips(at, wanted, expression) + _lids(at, landmarks, rest, expression)
        vertices = anchors.pulled(vertices, pull[list(CONTROLS)])
    placed = anchors.landmarks(vertices, wanted)
    for iris, corners in ((t.LEFT_IRIS, t.LEFT_EYE_CORNERS), (t.RIGHT_IRIS, t.RIGHT_EYE_CORNERS)):
        along = fit_similarity(landmarks[list(corners)], placed[list(corners)])
        placed[list(iris), :2] = transform(along, landmarks[list(iris)])
    irises = np.zeros((2, 2))
    if gaze is not None:
        placed, irises = turned_irises(placed, _look(rest, gaze))
    posed = _posed(surface[anchors.vertices[list(t.FACE_OVAL)]], landmarks, parameters, wanted)
    return Goal(placed, vertices, landmarks, surface, wanted, expression, posed, irises)


def _posed(
    oval: NDArray[np.float32], landmarks: NDArray[np.float64], own: MorphableParameters, wanted: MorphableParameters
) -> NDArray[np.float64]:
    """(36, 2) the oval of ``landmarks``, which lies at ``oval`` (36, 3) of the surface, moved with the camera alone."""
    turn = wanted.camera[:, :3] @ np.linalg.inv(own.camera[:, :3])
    moved = (oval - own.camera[:, 3]) @ turn.T + wanted.camera[:, 3]
    posed: NDArray[np.float64] = landmarks[list(t.FACE_OVAL), :2] + (moved - oval)[:, :2]
    return posed


def _look(rest: Rest, gaze: Drive) -> NDArray[np.float64]:
    """(2, 2) where the irises are to lie: a clip's gaze counts from its beginning, and both eyes turn alike."""
    if gaze.begin is None:
        return gaze.look
    return rest.look + (gaze.look - gaze.begin.look).mean(axis=0)


def driven_camera(own: MorphableParameters, rest: Rest, pose: Drive) -> NDArray[np.float64]:
    """The target's camera with the head turned as ``pose`` has it; of a clip, also moved as there.

    The turn of a clip counts from its beginning, on top of where the target's head was at its own. No head is turned by
    more than ``MOST_TURN`` away from where the target has it.
    """
    scale, turn, place = split_camera(own.camera)
    driver_scale, driver_turn, _ = split_camera(pose.parameters.camera)
    if pose.begin is not None:
        rest_scale, rest_turn, _ = split_camera(pose.begin.camera)
        own_rest_scale, own_rest_turn, _ = split_camera(rest.parameters.camera)
        driver_turn = driver_turn @ rest_turn.T @ own_rest_turn
        scale = own_rest_scale * driver_scale / rest_scale
    step = Rotation.from_matrix(driver_turn @ turn.T).as_rotvec()
    step *= min(1.0, np.radians(MOST_TURN) / max(float(np.linalg.norm(step)), 1e-9))
    # The fitted camera is only nearly a scaled rotation; what it is besides stays.
    besides = own.camera[:, :3] @ np.linalg.inv(camera_of(1.0, turn, place)[:, :3]) / split_camera(own.camera)[0]
    turned = camera_of(scale, Rotation.from_rotvec(step).as_matrix() @ turn, place)
    turned[:, :3] = besides @ turned[:, :3]
    if pose.begin is not None:
        # The middle of the face moves as the driver's; the origins of two heads, deep inside, are not the same place.
        centre = rest.anchors.centre(rest.neutral)
        step = _at(pose.parameters.camera, pose.begin.centre) - _at(pose.begin.camera, pose.begin.centre)
        wanted = _at(rest.parameters.camera, centre) + step * own_rest_scale / rest_scale
        turned[:, 3] += wanted - _at(turned, centre)
    return turned


def _at(camera: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    seen: NDArray[np.float64] = camera[:, :3] @ point + camera[:, 3]
    return seen


def _bend(wanted: MorphableParameters, drive: Drive) -> NDArray[np.float64]:
    """(478, 2) pull that takes over how the driver's landmarks have moved on the driver's skin.

    Not along the outline, where landmarks slide over the skin as the head turns, nor at the lids, see ``_lids``.
    """
    pull = np.zeros((478, 2))
    if drive.bend is not None:
        pull[_BENDING] = drive.bend[_BENDING] @ wanted.camera[:2, :2].T
    return pull


def _lips(at: NDArray[np.float64], wanted: MorphableParameters, drive: Drive) -> NDArray[np.float64]:
    """(478, 2) pull that opens lips as far as the driver's; the model knows this only roughly."""
    down = -wanted.camera[:2, 1] / max(float(np.linalg.norm(wanted.camera[:2, 1])), 1e-9)
    ratio = face_scale(at) / face_scale(drive.landmarks)
    upper, lower = list(t.UPPER_LIP_INNER[1:-1]), list(t.LOWER_LIP_INNER[1:-1])
    driven = drive.landmarks[lower, :2] - drive.landmarks[upper, :2]
    chin = drive.landmarks[152, :2] - drive.landmarks[10, :2]
    gap = driven @ (chin / max(float(np.linalg.norm(chin)), 1e-9)) * ratio
    missing = np.maximum(gap, 0) - (at[lower, :2] - at[upper, :2]) @ down
    pull = np.zeros((len(at), 2))
    for lines, share in (
        ((t.LOWER_LIP_INNER, t.LOWER_LIP_MIDDLE, t.LOWER_LIP_OUTER, t.LOWER_LIP_SKIN), _LOWER_SHARE),
        ((t.UPPER_LIP_INNER, t.UPPER_LIP_MIDDLE, t.UPPER_LIP_OUTER), _LOWER_SHARE - 1),
    ):
        for line in lines:
            pull[list(line[1:-1])] = share * missing[:, None] * down
    for points, share in _WITH_LOWER.items():
        if share < 1:
            pull[list(points)] = share * _LOWER_SHARE * float(missing.mean()) * down
    return pull


def _lids(at: NDArray[np.float64], landmarks: NDArray[np.float64], rest: Rest, drive: Drive) -> NDArray[np.float64]:
    """(478, 2) pull that shuts the lids as far as the driver's; the model has no lids."""
    pull = np.zeros((len(at), 2))
    for part, driven, opened in zip(EYES, drive.lids, rest.lids, strict=True):
        left = part == Part.LEFT_EYE
        upper, lower, crease = (
            (t.LEFT_UPPER_LID, t.LEFT_LOWER_LID, t.LEFT_UPPER_LID_SKIN)
            if left
            else (t.RIGHT_UPPER_LID, t.RIGHT_LOWER_LID, t.RIGHT_UPPER_LID_SKIN)
        )
        wanted = min(_WIDEST * max(eye_openness(part, landmarks), _SHUT), max(driven * opened, _SHUT))
        share = wanted / max(eye_openness(part, at), _SHUT)
        gap = (1 - share) * (at[list(lower[1:-1]), :2] - at[list(upper[1:-1]), :2])
        pull[list(upper[1:-1])] = (1 - _LOWER_LID_SHARE) * gap
        pull[list(lower[1:-1])] = -_LOWER_LID_SHARE * gap
        pull[list(crease[1:-1])] = _CREASE_SHARE * gap
    return pull
