"""What a face does through a driving clip: read once, kept in a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from faceloom.errors import FaceError, MediaError
from faceloom.media import ClipInfo, open_clip
from faceloom.perceive import Perception
from faceloom.perceive.motion import MotionMeter
from faceloom.perceive.tracker import FaceTracker
from faceloom.run.ahead import ahead
from faceloom.run.select import Selector
from faceloom.run.windows import Seen, scenes
from faceloom.types import Attribute, Crop, Face, Frame, Glimpse, Image, Source

DRIVING = frozenset({Attribute.POSE, Attribute.EXPRESSION, Attribute.GAZE})
"""Attributes that change from frame to frame, so that a clip can give them."""
_LENGTH = 16
_MARGIN = 0.35
"""Room around a face, in widths of its box: for the networks that look at it again."""
_LARGEST = 512
"""Side in pixels above which a face is kept reduced."""
_QUALITY = 95
_FLAT = 478 * 3 + 52 + 16 + 1
"""Numbers of a face besides its picture."""


class ClipPerformance:
    """The steadied face of one person in every frame of a clip.

    About 40 kB a frame, in a temporary file without a name, so that memory does not grow with the clip.

    times  presentation times of the frames, seconds; ``lost`` of them do not show the face.
    """

    def __init__(self) -> None:
        self.times: list[Fraction] = []
        self._spans: list[tuple[int, int] | None] = []
        self._crops: list[Crop | None] = []
        # Lives as long as the object.
        self._file = tempfile.TemporaryFile(prefix="faceloom-")  # noqa: SIM115

    @property
    def lost(self) -> int:
        """Frames that do not show the face."""
        return sum(span is None for span in self._spans)

    def add(self, frame: Frame, face: Face | None) -> None:
        """Append a frame of the clip."""
        self.times.append(frame.time)
        glimpse = None if face is None else _cut(frame.image, face)
        self._crops.append(None if glimpse is None else glimpse.crop)
        self._spans.append(None if glimpse is None else self._keep(glimpse))

    def glimpse(self, index: int) -> Glimpse | None:
        """See ``types.Performance``."""
        span, crop = self._spans[index], self._crops[index]
        if span is None or crop is None:
            return None
        self._file.seek(span[0])
        content = self._file.read(span[1])
        numbers = np.frombuffer(content, np.float64, _FLAT)
        coded = np.frombuffer(content, np.uint8, offset=8 * _FLAT)
        image = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
        landmarks, blendshapes, pose = np.split(numbers[:-1], [478 * 3, 478 * 3 + 52])
        face = Face(
            landmarks.reshape(478, 3).astype(np.float32),
            blendshapes.astype(np.float32),
            pose.reshape(4, 4).copy(),
            float(numbers[-1]),
        )
        return Glimpse(image, face, crop)

    def _keep(self, glimpse: Glimpse) -> tuple[int, int]:
        face = glimpse.face
        numbers = [*face.landmarks.ravel(), *face.blendshapes, *face.pose.ravel(), face.confidence]
        good, coded = cv2.imencode(".jpg", glimpse.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not good:
            raise MediaError("the face of a driving clip cannot be kept; check the free space for temporary files")
        content = np.array(numbers, np.float64).tobytes() + coded.tobytes()
        start = self._file.seek(0, 2)
        self._file.write(content)
        return start, len(content)


def read_performance(path: Path, perception: Perception) -> tuple[Source, list[str]]:
    """The most prominent face of a clip, as a source that drives, and what a person should know about it.

    Raises ``MediaError`` when the clip cannot be read, ``FaceError`` when nobody is seen in it.
    """
    performance, selector, first = ClipPerformance(), Selector("largest"), None
    with open_clip(path, allow_partial=True) as clip:
        seen = ahead(_perceive(clip, perception), depth=_LENGTH)
        try:
            for scene in scenes(seen, _LENGTH, 0):
                chosen = selector.choose(scene)
                for index in range(*scene.window.core.indices(len(scene.window.frames))):
                    face = scene.tracks[chosen[0]][index] if chosen else None
                    performance.add(scene.window.frames[index], face)
                    if first is None and face is not None:
                        first = len(performance.times) - 1
        finally:
            seen.close()
    glimpse = None if first is None else performance.glimpse(first)
    if glimpse is None:
        raise FaceError(f"{path}: no face was found in this driving clip; use one that shows a face from the front")
    remarks = []
    if clip.truncated:
        remarks.append(f"{path}: this driving clip is damaged; its first {len(performance.times)} frames are used")
    if performance.lost:
        lost, total = performance.lost, len(performance.times)
        remarks.append(
            f"{path}: the face is lost in {lost} of {total} frames of this driving clip; the last look holds"
        )
    return Source(path, glimpse.image, glimpse.face, performance), remarks


def compare_lengths(source: Source, target: ClipInfo) -> list[str]:
    """What becomes of a driving clip that does not last as long as the video ``target``, in words."""
    if source.performance is None or target.kind != "video" or not target.duration:
        return []
    times = source.performance.times
    step = (times[-1] - times[0]) / max(1, len(times) - 1)
    lasts, wanted = float(times[-1] - times[0] + step), float(target.duration)
    if abs(lasts - wanted) <= 0.5:
        return []
    what = "its last look holds to the end" if lasts < wanted else "its end is not used"
    return [f"{source.path}: this driving clip lasts {lasts:.2f} s and the target {wanted:.2f} s; {what}"]


def _perceive(frames: Iterator[Frame], perception: Perception) -> Iterator[Seen]:
    tracker, meter = FaceTracker(perception), MotionMeter()
    for frame in frames:
        faces = tracker.update(frame)
        yield Seen(frame, tuple(faces), meter.update(frame.image, faces, tracker.new_shot), tracker.new_shot)


def _cut(image: Image, face: Face) -> Glimpse | None:
    """The face and what is around it, reduced if it is large; None where it lies outside the picture."""
    box = face.box.pad(round(_MARGIN * max(face.box.width, face.box.height))).clip(image.shape[1], image.shape[0])
    if not box.area:
        return None
    factor = min(1.0, _LARGEST / max(box.width, box.height))
    size = (max(1, round(box.width * factor)), max(1, round(box.height * factor)))
    ratio = np.array([size[0] / box.width, size[1] / box.height])
    # Pixel centres are at integers: a reduced pixel's centre lies in the middle of those it is made of.
    shift = 0.5 * (ratio - 1) - ratio * (box.left, box.top)
    crop = Crop(np.column_stack([np.diag(ratio), shift]), *size)
    landmarks = face.landmarks * np.append(ratio, factor).astype(np.float32)
    landmarks[:, :2] += shift.astype(np.float32)
    cut = cv2.resize(image[box.slices], size, interpolation=cv2.INTER_AREA)
    return Glimpse(cut, replace(face, landmarks=landmarks, embedding=None), crop)
