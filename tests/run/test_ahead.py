from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from faceloom.run.ahead import ahead


def test_items_come_in_order() -> None:
    assert list(ahead(range(100), depth=3)) == list(range(100))


def test_nothing_at_all() -> None:
    assert list(ahead([], depth=1)) == []


def test_works_in_another_thread() -> None:
    (producer,) = ahead((threading.get_ident() for _ in range(1)), depth=1)
    assert producer != threading.get_ident()


def test_an_error_arrives_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("broken at the third")

    items, got = ahead(failing(), depth=5), []
    with pytest.raises(ValueError, match="broken at the third"):
        for item in items:
            got.append(item)
    assert got == [1, 2]


def test_an_interrupt_in_the_producer_is_handed_over() -> None:
    def interrupted() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(ahead(interrupted(), depth=1))


def test_no_further_ahead_than_asked() -> None:
    produced = 0
    enough = threading.Event()

    def counting() -> Iterator[int]:
        nonlocal produced
        while True:
            produced += 1
            if produced == 5:
                enough.set()
            yield produced

    items = ahead(counting(), depth=4)
    assert next(items) == 1
    assert enough.wait(5)
    # One taken, four waiting, one in the producer's hand.
    assert produced <= 6
    items.close()


def test_closing_ends_the_producer() -> None:
    before = threading.active_count()
    items = ahead(iter(int, 1), depth=2)
    next(items)
    assert threading.active_count() == before + 1
    items.close()
    assert threading.active_count() == before
    assert list(items) == []
