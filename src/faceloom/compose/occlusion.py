"""Leave what lies in front of a face where it is."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from faceloom.types import Box, Matte, Patch


def behind(patch: Patch, box: Box, occluder: Matte) -> Patch:
    """The patch with its matte taken back where something lies in front of the face.

    Args:
        patch: an edited crop.
        box: frame pixels that ``occluder`` covers; beyond it nothing is in front.
        occluder: (h, w) float32 in [0, 1] over ``box``; 1 keeps the target's own pixels.
    """
    if not box.area or not occluder.any():
        return patch
    to_crop = patch.crop.matrix.copy()
    to_crop[:, 2] += to_crop[:, :2] @ np.array([box.left, box.top], np.float64)
    cover = cv2.warpAffine(occluder, to_crop, (patch.crop.width, patch.crop.height), flags=cv2.INTER_LINEAR)
    return replace(patch, matte=patch.matte * (1 - cover))
