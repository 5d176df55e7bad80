"""What a run consists of: which reference each target is given for each part, the same for every method."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceloom.evaluate.benchmark.errors import BenchmarkError
from faceloom.evaluate.benchmark.manifest import Manifest, Reference, Target
from faceloom.evaluate.benchmark.methods import MethodSpec
from faceloom.types import Attribute


@dataclass(frozen=True)
class Pair:
    """One edit to make, whatever the method."""

    target: Target
    part: Attribute
    reference: Reference

    @property
    def id(self) -> str:
        """A name for files, for instance ``t001.mouth-004``."""
        return f"{self.target.id}.{self.reference.id}"


@dataclass(frozen=True)
class Work:
    """One edit by one method."""

    method: MethodSpec
    pair: Pair

    @property
    def folder(self) -> str:
        """Where its export is, relative to the run."""
        return f"items/{self.method.slug}/{self.pair.id}"


def plan_pairs(
    manifest: Manifest, parts: Sequence[Attribute] | None = None, references: int = 1, limit: int | None = None
) -> list[Pair]:
    """Target × part × reference: each target is given ``references`` samples of each part's pool, drawn by seed.

    What a target is given depends on the manifest's seed, the target and the part alone: not on ``limit`` or on which
    other parts are asked for.

    Args:
        parts: None for all of the manifest.
        references: samples for each target and part; 0 for the whole pool.
        limit: at most so many pairs. The first ones go through all parts of the first targets, then on to the next.

    Raises:
        BenchmarkError: a part that the benchmark does not have.
    """
    wanted = tuple(parts or manifest.settings.parts)
    if missing := [part for part in wanted if not manifest.pool(part)]:
        raise BenchmarkError(
            f"the benchmark has no references for {', '.join(missing)}; its parts are "
            f"{', '.join(manifest.settings.parts)}"
        )
    drawn = {
        (target.id, part): _draw(manifest.pool(part), manifest.settings.seed, target.id, part, references)
        for target in manifest.targets
        for part in wanted
    }
    rounds = max(len(own) for own in drawn.values())
    pairs = [
        Pair(target, part, drawn[target.id, part][turn])
        for turn in range(rounds)
        for target in manifest.targets
        for part in wanted
        if turn < len(drawn[target.id, part])
    ]
    return pairs[:limit]


def _draw(pool: list[Reference], seed: int, target: str, part: Attribute, count: int) -> list[Reference]:
    entropy = hashlib.sha256(f"{seed}/{target}/{part}".encode()).digest()
    order = np.random.default_rng(np.frombuffer(entropy, np.uint32)).permutation(len(pool))
    return [pool[index] for index in order[: count or len(pool)]]
