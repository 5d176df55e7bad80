"""The faces that attributes are taken from: read, found, chosen and checked once."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from faceloom.errors import FaceError
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import eye_openness, face_scale
from faceloom.geometry.warp import minified
from faceloom.media import probe, read_image
from faceloom.perceive import Perception, perceive_image
from faceloom.run.motion import is_motion, read_motion
from faceloom.run.performance import DRIVING, read_performance
from faceloom.types import Attribute, Face, Image, Part, Recipe, Source

_PROFILE_DEGREES = 40.0
_SHUT = 0.12
"""Opening of the lids over the width of the eye under which an eye counts as shut."""
_SMALL = 40.0
"""Inter-ocular distance in pixels under which a reference has too little detail."""


def load_sources(recipe: Recipe, perception: Perception) -> tuple[dict[Attribute, Source], list[str]]:
    """Read every reference of a recipe and choose the face in it. What moves (``DRIVING``) may come from a clip.

    Returns:
        Sources by attribute, and warnings about references that will not work well.

    Raises:
        MediaError: a reference cannot be read as a picture.
        FaceError: no face in a reference, or ``reference_face`` is a number that it does not have.
    """
    found: dict[Path, Source] = {}
    sources: dict[Attribute, Source] = {}
    warnings: list[str] = []
    for attribute, path in recipe.take.items():
        if path not in found:
            if attribute in DRIVING and is_motion(path):
                found[path], remark = read_motion(path)
            elif attribute in DRIVING and probe(path).kind == "video":
                found[path], remark = read_performance(path, perception)
            else:
                image = read_image(path)
                face, remark = _choose(path, perceive_image(image, perception), recipe.reference_face)
                found[path] = Source(path, image, face)
            warnings += remark
        sources[attribute] = found[path]
        warnings += check_source(attribute, sources[attribute])
    return sources, warnings


def _choose(path: Path, faces: list[Face], wanted: int | None) -> tuple[Face, list[str]]:
    if not faces:
        raise FaceError(
            f"{path}: no face was found in this reference; use a sharp, roughly frontal picture in which the face is "
            "at least 100 pixels wide"
        )
    by_size = sorted(faces, key=lambda face: -face.box.area)
    if wanted is not None:
        by_place = sorted(faces, key=lambda face: face.box.left)
        if wanted > len(faces):
            raise FaceError(
                f"{path}: --reference-face {wanted} was asked for, but only {len(faces)} were found (counted from "
                "left to right, starting at 1)"
            )
        return by_place[wanted - 1], []
    if len(faces) == 1:
        return by_size[0], []
    place = 1 + sorted(faces, key=lambda face: face.box.left).index(by_size[0])
    remark = (
        f"{path}: {len(faces)} faces in this reference; the largest is used, number {place} from the left. "
        "Choose another with --reference-face N"
    )
    return by_size[0], [remark]


def check_source(attribute: Attribute, source: Source) -> list[str]:
    """What is likely to go wrong with this reference for this attribute, in words; empty when nothing is."""
    face, where = source.face, f"{source.path}: for '{attribute}',"
    landmarks = face.landmarks.astype(np.float64)
    remarks = []
    yaw = head_yaw(face)
    if abs(yaw) > _PROFILE_DEGREES and attribute.parts:
        remarks.append(
            f"{where} the head is turned by {abs(yaw):.0f}°; the far side is hidden and will look stretched. "
            "A reference within 25° of frontal works best"
        )
    shut = [p for p in attribute.parts if p in (Part.LEFT_EYE, Part.RIGHT_EYE) and eye_openness(p, landmarks) < _SHUT]
    if shut:
        names = " and ".join(part.value.replace("_", " ") for part in shut)
        remarks.append(f"{where} the {names} is shut in this reference; there is no eyeball to take")
    if Part.MOUTH in attribute.parts and _lips_look_covered(source.image, landmarks):
        remarks.append(f"{where} the lips look covered (a hand, a microphone, a mask?); the cover would be transferred")
    if face_scale(landmarks) < _SMALL:
        remarks.append(
            f"{where} the face is small ({face_scale(landmarks):.0f} pixels between the eyes); the result will be soft"
        )
    return remarks


def head_yaw(face: Face) -> float:
    """Turn of the head about the vertical axis in degrees, positive to the subject's left."""
    forward = face.pose[:3, :3] @ np.array([0.0, 0.0, 1.0])
    return float(np.degrees(np.arctan2(forward[0], forward[2])))


def _lips_look_covered(image: Image, landmarks: np.ndarray) -> bool:
    """True when the lips are not the least redder than the cheeks and chin beside them, or lie in shadow of black.

    Judged in CIE Lab on a picture reduced to about 60 pixels between the eyes, so that grain plays no part.
    """
    levels = minified(image.astype(np.float32) / np.float32(255))
    level = int(np.clip(np.log2(max(face_scale(landmarks) / 60, 1)), 0, len(levels) - 1))
    lab = cv2.cvtColor(np.ascontiguousarray(levels[level]), cv2.COLOR_RGB2LAB)
    lips = _at(lab, landmarks, t.UPPER_LIP_MIDDLE[2:-2] + t.LOWER_LIP_MIDDLE[2:-2], level)
    skin = _at(lab, landmarks, (50, 280, 101, 330, 205, 425, 200, 199, 175, 4), level)
    redder = float(np.median(lips[:, 1]) - np.median(skin[:, 1]))
    return redder < -1.0


def _at(lab: np.ndarray, landmarks: np.ndarray, indices: t.Indices, level: int) -> np.ndarray:
    xy = (landmarks[list(indices), :2] / (1 << level)).round().astype(int)
    height, width = lab.shape[:2]
    colours: np.ndarray = lab[np.clip(xy[:, 1], 0, height - 1), np.clip(xy[:, 0], 0, width - 1)]
    return colours
