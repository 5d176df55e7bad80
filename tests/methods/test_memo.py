from __future__ import annotations

from fractions import Fraction

import numpy as np

from faceloom.methods.memo import FrameMemo, Shots
from faceloom.types import Frame, Window


def window(pictures: list[np.ndarray], start: int, first: bool = False) -> Window:
    """The last of ``pictures`` with the ``start`` ones before it as context."""
    frames = [Frame(index, Fraction(index, 25), picture) for index, picture in enumerate(pictures)]
    return Window(frames, slice(start, len(frames)), first)


def pictures(count: int) -> list[np.ndarray]:
    return [np.zeros((2, 2, 3), np.uint8) for _ in range(count)]


class TestShots:
    def test_everybody_is_new_once_a_shot(self) -> None:
        shots, clip = Shots(), pictures(3)
        opening, later = window(clip[:2], 0, first=True), window(clip, 2)
        assert [shots.is_new_to(person, opening) for person in (1, 2)] == [True, True]
        assert [shots.is_new_to(person, later) for person in (1, 2, 3)] == [False, False, True]
        assert [shots.is_new_to(person, later) for person in (1, 2, 3)] == [False, False, False]

    def test_after_a_cut_everybody_is_new(self) -> None:
        shots = Shots()
        for clip in (pictures(3), pictures(3)):
            assert shots.is_new_to(1, window(clip[:2], 0))
            assert not shots.is_new_to(1, window(clip, 2))

    def test_who_comes_late_in_another_clip_is_new_there(self) -> None:
        """The number was somebody else's in the clip before."""
        shots = Shots()
        for first in (True, True):
            clip = pictures(3)
            shots.is_new_to(1, window(clip[:2], 0, first))
            assert shots.is_new_to(2, window(clip, 2))
            assert not shots.is_new_to(2, window(clip, 2))

    def test_the_same_clip_once_more_is_another_clip(self) -> None:
        shots, clip = Shots(), pictures(2)
        assert [shots.is_new_to(1, window(clip, 0, first=True)) for _ in range(3)] == [True] * 3


def test_a_value_is_measured_once() -> None:
    memo: FrameMemo[str] = FrameMemo()
    calls: list[str] = []

    def measure() -> str:
        calls.append("measured")
        return f"value {len(calls)}"

    assert [memo.get(1, 7, measure), memo.get(1, 7, measure)] == ["value 1", "value 1"]
    assert memo.get(2, 7, measure) == "value 2", "another person"
    assert memo.get(1, 8, measure) == "value 3", "another frame"
    assert len(calls) == 3


def test_what_no_window_can_ask_for_is_dropped() -> None:
    memo: FrameMemo[int] = FrameMemo()
    for index in range(10):
        memo.get(1, index, lambda index=index: index)
    memo.get(2, 3, lambda: 33)
    memo.forget_before(6)
    assert [memo.get(1, index, lambda: -1) for index in range(10)] == [-1] * 6 + [6, 7, 8, 9]
    assert memo.get(2, 3, lambda: -1) == -1


def test_one_person_is_forgotten() -> None:
    memo: FrameMemo[int] = FrameMemo()
    for person in (1, 2):
        memo.get(person, 0, lambda person=person: person)
    memo.forget(1)
    memo.forget(77)
    assert memo.get(1, 0, lambda: -1) == -1 and memo.get(2, 0, lambda: -1) == 2


def test_memory_is_bounded() -> None:
    memo: FrameMemo[int] = FrameMemo()
    for index in range(1000):
        memo.forget_before(index - 8)
        memo.get(index % 50, index, lambda: 0)
    held = sum(len(frames) for frames in memo._values.values())
    assert held <= 10 and len(memo._values) <= 10
