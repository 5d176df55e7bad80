"""Measures of single frames, kept while windows that overlap still ask for them, and when to drop them all."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from faceloom.types import Image, Window

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

    def known(self, person: int, index: int) -> bool:
        """Whether there is a value for a person in frame ``index``."""
        return index in self._values.get(person, {})

    def put(self, person: int, index: int, value: Value) -> None:
        """Keep a value that was measured elsewhere."""
        self._values.setdefault(person, {})[index] = value

    def value(self, person: int, index: int) -> Value:
        """The value for a person in frame ``index``. Raises ``KeyError`` when there is none."""
        return self._values[person][index]

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


class Shots:
    """Tells when a person is met in another shot or clip than the one that everything remembered is of.

    The light of one shot says nothing about the next, and in another clip the same number is somebody else's.
    """

    def __init__(self) -> None:
        self._opening: weakref.ref[Image] | None = None
        self._shot = 0
        self._last: dict[int, int] = {}

    def is_new_to(self, person: int, window: Window) -> bool:
        """Whether ``person`` was last met in another shot, or never. To be asked once a window for every person.

        A window with nothing before its core opens a shot; several people may be edited in it in turn.
        """
        if window.core.indices(len(window.frames))[0] == 0:
            image = window.frames[0].image
            known = self._opening is not None and self._opening() is image
            if not known or self._last.get(person) == self._shot:
                self._shot += 1
                self._opening = weakref.ref(image)
        met = self._last.get(person) == self._shot
        self._last[person] = self._shot
        return not met
