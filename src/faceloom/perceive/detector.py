"""Face detection with BlazeFace (short range), for faces that take a fair share of the picture.

Bazarevsky et al., BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from faceloom.perceive.litert import LiteRtModel, read_bundle
from faceloom.types import Image
from faceloom.weights import Store

_SIZE = 128


@dataclass(frozen=True, eq=False)
class Detection:
    """A face as a detector sees it.

    box        (4,) float32: left, top, right, bottom in frame pixels; may reach outside the frame.
    keypoints  (N, 2) float32 frame pixels, N >= 2. The first two are the eyes: right, then left. BlazeFace goes on with
               nose tip, mouth, right ear, left ear; YuNet with nose tip, right and left corner of the mouth.
    score      in [0, 1].
    """

    box: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    score: float

    @property
    def size(self) -> float:
        """Longer side of the box, pixels."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))


class FaceDetector:
    """BlazeFace: finds faces whose box is about a tenth of the longer side of the picture, or larger.

    store      where the weight ``face_landmarker`` is.
    threshold  least score of a face.
    overlap    boxes with a larger intersection over union are one face; they are averaged, weighted by score.
    """

    weights = ("face_landmarker",)

    def __init__(self, store: Store, *, threshold: float = 0.5, overlap: float = 0.5, threads: int = 1) -> None:
        bundle = read_bundle(store.path("face_landmarker"))
        self._model = LiteRtModel(bundle["face_detector.tflite"], threads)
        self._anchors = _anchors()
        self.threshold = threshold
        self.overlap = overlap

    def detect(self, image: Image) -> list[Detection]:
        """Faces in ``image`` ((H, W, 3) uint8 RGB), best score first."""
        height, width = image.shape[:2]
        side = max(width, height)
        scale, shift_x, shift_y = _SIZE / side, (side - width) / 2, (side - height) / 2
        matrix = np.array([[scale, 0, shift_x * scale], [0, scale, shift_y * scale]])
        letterboxed = cv2.warpAffine(image, matrix, (_SIZE, _SIZE), flags=cv2.INTER_LINEAR)
        np.multiply(letterboxed, 2 / 255, out=self._model.input[0], casting="unsafe")
        self._model.input[0] -= 1.0
        outputs = self._model.run()
        scores = expit(outputs["classificators"][0, :, 0])
        keep = scores >= self.threshold
        points = self._decode(outputs["regressors"][0][keep], self._anchors[keep]) * side - (shift_x, shift_y)
        return [_detection(mean, score) for mean, score in _weighted_suppression(points, scores[keep], self.overlap)]

    @staticmethod
    def _decode(raw: NDArray[np.float32], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(K, 16) regressions to (K, 8, 2) points in [0, 1]: top-left, bottom-right, six keypoints."""
        pairs = raw.reshape(-1, 8, 2) / _SIZE
        centre, half = pairs[:, 0] + anchors, pairs[:, 1] / 2
        box = np.stack([centre - half, centre + half], axis=1)
        return np.concatenate([box, pairs[:, 2:] + anchors[:, None]], axis=1)


def _anchors() -> NDArray[np.float32]:
    """(896, 2) centres in [0, 1]: a 16x16 grid with two anchors a cell, then an 8x8 grid with six; row by row."""
    grids = []
    for cells, repeats in ((16, 2), (8, 6)):
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells
        grids.append(np.repeat(centres, repeats, axis=0))
    return np.concatenate(grids).astype(np.float32)


def _weighted_suppression(
    points: NDArray[np.float32], scores: NDArray[np.float32], overlap: float
) -> list[tuple[NDArray[np.float32], float]]:
    """Merge boxes that overlap the best remaining one: (mean points (8, 2) weighted by score, best score)."""
    order = np.argsort(-scores, kind="stable")
    merged = []
    while len(order):
        same = box_overlaps(points[order[0], :2], points[order, :2]) > overlap
        same[0] = True
        group = order[same]
        merged.append((np.average(points[group], axis=0, weights=scores[group]), float(scores[order[0]])))
        order = order[~same]
    return merged


def box_overlaps(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of one box ((2, 2): top-left, bottom-right) with each of (K, 2, 2)."""
    corner, opposite = np.maximum(box[0], others[:, 0]), np.minimum(box[1], others[:, 1])
    intersection = np.clip(opposite - corner, 0, None).prod(axis=1)
    union = (box[1] - box[0]).prod() + (others[:, 1] - others[:, 0]).prod(axis=1) - intersection
    return intersection / np.maximum(union, np.finfo(np.float32).tiny)


def _detection(points: NDArray[np.float32], score: float) -> Detection:
    points = points.astype(np.float32)
    return Detection(points[:2].reshape(4), points[2:], score)
