"""What of a face is skin that may be retouched: no eyes, brows, lips, hair, beard, glasses, hands."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.errors import WeightsError
from faceloom.geometry.glasses import bridge_contrast, rims
from faceloom.geometry.masks import Region, polygon_mask, region_mask, smoothstep
from faceloom.geometry.topology import LEFT_NOSTRIL, RIGHT_NOSTRIL
from faceloom.methods.langbrt.prompts import Area
from faceloom.methods.langbrt.regions import area_masks
from faceloom.perceive.parse import CROP_SIZE, FaceClass, FaceParser
from faceloom.types import Box, Image, Matte, Points
from faceloom.weights import Status, Store

_SKIN = (int(FaceClass.SKIN), int(FaceClass.NOSE))
_LIKELY = 3.2, 2.0
"""Distances from the colour of a face, in robust deviations, at which a pixel is no skin, and at which it is."""
_LEAST_SPREAD = np.array([5, 4, 4], np.float32)
"""Deviations of L, a and b below which a face is more even than shading allows."""
_BRIGHTER_AND_REDDER = np.array([2, 3], np.float32)
"""How much further a pixel may be on these sides."""
_PALE, _DARK = (0.84, 0.68), (1.0, 0.9)
"""Colourfulness and lightness, over those of the upper face, at which skin is unlikely, and at which it is a beard. Of
25 faces, around the mouth bare ones have at least 0.87 of the colourfulness, beards 0.57 to 0.82, on dark skin more."""
_GLASSES = 0.08, 0.12
"""``bridge_contrast`` at which glasses are unlikely, and at which they are worn."""
_GRAY = 4.0
"""Colourfulness below which a picture is gray, and nothing can be said."""
_NOSTRIL = 0.97, 0.85
"""Lightness, over that of the nose, at which the inside of a nostril's outline is skin, and at which it is the hole."""
_RIM = 0.016
"""Sides of the crop by which holes reach beyond their landmarks."""
_COARSE = 0.018
"""Deviation in sides of the crop of the Gaussian under which beards and hands stay, and blemishes go."""


class Skin(Protocol):
    """Finds skin on aligned faces (S, S, 3) uint8 with landmarks (478, 2+) in their pixels."""

    def parse(self, crop: Image) -> Matte | None:
        """What takes long and may be carried over to the next frames: (S, S) float32 in [0, 1], or None for nothing."""

    def find(self, crop: Image, landmarks: Points, parsed: Matte | None) -> Matte:
        """(S, S) float32 in [0, 1]; ``parsed`` is what ``parse`` gave for this face or one shortly before."""


class ColouredSkin:
    """Skin by place and colour alone."""

    def parse(self, crop: Image) -> None:
        """Nothing."""

    def find(self, crop: Image, landmarks: Points, parsed: Matte | None = None) -> Matte:
        """See ``Skin``. Thin dark things are told by their fine colour, large ones by their coarse colour too."""
        fine = likeness(crop, landmarks, max(0.6, crop.shape[1] / 256))
        return _by_eye(crop, landmarks) * fine


class ParsedSkin:
    """Skin by the face parser, which knows glasses and hair; beards it takes for skin."""

    def __init__(self, parser: FaceParser) -> None:
        self.parser = parser

    def parse(self, crop: Image) -> Matte:
        """See ``Skin``."""
        mask = parsed_as_skin(crop, self.parser)
        small = cv2.resize(cv2.erode(mask, np.ones((5, 5), np.uint8)).astype(np.float32), crop.shape[1::-1])
        return cv2.GaussianBlur(small, (0, 0), max(0.5, crop.shape[1] / 256))

    def find(self, crop: Image, landmarks: Points, parsed: Matte | None) -> Matte:
        """See ``Skin``."""
        own = _by_eye(crop, landmarks)
        return own if parsed is None else own * parsed


def parsed_as_skin(crop: Image, parser: FaceParser) -> NDArray[np.uint8]:
    """1 where the parser says skin or nose, else 0: (CROP_SIZE, CROP_SIZE), of an aligned face (S, S, 3) uint8.

    At the parser's own size: of smaller pictures it takes noses and foreheads of one face in ten for background.
    """
    how = cv2.INTER_CUBIC if len(crop) < CROP_SIZE else cv2.INTER_AREA
    classes = parser.parse_crop(cv2.resize(crop, (CROP_SIZE, CROP_SIZE), interpolation=how))
    return np.isin(classes, _SKIN).astype(np.uint8)


def choose_skin(how: Literal["auto", "parser", "colour"], store: Store) -> Skin:
    """The way to find skin that an option names; ``auto`` is the parser if it can be had without pulling anything.

    Raises WeightsError when the parser is wanted and its weights are missing or not permitted.
    """
    if how == "parser" or (how == "auto" and _has_parser(store)):
        return ParsedSkin(FaceParser(store))
    return ColouredSkin()


def _has_parser(store: Store) -> bool:
    try:
        return find_spec("torch") is not None and all(
            store.status(name) is Status.PRESENT for name in FaceParser.weights
        )
    except WeightsError:  # its licence was refused
        return False


def _by_eye(crop: Image, landmarks: Points) -> Matte:
    """By place, by colour at large, and where no beard and no rim of glasses is."""
    skin = skin_place(crop, landmarks) * likeness(crop, landmarks, _COARSE * crop.shape[1])
    skin = skin * (1 - beard(crop, landmarks)) * (1 - nostrils(crop, landmarks))
    worn = smoothstep(bridge_contrast(crop, landmarks), *_GLASSES)
    return skin * (1 - worn * rims(crop, landmarks, _box(crop))) if worn > 0 else skin


def skin_place(crop: Image, landmarks: Points) -> Matte:
    """Inside the face, forehead included, without eyes, brows and lips: (S, S) float32."""
    box = _box(crop)
    skin, oval = region_mask(Region.SKIN, landmarks, box), region_mask(Region.FACE_OVAL, landmarks, box)
    return area_masks(landmarks, box)[Area.FACE] * (1 - np.clip(oval - skin, 0, 1))


def likeness(crop: Image, landmarks: Points, sigma: float) -> Matte:
    """How much each pixel, smoothed by ``sigma``, is coloured as the face above the mouth is: (S, S) float32."""
    lab = _lab(cv2.GaussianBlur(crop, (0, 0), sigma))
    areas = area_masks(landmarks, _box(crop))
    sure = region_mask(Region.SKIN, landmarks, _box(crop)) * (1 - areas[Area.MOUTH] - areas[Area.CHIN]) > 0.9
    if not sure.any():
        return np.zeros(crop.shape[:2], np.float32)
    own = lab[sure]
    middle = np.median(own, axis=0)
    spread = np.maximum(1.5 * np.median(np.abs(own - middle), axis=0), _LEAST_SPREAD)
    apart = (lab - middle) / spread
    # Blemishes are redder than skin, and shine is brighter; hair, glasses and most of what is held are neither.
    apart[..., :2] /= np.where(apart[..., :2] > 0, _BRIGHTER_AND_REDDER, 1)
    return smoothstep(np.sqrt((apart**2).sum(-1) / 3), *_LIKELY)


def beard(crop: Image, landmarks: Points) -> Matte:
    """Where a beard is, (S, S) float32 in [0, 1]: below the eyes, where it is at large darker and paler than above.

    Blemishes darken skin too, but not without giving it more colour; shine makes it paler, but brighter.
    """
    areas, lab = area_masks(landmarks, _box(crop)), _lab(cv2.GaussianBlur(crop, (0, 0), _COARSE * crop.shape[1]))
    above = (areas[Area.NOSE] + areas[Area.EYES] + areas[Area.FOREHEAD]) * region_mask(
        Region.SKIN, landmarks, _box(crop)
    )
    if not (above > 0.9).any():
        return np.zeros(crop.shape[:2], np.float32)
    middle = np.median(lab[above > 0.9], axis=0)
    full = float(np.hypot(middle[1], middle[2]))
    if full < _GRAY:
        return np.zeros(crop.shape[:2], np.float32)
    paler = smoothstep(cv2.magnitude(lab[..., 1], lab[..., 2]) / np.float32(full), *_PALE)
    darker = smoothstep(lab[..., 0] / np.float32(max(middle[0], 1)), *_DARK)
    return paler * darker * np.clip(areas[Area.MOUTH] + areas[Area.CHIN] + areas[Area.CHEEKS], 0, 1)


def nostrils(crop: Image, landmarks: Points) -> Matte:
    """The holes of the nose, which parsers call nose: (S, S) float32 in [0, 1], also beyond their landmarks if dark."""
    box, size = _box(crop), crop.shape[1]
    inside = np.maximum.reduce([polygon_mask(landmarks[list(ring), :2], box) for ring in (RIGHT_NOSTRIL, LEFT_NOSTRIL)])
    reach = 2 * round(_RIM * size) + 1
    around = cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    lightness = _lab(cv2.GaussianBlur(crop, (0, 0), max(0.5, size / 512)))[..., 0]
    nose = region_mask(Region.SKIN, landmarks, box) * area_masks(landmarks, box)[Area.NOSE] > 0.9
    usual = float(np.median(lightness[nose])) if nose.any() else 100.0
    dark = smoothstep(lightness / np.float32(max(usual, 1)), *_NOSTRIL)
    return cv2.GaussianBlur(np.maximum(inside, around * dark), (0, 0), max(0.5, size / 256))


def _lab(image: Image) -> NDArray[np.float32]:
    """CIE L, a, b; L from 0 to 100."""
    return cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)


def _box(crop: Image) -> Box:
    return Box(0, 0, crop.shape[1], crop.shape[0])
