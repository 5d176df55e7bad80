"""What the tracker remembers of each person: motion while in sight, and running statistics for ever."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from faceloom.perceive.association import face_size, landmark_box
from faceloom.types import Face, Frame, Track

_NEVER = -(10**9)
_SLOW = 0.05
"""Speed in face sizes a frame below which the next region is the last one."""


@dataclass(eq=False)
class Motion:
    """Where a face was last, and how it moves.

    landmarks  (478, 3) float32 of the last frame it was seen in, frame pixels.
    seen       index of that frame, counted from the first frame given to the tracker; ``born``: of the first one.
    check      index of the frame in which its identity is to be checked next.
    watched    index of the last frame in which another face may hide behind this one; until then the identity is
               checked every few frames and nothing is learnt from its look.
    embedding  of the last frame, if it was needed there.
    strikes    checks in a row in which the face did not look like the person.
    doubtful   True from meeting another face until the identity has been checked.
    """

    landmarks: NDArray[np.float32]
    confidence: float
    seen: int
    check: int = 0
    velocity: NDArray[np.float32] = field(default_factory=lambda: np.zeros(2, np.float32))
    strikes: int = 0
    doubtful: bool = False
    watched: int = _NEVER
    embedding: NDArray[np.float32] | None = None
    born: int = field(init=False)

    def __post_init__(self) -> None:
        self.born = self.seen

    def watched_in(self, index: int) -> bool:
        """True in every third frame of the time in which the face is watched."""
        return index <= self.watched and (self.watched - index) % 3 == 0

    @property
    def predicted(self) -> NDArray[np.float32]:
        """The landmarks one frame later: where they are, and at constant velocity for a face that moves fast.

        The network's answer leans a little towards the region it is shown, so the region follows the small changes of
        velocity, which are mostly noise, only when staying behind would cost more.
        """
        if float(np.hypot(*self.velocity)) < _SLOW * face_size(self.landmarks):
            return self.landmarks
        moved = self.landmarks.copy()
        moved[:, :2] += self.velocity
        return moved

    def move(self, landmarks: NDArray[np.float32], confidence: float, index: int) -> None:
        """Take the landmarks of frame ``index``."""
        if index == self.seen + 1:
            step = landmarks[:, :2].mean(axis=0) - self.landmarks[:, :2].mean(axis=0)
            limit = 0.5 * face_size(landmarks)
            self.velocity = np.clip(step, -limit, limit).astype(np.float32)
        else:
            self.velocity = np.zeros(2, np.float32)
        self.landmarks, self.confidence, self.seen = landmarks, confidence, index
        self.embedding = None


@dataclass(eq=False)
class Statistics:
    """Running statistics of one person: constant memory, however long the clip."""

    first: Fraction
    last: Fraction
    frames: int = 0
    last_index: int = _NEVER
    _size_sum: float = 0.0
    _best_score: float = -1.0
    _best_frame: int = 0

    def add(self, face: Face, frame: Frame, index: int) -> None:
        """Count ``face``, seen in ``frame``."""
        left, top, right, bottom = landmark_box(face.landmarks)
        side = float(right - left + bottom - top) / 2
        self.last, self.last_index = frame.time, index
        self.frames += 1
        self._size_sum += side
        score = side * _frontality(face.pose) ** 2
        if score > self._best_score:
            self._best_score, self._best_frame = score, frame.index

    def track(self, person: int) -> Track:
        """The summary so far."""
        return Track(person, self.first, self.last, self.frames, self._size_sum / self.frames, self._best_frame)


def _frontality(pose: NDArray[np.float64]) -> float:
    """Cosine of the angle between the face's outward axis and the camera's, 0 for faces turned away."""
    outward = pose[:3, 2]
    return max(0.0, float(outward[2] / max(1e-9, float(np.linalg.norm(outward)))))
