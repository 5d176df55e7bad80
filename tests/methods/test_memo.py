from __future__ import annotations

from faceloom.methods.memo import FrameMemo


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
