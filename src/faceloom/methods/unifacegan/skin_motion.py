"""How skin moves through a driving clip, from its pixels: to a fraction of what landmarks err by.

A landmark network places every landmark where such a landmark usually lies; on a head that turns or an expression that
changes it slides over the skin. What drives a face is how the skin moves, so landmarks are corrected by it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.geometry.similarity import fit_similarity, transform
from faceloom.types import Image, Points

_TRACKED = (
    151, 9, 8, 104, 333, 69, 299, 108, 337, 168, 6, 197, 195, 5, 4, 1, 2, 98, 97, 326, 327, 64, 294, 129, 358, 198, 420,
    49, 279, 50, 280, 101, 330, 205, 425, 187, 411, 36, 266, 117, 346, 147, 376, 192, 416, 199, 200, 175, 18, 61, 291,
    *t.LEFT_EYEBROW_UPPER, *t.RIGHT_EYEBROW_UPPER, *t.LEFT_EYEBROW_LOWER, *t.RIGHT_EYEBROW_LOWER,
    *t.UPPER_LIP_OUTER[1:-1], *t.LOWER_LIP_OUTER[1:-1],
)  # fmt: skip
"""Landmarks on skin that neither opens nor shuts."""
_SIZE = 100.0
"""Distance between the eyes, pixels, at which skin is compared."""
_PATCH = 0.2
"""Side of the patches compared, distances between the eyes."""
_FARTHEST, _RETURN = 0.06, 0.015
"""Largest correction believed, and by how much a patch may miss where it set out when it is followed back, the same
unit."""
_NEAR, _DOUBT = 0.12, 0.5
"""Deviation of the Gaussian with which corrections count for their surroundings, the same unit; and what it counts that
there may be none."""


class SkinMotion:
    """Compares pictures of a face with the first of them."""

    def __init__(self, image: Image, landmarks: Points) -> None:
        """image  (h, w, 3) uint8; landmarks  (478, 2 or 3) its pixels."""
        points = np.asarray(landmarks, np.float64)
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        zoom, margin = _SIZE / face_scale(points), 0.3 * face_scale(points)
        matrix = np.column_stack([zoom * np.eye(2), zoom * (margin - low)])
        self._size = (int(zoom * (high - low + 2 * margin)[0]), int(zoom * (high - low + 2 * margin)[1]))
        self._points = transform(matrix, points)
        self._detail = _detail(image, matrix, self._size)
        self._tracked = self._points[list(_TRACKED)].astype(np.float32)[:, None]
        away = ((self._points[:, None] - self._points[None, list(_TRACKED)]) ** 2).sum(axis=-1)
        self._near = np.exp(-0.5 * away / (_NEAR * _SIZE) ** 2)

    def correction(self, image: Image, landmarks: Points) -> NDArray[np.float64]:
        """(478, 2) pixels of ``image``: from ``landmarks`` (478, 2 or 3) to the skin on which they lay at first.

        Lucas and Kanade, An iterative image registration technique, 1981, both ways; smooth over the face, and nothing
        where patches are not found again.
        """
        points = np.asarray(landmarks, np.float64)[:, :2]
        rigid = list(t.RIGID_POINTS)
        matrix = fit_similarity(points[rigid], self._points[rigid])
        detail = _detail(image, matrix, self._size)
        guess = transform(matrix, points[list(_TRACKED)]).astype(np.float32)[:, None]
        found, ok = _follow(self._detail, detail, self._tracked, guess)
        back, again = _follow(detail, self._detail, found, self._tracked)
        off = (found - guess)[:, 0].astype(np.float64)
        lost = np.linalg.norm((back - self._tracked)[:, 0], axis=1) > _RETURN * _SIZE
        good = ok & again & ~lost & (np.linalg.norm(off, axis=1) < _FARTHEST * _SIZE)
        weights = self._near * good
        mean = (weights @ off) / (weights.sum(axis=1, keepdims=True) + _DOUBT)
        corrected: NDArray[np.float64] = mean @ np.linalg.inv(matrix[:, :2]).T
        return corrected


def _detail(image: Image, matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w) uint8, ``image`` moved by ``matrix`` without slow changes of light."""
    grey = cv2.warpAffine(
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    slow = cv2.GaussianBlur(grey, (0, 0), 0.15 * _SIZE)
    detail: NDArray[np.uint8] = np.clip(128 + 96 * (grey - slow) / (slow + 16), 0, 255).astype(np.uint8)
    return detail


def _follow(
    before: NDArray[np.uint8], after: NDArray[np.uint8], points: NDArray[np.float32], guess: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(N, 1, 2) where patches around ``points`` of ``before`` lie in ``after``, and (N,) whether they were found."""
    side = int(_PATCH * _SIZE) | 1
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        points,
        guess.copy(),
        winSize=(side, side),
        maxLevel=0,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        minEigThreshold=1e-4,
    )
    return found, status[:, 0] > 0
