"""One pass over a video or portrait: stretches with one face, and frames that a part could be taken from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import MediaError
from faceloom.evaluate.benchmark.cutting import aligned_crop, look_at_crop, parse, parsed_mask
from faceloom.evaluate.benchmark.files import sha256_of
from faceloom.evaluate.benchmark.manifest import Settings, Source, Target
from faceloom.evaluate.benchmark.quality import judge
from faceloom.media import open_clip, read_image
from faceloom.perceive import FaceTracker, Perception, perceive_image
from faceloom.types import Attribute, Crop, Face, Frame, Image
from faceloom.weights import Store

EVERY = 12
"""Frames between two candidates at first; twice as many whenever a video has given ``MOST``."""
MOST = 12
ENOUGH = 4
"""Good candidates after which a video that has given its target is read no further."""


@dataclass(frozen=True)
class ScanJob:
    """A file to look at; ``file`` is ``path`` relative to the folder of its source, with slashes."""

    path: Path
    file: str
    source: Source
    settings: Settings


@dataclass(frozen=True, eq=False)
class Candidate:
    """A frame that parts could be taken from.

    frame      index in the file, None for a portrait.
    embedding  (128,) identity vector.
    quality    by part that passed every filter, the measures of ``quality.judge``.
    """

    frame: int | None
    crop: Crop
    embedding: NDArray[np.float32]
    quality: dict[Attribute, dict[str, float]]


@dataclass(frozen=True, eq=False)
class Scan:
    """What a file holds.

    target      its first stretch that is long enough, cut to the length asked for; None with the reason in ``refused``.
    identity    (128,) unit vector of the person in ``target``.
    candidates  in order of time.
    rejected    candidates that no part can be taken from, and parts that were refused, by reason.
    """

    job: ScanJob
    sha256: str = ""
    target: Target | None = None
    refused: str = ""
    identity: NDArray[np.float32] | None = None
    candidates: list[Candidate] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)


@lru_cache(maxsize=1)
def perception() -> Perception:
    """The networks of this process."""
    return Perception(Store(), threads=1)


def scan(job: ScanJob) -> Scan:
    """Look at one file; one that cannot be read is refused with its reason, never raised."""
    try:
        digest = sha256_of(job.path)
        if job.source == "portraits":
            return _scan_portrait(job, digest)
        return _VideoScan(job, digest).result()
    except MediaError:
        return Scan(job, refused="cannot be read")


def _scan_portrait(job: ScanJob, digest: str) -> Scan:
    result = Scan(job, digest, refused="a picture")
    image = read_image(job.path)
    faces = perceive_image(image, perception(), embeddings=True)
    if len(faces) != 1:
        result.rejected["several faces" if faces else "no face"] += len(job.settings.parts)
        return result
    _add_candidate(result, None, image, faces[0])
    return result


def _add_candidate(result: Scan, frame: int | None, image: Image, face: Face) -> None:
    settings = result.job.settings
    crop = aligned_crop(face.landmarks, settings.size)
    look = None if crop is None else look_at_crop(image, crop, perception())
    if crop is None or look is None:
        result.rejected["no face in the aligned crop"] += len(settings.parts)
        return
    if settings.masks == "parser":
        classes = parse(look, perception().parser)
        covered = {part: parsed_mask(part, look.face.landmarks, classes)[1] for part in settings.parts}
        look = replace(look, covered=covered)
    good: dict[Attribute, dict[str, float]] = {}
    for part in settings.parts:
        used, reason = judge(look, part)
        if reason is None:
            good[part] = used
        else:
            result.rejected[reason] += 1
    if good:
        embedding = perception().embedder.embed(image, face.landmarks)
        result.candidates.append(Candidate(frame, crop, embedding, good))


@dataclass(eq=False)
class _Stretch:
    """Consecutive frames with one and the same face; ``times`` and ``sizes`` of each, and a few identity vectors."""

    track: int
    first: int
    times: list[Fraction] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    embeddings: list[NDArray[np.float32]] = field(default_factory=list)
    after: Fraction | None = None


class _VideoScan:
    """The state of one pass."""

    def __init__(self, job: ScanJob, digest: str) -> None:
        self._scan = Scan(job, digest)
        self._best: _Stretch | None = None
        self._now: _Stretch | None = None
        self._every = EVERY
        self._with_face = False

    def result(self) -> Scan:
        """Read the video (what decodes of it) until it has given all that is needed, and conclude."""
        job = self._scan.job
        tracker = FaceTracker(perception())
        with open_clip(job.path, allow_partial=True) as clip:
            for frame in clip:
                self._see(frame, tracker.update(frame), tracker.new_shot)
                if self._enough():
                    break
            else:
                self._close(None)
            info = clip.info
        return self._conclude((str(info.fps), info.width, info.height))

    def _enough(self) -> bool:
        best, frames = self._best, self._scan.job.settings.min_frames
        # One frame more than the target has: its time is where the target ends.
        return best is not None and len(best.times) > frames and len(self._scan.candidates) >= ENOUGH

    def _long_enough(self) -> bool:
        return self._best is not None and len(self._best.times) >= self._scan.job.settings.min_frames

    def _see(self, frame: Frame, faces: list[Face], new_shot: bool) -> None:
        face = main_face(faces, self._scan.job.settings.second_face)
        self._with_face |= bool(faces)
        now = self._now
        if now is not None and (face is None or new_shot or face.track != now.track):
            self._close(frame.time)
        if face is None:
            return
        if self._now is None:
            self._now = _Stretch(face.track, frame.index)
        self._now.times.append(frame.time)
        self._now.sizes.append(face_side(face))
        if len(self._now.times) > self._scan.job.settings.min_frames and not self._long_enough():
            self._best = self._now
        if (len(self._now.times) - 1) % self._every == 0:
            self._now.embeddings.append(perception().embedder.embed(frame.image, face.landmarks))
            self._candidate(frame, face)

    def _candidate(self, frame: Frame, face: Face) -> None:
        candidates = self._scan.candidates
        _add_candidate(self._scan, frame.index, frame.image, face)
        if len(candidates) >= MOST:
            del candidates[1::2]
            self._every *= 2

    def _close(self, after: Fraction | None) -> None:
        if self._now is None:
            return
        self._now.after = after
        if not self._long_enough() and (self._best is None or len(self._now.times) > len(self._best.times)):
            self._best = self._now
        self._now = None

    def _conclude(self, about: tuple[str, int, int]) -> Scan:
        settings, best, found = self._scan.job.settings, self._best, self._scan
        known = (found.job, found.sha256)
        rest = (found.candidates, found.rejected)
        if best is None:
            return Scan(*known, None, "never one face alone" if self._with_face else "no face", None, *rest)
        frames = settings.min_frames
        if len(best.times) < frames:
            return Scan(*known, None, f"fewer than {frames} consecutive frames with one face", None, *rest)
        size = float(np.mean(best.sizes[:frames]))
        if size < settings.min_face:
            return Scan(*known, None, f"face smaller than {settings.min_face:g} px", None, *rest)
        end = best.times[frames] if len(best.times) > frames else best.after
        target = Target(
            id="",
            file=found.job.file,
            sha256=found.sha256,
            first_frame=best.first,
            frames=frames,
            start=str(best.times[0]),
            end=None if end is None else str(end),
            fps=about[0],
            width=about[1],
            height=about[2],
            face=round(size, 1),
        )
        mean = np.mean(best.embeddings, axis=0)
        return Scan(*known, target, "", (mean / np.linalg.norm(mean)).astype(np.float32), *rest)


def main_face(faces: list[Face], second_face: float) -> Face | None:
    """The one face of a frame: None if there is none, or another one larger than ``second_face`` of its side."""
    by_size = sorted(faces, key=face_side, reverse=True)
    if not by_size or (len(by_size) > 1 and face_side(by_size[1]) > second_face * face_side(by_size[0])):
        return None
    return by_size[0]


def face_side(face: Face) -> float:
    """Mean side of the face's box, pixels."""
    return 0.5 * (face.box.width + face.box.height)
