"""The face of a clip: found frame by frame, steadied, and the region that an edit of a part may change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from faceloom.evaluate.benchmark.scan import face_side
from faceloom.evaluate.metrics.regions import edit_region
from faceloom.perceive import FaceTracker, Perception, smooth_faces
from faceloom.types import Attribute, Face, Frame, Image, Points


def follow(frames: Iterable[Frame], perception: Perception) -> list[Face | None]:
    """The face of the person who is largest over the whole clip, in each frame; None where not found. As measured."""
    tracker = FaceTracker(perception)
    seen = [tracker.update(frame) for frame in frames]
    sizes: dict[int, float] = {}
    for face in (face for faces in seen for face in faces):
        sizes[face.track] = sizes.get(face.track, 0.0) + face_side(face)
    if not sizes:
        return [None] * len(seen)
    main = max(sizes, key=lambda track: sizes[track])
    return [next((face for face in faces if face.track == main), None) for faces in seen]


def measure(pictures: Iterable[Image], fps: Fraction, perception: Perception) -> list[Face | None]:
    """The face in each picture of an exported clip, found in it and nothing else."""
    return follow((Frame(index, index / fps, picture) for index, picture in enumerate(pictures)), perception)


def steady(faces: list[Face | None], times: list[float]) -> list[Face | None]:
    """Landmarks without jitter (``perceive.smooth_faces``)."""
    return smooth_faces(faces, times)


def region_masks(part: Attribute, landmarks: Sequence[Points | None], size: int) -> Iterator[NDArray[np.uint8]]:
    """(size, size) uint8 per frame, 255 where an edit of the part may show, 0 where it may not.

    ``metrics.regions.edit_region`` of the target's steadied landmarks: the same for every method, so that none gains by
    a small matte. In frames without a face, the nearest frame that has one counts.
    """
    known = [index for index, points in enumerate(landmarks) if points is not None]
    for index in range(len(landmarks)):
        points = landmarks[min(known, key=lambda one: abs(one - index))]
        assert points is not None
        yield edit_region(part, points, size, size).astype(np.uint8) * 255
