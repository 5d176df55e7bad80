from __future__ import annotations

import pytest
from support.benchmark import fabricated

from faceloom.evaluate.benchmark.errors import BenchmarkError
from faceloom.evaluate.benchmark.plan import plan_pairs
from faceloom.types import Attribute

BOTH = (Attribute.EYES, Attribute.MOUTH)
MANIFEST = fabricated(5, 20, BOTH)


def test_every_target_is_given_a_reference_for_every_part() -> None:
    pairs = plan_pairs(MANIFEST)
    assert len(pairs) == 10
    assert {(pair.target.id, pair.part) for pair in pairs} == {(t.id, part) for t in MANIFEST.targets for part in BOTH}
    assert all(pair.reference.part == pair.part for pair in pairs)
    assert len({pair.id for pair in pairs}) == 10


def test_a_pair_depends_on_neither_the_limit_nor_the_other_parts() -> None:
    everything = plan_pairs(MANIFEST, references=3)
    assert plan_pairs(MANIFEST, references=3, limit=7) == everything[:7]
    assert all(pair in everything for pair in plan_pairs(MANIFEST, [Attribute.MOUTH]))
    assert plan_pairs(MANIFEST) == everything[:10]


def test_references_of_a_target_are_all_different() -> None:
    pairs = plan_pairs(MANIFEST, references=0)
    assert len(pairs) == len({pair.id for pair in pairs}) == 5 * 2 * 20


def test_the_seed_decides() -> None:
    again, other = fabricated(5, 20, BOTH), fabricated(5, 20, BOTH, seed=1)
    ids = [[pair.id for pair in plan_pairs(one)] for one in (MANIFEST, again, other)]
    assert ids[0] == ids[1] != ids[2]


def test_a_part_that_is_not_there() -> None:
    with pytest.raises(BenchmarkError, match="no references for nose"):
        plan_pairs(MANIFEST, [Attribute.NOSE])
