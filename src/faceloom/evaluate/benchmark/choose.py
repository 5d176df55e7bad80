"""Which clips become targets and which samples references: seeded order, and nobody gives a part to themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from faceloom.evaluate.benchmark.manifest import Rejected, Settings, Target
from faceloom.evaluate.benchmark.scan import Candidate, Scan
from faceloom.perceive import SAME_PERSON, similarity
from faceloom.types import Attribute

SAME_TARGET = "same person as another target"
IS_TARGET = "same person as a target"

Thing = TypeVar("Thing")


def shuffled(things: Sequence[Thing], seed: int) -> list[Thing]:
    """The things in an order that depends on ``seed`` and on their number alone."""
    return [things[index] for index in np.random.default_rng(seed).permutation(len(things))]


@dataclass(frozen=True, eq=False)
class Pick:
    """A candidate chosen as a reference, the file it is in, and its largest likeness to a target."""

    scan: Scan
    candidate: Candidate
    likeness: float


class Collector:
    """Takes scans in order until there are enough targets and references.

    Two faces are of one person from a cosine of ``SAME_PERSON`` (0.363, SFace's authors): targets are all of different
    people, and a reference is of nobody who is a target.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.targets: list[Target] = []
        self._identities: list[NDArray[np.float32]] = []
        self._others: list[Scan] = []
        self._left_out: Counter[str] = Counter()

    def add(self, scan: Scan) -> None:
        """Take the file as the next target if it can be one, else keep it as a source of references."""
        wanted = len(self.targets) < self.settings.targets
        if wanted and scan.target is not None and scan.identity is not None:
            if self._likeness(scan.identity) < SAME_PERSON:
                number = len(self.targets) + 1
                self.targets.append(scan.target.model_copy(update={"id": f"t{number:03d}"}))
                self._identities.append(scan.identity)
                return
            self._left_out[SAME_TARGET] += 1
        elif wanted and scan.job.source == "videos":
            self._left_out[scan.refused] += 1
        self._others.append(scan)

    @property
    def complete(self) -> bool:
        """True when further files could only replace what is there."""
        if len(self.targets) < self.settings.targets:
            return False
        return all(self._sources(part) >= self.settings.refs_per_part for part in self.settings.parts)

    def picks(self, part: Attribute) -> list[Pick]:
        """Up to ``refs_per_part`` samples: the best of every file in turn, then the second best of every file, ..."""
        rows = [self._usable(scan, part) for scan in self._others]
        turns = (pick for turn in zip_longest(*rows) for pick in turn if pick is not None)
        return [pick for pick, _ in zip(turns, range(self.settings.refs_per_part), strict=False)]

    def rejected(self) -> Rejected:
        """What was left out so far, and why."""
        samples: Counter[str] = Counter()
        for scan in self._others:
            samples.update(scan.rejected)
            samples[IS_TARGET] += sum(
                len(candidate.quality) for candidate in scan.candidates if not self._is_stranger(candidate)
            )
        return Rejected(videos=dict(self._left_out), samples={name: count for name, count in samples.items() if count})

    def _sources(self, part: Attribute) -> int:
        return sum(bool(self._usable(scan, part)) for scan in self._others)

    def _usable(self, scan: Scan, part: Attribute) -> list[Pick]:
        """The file's samples of a part, those furthest from every limit first."""
        good = [one for one in scan.candidates if part in one.quality and self._is_stranger(one)]
        good.sort(key=lambda one: max(one.quality[part].values()))
        return [Pick(scan, one, self._likeness(one.embedding)) for one in good]

    def _is_stranger(self, candidate: Candidate) -> bool:
        return self._likeness(candidate.embedding) < SAME_PERSON

    def _likeness(self, embedding: NDArray[np.float32]) -> float:
        return max((similarity(embedding, identity) for identity in self._identities), default=-1.0)
