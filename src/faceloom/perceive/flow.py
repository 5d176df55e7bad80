"""Dense optical flow by inverse search: fast, on the CPU, without weights.

Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016; run by OpenCV.
"""

from __future__ import annotations

from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.types import Image

_LEAST_SIDE = 64  # OpenCV refuses pictures below about 12 pixels and crashes on narrow strips up to 16


class FlowPreset(Enum):
    """How much time to spend; the finer ones follow smaller details."""

    ULTRAFAST = cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST
    FAST = cv2.DISOPTICAL_FLOW_PRESET_FAST
    MEDIUM = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM


class OpticalFlow:
    """Where each pixel of one picture is in another.

    preset        time against detail.
    patch_stride  pixels between the patches that are matched; None for the preset's.
    refinements   variational iterations on each scale; None for the preset's.
    """

    def __init__(
        self, preset: FlowPreset = FlowPreset.MEDIUM, *, patch_stride: int | None = None, refinements: int | None = None
    ) -> None:
        self._method = cv2.DISOpticalFlow.create(preset.value)
        if patch_stride is not None:
            self._method.setPatchStride(patch_stride)
        if refinements is not None:
            self._method.setVariationalRefinementIterations(refinements)

    def flow(self, a: Image, b: Image) -> NDArray[np.float32]:
        """(H, W, 2) float32 displacements from ``a`` to ``b``, pixels.

        a, b  (H, W, 3) uint8 RGB, or (H, W) uint8 grey.

        Convention: what ``a`` shows at ``(x, y)``, ``b`` shows at ``(x + flow[y, x, 0], y + flow[y, x, 1])``. So
        sampling ``b`` at ``grid + flow`` gives ``a``. Raises ``ValueError`` for pictures of different sizes.
        """
        if a.shape[:2] != b.shape[:2]:
            raise ValueError(f"flow needs two pictures of one size, got {a.shape[:2]} and {b.shape[:2]}")
        height, width = a.shape[:2]
        return np.asarray(self._method.calc(_grey(a), _grey(b), None))[:height, :width]


def _grey(image: Image) -> NDArray[np.uint8]:
    """Grey (H, W) of at least the size that the method's image pyramid needs; the border is repeated."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    below, right = (max(0, _LEAST_SIDE - side) for side in grey.shape)
    if below or right:
        grey = cv2.copyMakeBorder(grey, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(grey)
