from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from support.benchmark import target

from faceloom.evaluate.benchmark.choose import IS_TARGET, SAME_TARGET, Collector, shuffled
from faceloom.evaluate.benchmark.manifest import Settings
from faceloom.evaluate.benchmark.scan import Candidate, Scan, ScanJob
from faceloom.types import Attribute, Crop

MOUTH = Attribute.MOUTH
SETTINGS = Settings(targets=2, refs_per_part=3, parts=(MOUTH,))


def person(number: int) -> np.ndarray:
    vector = np.zeros(128, np.float32)
    vector[number] = 1
    return vector


def scan(number: int, can_be_target: bool = True, limits: tuple[float, ...] = (0.5,), who: int | None = None) -> Scan:
    """A file with person ``who`` in it and one candidate for each of ``limits``, the largest limit used up."""
    identity = person(number if who is None else who)
    crop = Crop(np.eye(2, 3), 256, 256)
    candidates = [Candidate(i, crop, identity, {MOUTH: {"blur": used}}) for i, used in enumerate(limits)]
    job = ScanJob(Path(f"{number}.mp4"), f"{number}.mp4", "videos", SETTINGS)
    found = target(number) if can_be_target else None
    return Scan(job, "0" * 64, found, "" if found else "no face", identity, candidates, Counter({"blur": 1}))


def test_targets_are_taken_in_order_until_there_are_enough() -> None:
    collector = Collector(SETTINGS)
    for number in (1, 2, 3):
        collector.add(scan(number))
    assert [one.file for one in collector.targets] == ["1.mp4", "2.mp4"]
    assert [one.id for one in collector.targets] == ["t001", "t002"]


def test_the_same_person_is_no_second_target_and_no_reference() -> None:
    collector = Collector(SETTINGS)
    for one in (scan(1), scan(2, who=1), scan(3), scan(4, who=3), scan(5)):
        collector.add(one)
    assert [one.file for one in collector.targets] == ["1.mp4", "3.mp4"]
    assert [pick.scan.job.file for pick in collector.picks(MOUTH)] == ["5.mp4"]
    told = collector.rejected()
    assert told.videos == {SAME_TARGET: 1}
    assert told.samples == {IS_TARGET: 2, "blur": 3}


def test_every_file_gives_its_best_before_any_gives_its_second() -> None:
    collector = Collector(SETTINGS)
    for one in (scan(1), scan(2), scan(3, limits=(0.9, 0.2, 0.4)), scan(4, limits=(0.7,))):
        collector.add(one)
    picks = [(pick.scan.job.file, pick.candidate.frame) for pick in collector.picks(MOUTH)]
    assert picks == [("3.mp4", 1), ("4.mp4", 0), ("3.mp4", 2)]
    assert all(pick.likeness == 0 for pick in collector.picks(MOUTH))


def test_complete_needs_a_file_for_every_reference() -> None:
    collector = Collector(SETTINGS)
    states = []
    for number in range(1, 6):
        collector.add(scan(number, limits=(0.1, 0.2, 0.3)))
        states.append(collector.complete)
    assert states == [False] * 4 + [True]


def test_reasons_are_counted_for_files_that_could_not_be_targets() -> None:
    collector = Collector(SETTINGS)
    for number in (1, 2, 3):
        collector.add(scan(number, can_be_target=False))
    assert collector.rejected().videos == {"no face": 3}


def test_the_order_depends_on_the_seed_alone() -> None:
    things = list(range(50))
    assert shuffled(things, 1) == shuffled(things, 1) != shuffled(things, 2)
    assert sorted(shuffled(things, 1)) == things
