"""Persistent identities through a clip, frame by frame.

A face is followed by its own landmarks (predicted at constant velocity and measured again); detectors run only for
faces that are not followed yet. Who a face belongs to is decided by its embedding when it appears, when it has met
another face, and now and then on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from faceloom.perceive.association import is_plausible, landmark_box, moved_too_far, overlap, same_place
from faceloom.perceive.discovery import FaceFinder
from faceloom.perceive.gallery import Embedding
from faceloom.perceive.identification import DOUBT, RECOGNISED, Identifier
from faceloom.perceive.senses import Senses
from faceloom.perceive.shots import ShotDetector
from faceloom.perceive.track_state import Motion, Statistics
from faceloom.types import Face, Frame, Image, Points, Track

_SEARCH = 15
"""Frames after a loss in which the face is sought in every frame."""
_PATIENCE = 30
"""Frames after a loss in which a face that touches another one must be recognised; it is no new person."""
_TOUCH = 0.02
"""Overlap of boxes from which two faces touch."""
_FIRST_CHECKS = (5, 15)
"""Age in frames at which a new face is embedded again, so that the gallery has a few good looks early."""
_STRIKES = 2
_RETRY = 5


@dataclass(frozen=True)
class TrackerCounts:
    """What a tracker has done so far, for reports."""

    frames: int = 0
    frames_without_face: int = 0
    shots: int = 0
    searches: int = 0
    embeddings: int = 0


class FaceTracker:
    """Follows the faces of one clip; give it every frame in order.

    perception   detectors, landmarks, embeddings: a ``Perception``.
    max_faces    most faces followed at a time; the largest are taken first.
    redetect     frames between searches for new faces while all known ones are in sight.
    refresh      frames between two looks at the identity of a face that is followed.
    confidence   landmark confidence below which a followed face is lost.
    capacity     people remembered; beyond it the one seen least is forgotten, so memory is bounded.

    Track ids start at 1, the largest face of the first frame first, and are never used for someone else. A face that
    is lost is absent from the result: nothing is extrapolated. The same frames give the same result. Not safe to
    share between threads.
    """

    def __init__(
        self,
        perception: Senses,
        *,
        max_faces: int = 8,
        redetect: int = 15,
        refresh: int = 50,
        confidence: float = 0.5,
        capacity: int = 256,
    ) -> None:
        if min(max_faces, redetect, refresh, capacity) < 1:
            raise ValueError("max_faces, redetect, refresh and capacity must be >= 1")
        self._landmarker, self._embedder = perception.landmarker, perception.embedder
        self._finder = FaceFinder(perception.detector, perception.yunet, perception.landmarker)
        self._shots = ShotDetector()
        self._identifier = Identifier()
        self._max_faces, self._redetect, self._refresh = max_faces, redetect, refresh
        self._confidence, self._capacity = confidence, capacity
        self._active: dict[int, Motion] = {}
        self._away: dict[int, Motion] = {}
        self._statistics: dict[int, Statistics] = {}
        self._index = -1
        self._shot_start = 0
        self._empty = self._shot_count = self._searches = self._embeddings = 0

    @property
    def new_shot(self) -> bool:
        """True when the last frame given began a shot; the first frame of a clip does."""
        return self._index == self._shot_start

    @property
    def counts(self) -> TrackerCounts:
        """What has been done so far."""
        return TrackerCounts(self._index + 1, self._empty, self._shot_count, self._searches, self._embeddings)

    def tracks(self) -> list[Track]:
        """Everyone seen so far, by id."""
        return [self._statistics[person].track(person) for person in sorted(self._statistics)]

    def update(self, frame: Frame) -> list[Face]:
        """The faces in ``frame``, the next of the clip, by track id."""
        self._index += 1
        image = frame.image
        if self._shots.update(image):
            self._shot_start = self._index
            self._shot_count += 1
            for person in list(self._active):
                self._lose(person)
        self._follow(image)
        self._settle_meetings(image)
        self._check_identities(image)
        self._search(image)
        faces = [self._face(person, frame) for person in sorted(self._active)]
        for face in faces:
            stats = self._statistics.setdefault(face.track, Statistics(frame.time, frame.time))
            stats.add(face, frame, self._index)
        self._empty += not faces
        self._forget_surplus()
        return faces

    def _follow(self, image: Image) -> None:
        """Measure every face in sight anew; lose those that are not there."""
        height, width = image.shape[:2]
        for person, motion in sorted(self._active.items()):
            predicted = motion.predicted
            result = self._landmarker.from_landmarks(image, predicted)
            there = result.confidence >= self._confidence and is_plausible(result.landmarks, width, height)
            if there and not moved_too_far(predicted, result.landmarks):
                motion.move(result.landmarks, result.confidence, self._index)
            else:
                self._lose(person)

    def _lose(self, person: int) -> None:
        self._away[person] = self._active.pop(person)

    def _settle_meetings(self, image: Image) -> None:
        """Two tracks on one face: the one whose person it is stays. Faces that touch are checked when they part."""
        for one, two in combinations(sorted(self._active), 2):
            if one not in self._active or two not in self._active:
                continue
            mine, other = self._active[one], self._active[two]
            if same_place(mine.landmarks, other.landmarks):
                embedding = self._embed(image, mine)
                gallery = self._identifier.gallery
                loser = one if gallery.likeness(one, embedding) < gallery.likeness(two, embedding) else two
                self._lose(loser)
                # The other one is behind this face now, and its landmarks may follow whichever comes out.
                self._active[one + two - loser].watched = self._index + _PATIENCE
            elif overlap(landmark_box(mine.landmarks), landmark_box(other.landmarks)) > _TOUCH:
                for motion in (mine, other):
                    motion.doubtful, motion.check = True, self._index + 1

    def _check_identities(self, image: Image) -> None:
        """Look again at who is who, where a check is due: keep, exchange or rename."""
        contested = []
        for person, motion in sorted(self._active.items()):
            if motion.check > self._index and not motion.watched_in(self._index):
                continue
            certain = self._identifier.gallery.likeness(person, self._embed(image, motion)) >= DOUBT
            motion.strikes = 0 if certain else motion.strikes + 1
            if motion.doubtful or motion.watched >= self._index or motion.strikes >= _STRIKES:
                contested.append(person)
            elif certain:
                self._confirm(person, motion, learn=True)
            else:
                motion.check = self._index + _RETRY
        if contested:
            self._identify(image, contested, [], [])

    def _identify(self, image: Image, named: Sequence[int], found: Sequence[Motion], hidden: Sequence[bool]) -> None:
        """Decide together who the doubtful ``named`` faces and the newly ``found`` ones are."""
        people = [*named, *self._absent()]
        motions = [*(self._active.pop(person) for person in named), *found]
        bonus = np.array([[self._place_bonus(motion, person) for person in people] for motion in motions])
        names = self._identifier.assign(
            [self._embed(image, motion) for motion in motions],
            [*named, *(None for _ in found)],
            people,
            bonus.reshape(len(motions), len(people)),
            [*(False for _ in named), *hidden],
        )
        for name, motion, covered in zip(names, motions, [*(False for _ in named), *hidden], strict=True):
            if name is not None:
                self._active[name] = motion
                self._away.pop(name, None)
                self._confirm(name, motion, learn=not covered and motion.watched < self._index)

    def _confirm(self, person: int, motion: Motion, *, learn: bool) -> None:
        """The face is this person's: learn the look, and put off the next check."""
        gallery = self._identifier.gallery
        if motion.embedding is not None and (learn or person not in gallery):
            gallery.add(person, motion.embedding)
        motion.strikes, motion.doubtful = 0, False
        age = self._index - motion.born
        motion.check = motion.born + next((first for first in _FIRST_CHECKS if first > age), age + self._refresh)

    def _search(self, image: Image) -> None:
        """Find faces that are not followed yet, and name them."""
        wanted, thorough = self._search_plan()
        places = [motion.landmarks for motion in self._active.values()]
        room = self._max_faces - len(places)
        if not wanted or room <= 0:
            return
        self._searches += 1
        results = self._finder.find(image, places, thorough=thorough)[:room]
        if not results:
            return
        found = [Motion(result.landmarks, result.confidence, self._index) for result in results]
        hidden = [self._may_be_hidden(motion, places) for motion in found]
        self._identify(image, self._claimed(image, found), found, hidden)

    def _claimed(self, image: Image, found: Sequence[Motion]) -> list[int]:
        """People in sight whom a newly found face looks like: their track may have slid onto someone else."""
        likeness = self._identifier.gallery.likeness
        embeddings = [self._embed(image, motion) for motion in found]
        return [
            person
            for person in sorted(self._active)
            if any(likeness(person, embedding) >= RECOGNISED for embedding in embeddings)
        ]

    def _search_plan(self) -> tuple[bool, bool]:
        """Whether to search in this frame, and whether for small faces too."""
        in_shot = self._index - self._shot_start
        if not self._active:
            return True, in_shot < _SEARCH or self._index % _RETRY == 0
        lost_lately = self._frames_since_loss() <= _SEARCH
        periodic = in_shot % self._redetect == 0
        return periodic or lost_lately, in_shot % (2 * self._redetect) == 0 or (lost_lately and in_shot % _RETRY == 0)

    def _frames_since_loss(self) -> int:
        """Frames since the last loss of a face in this shot; more than any wait if there was none."""
        losses = [motion.seen for motion in self._away.values() if motion.seen >= self._shot_start]
        return self._index - max(losses) if losses else 10 * _PATIENCE

    def _may_be_hidden(self, motion: Motion, places: Sequence[Points]) -> bool:
        """True for a face that touches another one while someone is missing: perhaps half of that someone."""
        if self._frames_since_loss() > _PATIENCE:
            return False
        box = landmark_box(motion.landmarks)
        return any(overlap(box, landmark_box(place)) > _TOUCH for place in places)

    def _absent(self) -> list[int]:
        return [person for person in sorted(self._statistics) if person not in self._active]

    def _place_bonus(self, motion: Motion, person: int) -> float:
        """What being where ``person`` was last seen counts, in cosine."""
        last = self._away.get(person)
        if last is None:
            return 0.0
        recent = last.seen >= self._shot_start and self._index - last.seen <= _SEARCH
        shared = overlap(landmark_box(last.predicted), landmark_box(motion.landmarks))
        return (0.2 if recent else 0.05) * shared

    def _embed(self, image: Image, motion: Motion) -> Embedding:
        if motion.embedding is None:
            motion.embedding = self._embedder.embed(image, motion.landmarks)
            self._embeddings += 1
        return motion.embedding

    def _face(self, person: int, frame: Frame) -> Face:
        motion = self._active[person]
        size = frame.width, frame.height
        return Face(
            landmarks=motion.landmarks,
            blendshapes=self._landmarker.blendshapes(motion.landmarks, *size),
            pose=self._landmarker.head_pose(motion.landmarks, *size),
            confidence=motion.confidence,
            track=person,
            embedding=motion.embedding,
        )

    def _forget_surplus(self) -> None:
        """Keep memory bounded: of those out of sight, the one seen least goes first, then the one seen longest ago."""
        while len(self._statistics) > self._capacity and (absent := self._absent()):
            least = min(absent, key=lambda one: (self._statistics[one].frames, self._statistics[one].last_index))
            self._identifier.gallery.forget(least)
            self._away.pop(least, None)
            del self._statistics[least]
