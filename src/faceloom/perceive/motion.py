"""How the skin under every landmark moves from frame to frame, by optical flow, and landmarks that follow it.

Landmarks are right on average but lag and slide by a pixel or so from frame to frame; flow is exact from frame to
frame but drifts. Each corrects the other's weakness: motion comes from the flow, position from the landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceloom.geometry import masks
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale
from faceloom.perceive.flow import FlowPreset, OpticalFlow
from faceloom.perceive.temporal_filter import run_ids
from faceloom.types import Face, Image

FOLLOW_SUPPORT = 6
"""Frames on each side that a landmark's position is averaged over, along the motion."""
_SIGMA = 4.0
_LONGEST = 160
"""Pixels: the longer side of the face at which flow is computed."""
_AGREE, _DISAGREE = 0.025, 0.06
"""Difference between a landmark's step and the flow's, in inter-ocular distances per frame, up to which the flow is
believed and from which the landmark is (a closing lid, a lip that uncovers teeth: the skin seen is not the same)."""
_NEAR, _FAR = 0.03, 0.06
"""Distance between a landmark and where another frame's landmark has moved to, in inter-ocular distances, up to which
that frame counts in full and from which it does not."""
_EDGE_TOLERANCE = 0.22
"""What lids, lips and irises are allowed of these four."""
_BROW_TOLERANCE = 1.5
"""What eyebrows are, which no edge holds along their own length. Measured on a hard clip: the warping error of new
brows is 1.12 of the target's at 1, 1.07 at 1.5."""


class MotionMeter:
    """Optical flow under the landmarks of every face of a clip; give it every frame in order."""

    def __init__(self) -> None:
        # Half the time of the preset, at the same warping error of an edit.
        self._flow = OpticalFlow(FlowPreset.MEDIUM, patch_stride=5, refinements=1)
        self._image: Image | None = None
        self._faces: dict[int, Face] = {}

    def update(self, image: Image, faces: Sequence[Face], new_shot: bool = False) -> dict[int, NDArray[np.float32]]:
        """Displacements from the frame before to this one, by track id.

        Args:
            image: (H, W, 3) uint8 RGB.
            faces: the faces in it, with track ids.
            new_shot: True where nothing is to be compared with the frame before.

        Returns:
            (478, 2) float32 frame pixels for each face that is in both frames: how far what was under each of the
            landmarks of the frame before has moved.
        """
        before, known = self._image, {} if new_shot else self._faces
        self._image, self._faces = image, {face.track: face for face in faces}
        if before is None or before.shape != image.shape:
            return {}
        return {
            track: self._measure(before, image, known[track], face)
            for track, face in self._faces.items()
            if track in known
        }

    def _measure(self, before: Image, image: Image, old: Face, new: Face) -> NDArray[np.float32]:
        box = old.box.union(new.box).pad(4).clip(image.shape[1], image.shape[0])
        if min(box.width, box.height) < 16:
            return np.zeros((len(old.landmarks), 2), np.float32)
        scale = min(1.0, _LONGEST / max(box.width, box.height))
        size = (max(16, round(box.width * scale)), max(16, round(box.height * scale)))
        first, second = (
            cv2.resize(cv2.cvtColor(picture[box.slices], cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
            for picture in (before, image)
        )
        flow = self._flow.flow(first, second)
        ratio = np.array([box.width / size[0], box.height / size[1]], np.float32)
        # Resizing keeps the borders of the box, so pixel centres move by half a pixel each way.
        where = (old.landmarks[:, :2] - (box.left, box.top) + 0.5) / ratio - 0.5
        where = where.astype(np.float32)
        sampled = cv2.remap(
            flow, where[None, :, 0], where[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return sampled[0] * ratio


def follow_motion(
    landmarks: NDArray[np.float32],
    valid: ArrayLike,
    motion: NDArray[np.float32],
    times: Sequence[float] | None = None,
) -> NDArray[np.float32]:
    """Landmarks whose steps are those of the flow and whose place is their own, averaged along the motion.

    Zero phase; frame t depends on ``FOLLOW_SUPPORT`` frames on each side and on nothing else, whatever the window.

    Args:
        landmarks: (T, 478, 3) frame pixels.
        valid: (T,) bool; other frames are returned as they are and separate what is before from what is after.
        motion: (T, 478, 2) displacement of each landmark's skin from frame t - 1 to t; NaN where unknown.
        times: (T,) presentation times in seconds; long pauses separate too.

    Returns:
        (T, 478, 3) float32; z is left as it is.
    """
    good = np.asarray(valid, bool)
    output = landmarks.astype(np.float32)
    if not good.any():
        return output
    runs = run_ids(good, None, times)
    place = np.where(good[:, None, None], landmarks[..., :2], 0).astype(np.float64)
    scale = np.array([face_scale(points) if ok else 1.0 for points, ok in zip(landmarks, good, strict=True)])[:, None]
    steady = _follow(place, motion.astype(np.float64), runs, scale * _TOLERANCE)
    for anchors, edges in _EDGES:
        # Lids and lips close over what the flow follows. So they are steadied relative to the skin that carries
        # them, and only as far as they agree with the flow much better than skin has to.
        origin = place[:, anchors].mean(axis=1, keepdims=True)
        carried = motion[:, anchors].astype(np.float64).mean(axis=1, keepdims=True)
        local = _follow(place[:, edges] - origin, motion[:, edges] - carried, runs, scale * _EDGE_TOLERANCE)
        steady[:, edges] = local + steady[:, anchors].mean(axis=1, keepdims=True)
    output[good, :, :2] = steady[good]
    return output


def _follow(
    place: NDArray[np.float64], motion: NDArray[np.float64], runs: NDArray[np.int64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Positions (T, N, 2) averaged along the motion; ``scale`` (T, N or 1) is what tolerances are shares of."""
    step = _believed_steps(place, motion, scale)
    total, weight = place.copy(), np.ones(place.shape[:2])
    for direction in (1, -1):
        path = np.zeros_like(place)
        for offset in range(1, FOLLOW_SUPPORT + 1):
            there, same = _shifted(place, runs, direction * offset)
            # The step into frame u is step[u]: forwards it is added on the way there, backwards it is undone.
            path += direction * _shifted(step, runs, offset if direction > 0 else 1 - offset)[0]
            moved = there - path
            apart = (np.linalg.norm(moved - place, axis=-1) / scale).astype(np.float32)
            share = np.exp(-0.5 * (offset / _SIGMA) ** 2) * masks.smoothstep(apart, _FAR, _NEAR)
            share = np.where(same[:, None], share, 0.0)
            total += share[..., None] * np.where(same[:, None, None], moved, 0.0)
            weight += share
    averaged: NDArray[np.float64] = total / weight[..., None]
    return averaged


def _believed_steps(
    place: NDArray[np.float64], motion: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(T, N, 2) step into each frame: the flow's where it is near the landmark's own, else the landmark's."""
    own = np.zeros_like(place)
    own[1:] = place[1:] - place[:-1]
    difference = np.where(np.isfinite(motion), motion - own, 0.0)
    apart = (np.linalg.norm(difference, axis=-1) / scale).astype(np.float32)
    trust = masks.smoothstep(apart, _DISAGREE, _AGREE)
    believed: NDArray[np.float64] = own + trust[..., None] * difference
    return believed


def _shifted(
    values: NDArray[np.float64], runs: NDArray[np.int64], offset: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """``values`` of the frame ``offset`` away, and whether that frame exists in the same run."""
    index = np.arange(len(values)) + offset
    inside = (index >= 0) & (index < len(values))
    index = index.clip(0, len(values) - 1)
    same = inside & (runs[index] == runs) & (runs >= 0)
    return values[index], same


_EDGES: tuple[tuple[list[int], list[int]], ...] = (
    (
        [*t.LEFT_EYE_CORNERS, *t.LEFT_UNDER_BROW, *t.LEFT_UNDER_EYE, *t.LEFT_LOWER_LID_SKIN],
        [*t.LEFT_EYE_RING, *t.LEFT_IRIS],
    ),
    (
        [*t.RIGHT_EYE_CORNERS, *t.RIGHT_UNDER_BROW, *t.RIGHT_UNDER_EYE, *t.RIGHT_LOWER_LID_SKIN],
        [*t.RIGHT_EYE_RING, *t.RIGHT_IRIS],
    ),
    ([*t.UPPER_LIP_OUTER, *t.UPPER_LIP_SKIN], [*t.UPPER_LIP_MIDDLE, *t.UPPER_LIP_INNER]),
    ([*t.LOWER_LIP_OUTER, *t.LOWER_LIP_SKIN], [*t.LOWER_LIP_MIDDLE[1:-1], *t.LOWER_LIP_INNER[1:-1]]),
)
"""Skin that carries an edge of the face, and the edge."""

_BROWS = [*t.LEFT_EYEBROW_UPPER, *t.LEFT_EYEBROW_LOWER, *t.RIGHT_EYEBROW_UPPER, *t.RIGHT_EYEBROW_LOWER]
_TOLERANCE: NDArray[np.float64] = np.where(np.isin(np.arange(478), _BROWS), _BROW_TOLERANCE, 1.0)
"""(478,) each landmark's share of the four tolerances."""
