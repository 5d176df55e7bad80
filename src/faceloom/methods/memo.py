"""Measures of single frames, kept while windows that overlap still ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class FrameMemo(Generic[Value]):
    """What was measured of each person in the last frames of a clip."""

    def __init__(self) -> None:
        self._values: dict[int, dict[int, Value]] = {}

    def get(self, person: int, index: int, measure: Callable[[], Value]) -> Value:
        """The value for a person in frame ``index``, measured the first time it is asked for."""
        known = self._values.setdefault(person, {})
        if index not in known:
            known[index] = measure()
        return known[index]

    def forget(self, person: int) -> None:
        """Drop everything of a person: another clip begins, in which the number is somebody else's."""
        self._values.pop(person, None)

    def forget_before(self, index: int) -> None:
        """Drop what no later window can ask for."""
        for person, known in list(self._values.items()):
            kept = {frame: value for frame, value in known.items() if frame >= index}
            if kept:
                self._values[person] = kept
            else:
                del self._values[person]
