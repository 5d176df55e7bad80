"""Turning a portrait in depth: a smooth head surface from landmarks, rotated and re-sampled backwards."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from example_clip.curves import smoothstep
from faceloom.geometry.topology import FACE_OVAL

_GRID = 96
_ITERATIONS = 24
_DAMPING = 0.5
_FOREHEAD, _CHIN, _RIGHT_EYE, _LEFT_EYE = 10, 152, 33, 263


@dataclass(frozen=True)
class Pose:
    """Head rotation in degrees about the neck: yaw towards the subject's left, pitch down, roll clockwise."""

    yaw: float
    pitch: float
    roll: float


class HeadTurner:
    """Rotates the head of one square portrait; shoulders and background stay where they are.

    landmarks  (478, 3) pixels of the portrait at its own size, z in the unit of x, negative towards the camera.
    size       side of the portrait, pixels.

    The surface is a thin-plate spline through the landmarks' depth and an ellipse of silhouette points around the
    head. Pixels move with it by ``weight``: 1 on the head, falling to 0 down the neck and into the background.
    """

    def __init__(self, landmarks: NDArray[np.floating], size: int) -> None:
        self._size = size
        oval = landmarks[list(FACE_OVAL)]
        chin, forehead = landmarks[_CHIN], landmarks[_FOREHEAD]
        height = float(chin[1] - forehead[1])
        half_width = float(np.ptp(oval[:, 0])) / 2
        top = forehead[1] - 0.30 * height
        self._centre = np.array([(oval[:, 0].min() + oval[:, 0].max()) / 2, (top + chin[1]) / 2])
        self._radii = np.array([half_width * 1.14, (chin[1] - top) / 2])
        self._back = float(oval[:, 2].max()) + 0.25 * half_width
        self._pivot = np.array([self._centre[0], chin[1] - 0.05 * height, self._back])
        self._focal = 9.0 * float(np.linalg.norm(landmarks[_RIGHT_EYE, :2] - landmarks[_LEFT_EYE, :2]))
        self._depth = self._surface(landmarks)
        self._weight = self._stiffness(float(chin[1]), height)

    def render(self, image: NDArray[np.uint8], pose: Pose, size: int) -> NDArray[np.uint8]:
        """The portrait ((S, S, 3) uint8) with its head turned, as a ``size`` x ``size`` picture."""
        scale = self._size / size
        axis = (np.arange(size) + 0.5) * scale - 0.5
        target = np.stack(np.meshgrid(axis, axis), axis=-1).astype(np.float32)
        source = target.copy()
        rotation = _rotation(pose)
        for _ in range(_ITERATIONS):
            source -= _DAMPING * (source + self._shift(source, rotation) - target)
        blurred = cv2.GaussianBlur(image, (0, 0), 0.28 * scale)
        return cv2.remap(blurred, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)

    def _shift(self, points: NDArray[np.float32], rotation: NDArray[np.float64]) -> NDArray[np.float32]:
        """How far each source pixel travels, (H, W, 2) pixels."""
        depth, weight = self._sample(self._depth, points), self._sample(self._weight, points)
        solid = np.dstack([points, depth]) - self._pivot
        moved = solid @ rotation.T
        moved = moved[..., :2] * (self._focal / (self._focal + moved[..., 2:] - solid[..., 2:]))
        return ((moved - solid[..., :2]) * weight[..., None]).astype(np.float32)

    @staticmethod
    def _sample(field: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
        return cv2.remap(field, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def _surface(self, landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        ring = np.column_stack([np.cos(angle), np.sin(angle)])
        anchors = np.concatenate([self._centre + self._radii * ring * factor for factor in (1.05, 1.3, 1.7)])
        anchors = anchors[anchors[:, 1] < self._centre[1]]
        # Below the ears the surface runs from the jaw back to the neck.
        jaw = landmarks[[i for i in FACE_OVAL if landmarks[i, 1] > self._centre[1]], :2]
        anchors = np.concatenate([anchors, *(self._centre + (jaw - self._centre) * f for f in (1.3, 1.6, 2.2))])
        points = np.concatenate([landmarks[:468, :2], anchors])
        depth = np.concatenate([landmarks[:468, 2], np.full(len(anchors), self._back)])
        spline = RBFInterpolator(points / self._size, depth, neighbors=120, smoothing=5e-3)
        axis = (np.arange(_GRID) + 0.5) / _GRID
        grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        coarse = np.minimum(spline(grid), self._back).reshape(_GRID, _GRID).astype(np.float32)
        coarse = cv2.GaussianBlur(coarse, (0, 0), 1.8)
        return cv2.resize(coarse, (self._size, self._size), interpolation=cv2.INTER_CUBIC)

    def _stiffness(self, chin: float, height: float) -> NDArray[np.float32]:
        y, x = np.mgrid[: self._size, : self._size].astype(np.float32)
        radius = np.hypot((x - self._centre[0]) / self._radii[0], (y - self._centre[1]) / self._radii[1])
        around = 1 - smoothstep((radius - 1.08) / 0.75)
        # The silhouette ellipse ends at the chin; the neck below follows the head less and less.
        column = 1 - smoothstep((np.abs(x - self._centre[0]) / self._radii[0] - 0.75) / 0.6)
        neck = column * (1 - smoothstep((y - chin) / (0.42 * height)))
        weight = np.maximum(around * (1 - smoothstep((y - chin) / (0.42 * height))), neck * (y > self._centre[1]))
        return cv2.GaussianBlur(weight.astype(np.float32), (0, 0), self._size / 64)


def _rotation(pose: Pose) -> NDArray[np.float64]:
    """Rotation in image axes: x right, y down, z away from the camera."""
    yaw, pitch, roll = np.radians([pose.yaw, pose.pitch, pose.roll])
    about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y
