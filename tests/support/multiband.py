"""What the tests of multiband share: which portrait is which, one-frame clips, how much a picture changed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from faceloom.types import Attribute, Box, Frame, Image

WHOLE = Box(0, 0, 512, 512)
CORAL, SMILING, CLOSED, GREEN_EYED = "person_17", "person_03", "person_05", "person_04"
EVERYTHING = (Attribute.NOSE, Attribute.MOUTH, Attribute.EYEBROWS, Attribute.EYES)


def still(image: Image) -> Frame:
    return Frame(0, Fraction(0), image)


def change(before: Image, after: Image) -> np.ndarray:
    return np.abs(after.astype(int) - before).max(axis=2)
