"""A bounded hand-over from one thread to another that either side can end."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

QUEUE_BYTES = 64 << 20
"""Memory that the frames waiting in one queue may hold together."""


class Finished(Exception):
    """There is nothing more to take."""


def depth_for(frame_bytes: int) -> int:
    """Frames a queue may hold: at most a window of edits, fewer as frames get larger, never less than 1."""
    return max(1, min(16, QUEUE_BYTES // max(1, frame_bytes)))


class Channel(Generic[T]):
    """A first-in first-out queue of at most ``depth`` items between one producer and one consumer thread."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[T] = deque()
        self._state = threading.Condition()
        self._finished = False
        self._cancelled = False
        self._error: BaseException | None = None

    @property
    def cancelled(self) -> bool:
        """Whether either side gave up."""
        return self._cancelled

    def put(self, item: T) -> bool:
        """Add an item, waiting for room. False if the channel was cancelled; the item is then dropped."""
        with self._state:
            self._state.wait_for(lambda: self._cancelled or len(self._items) < self._depth)
            if self._cancelled:
                return False
            self._items.append(item)
            self._state.notify_all()
            return True

    def take(self) -> T:
        """The next item, waiting for one.

        Raises the producer's error once everything before it was taken, and ``Finished`` at the end.
        """
        with self._state:
            self._state.wait_for(lambda: self._cancelled or self._items or self._finished)
            if self._cancelled:
                raise Finished
            if self._items:
                item = self._items.popleft()
                self._state.notify_all()
                return item
            if self._error is not None:
                raise self._error
            raise Finished

    def finish(self, error: BaseException | None = None) -> None:
        """No more items will come; ``error`` is raised to the consumer after the last one."""
        with self._state:
            self._finished = True
            self._error = error
            self._state.notify_all()

    def cancel(self) -> None:
        """Drop what waits and release both sides."""
        with self._state:
            self._cancelled = True
            self._items.clear()
            self._state.notify_all()
