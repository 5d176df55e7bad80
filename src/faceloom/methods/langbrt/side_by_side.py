"""The same for several frames at once, one processor thread each.

A small network gains little from a second thread inside it, and loses much when another program wants that core: its
threads wait for each other at every layer. Frames need not wait for each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Given = TypeVar("Given")
Result = TypeVar("Result")


class SideBySide:
    """A few threads, kept as long as the object.

    workers  how many; 0 is one for every core that this process may use.
    """

    def __init__(self, workers: int = 0) -> None:
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(workers or usable, "faceloom-retouch", _alone)

    def map(self, work: Callable[[Given], Result], items: Sequence[Given]) -> list[Result]:
        """``work`` of every item, in their order."""
        return list(self._pool.map(work, items))


def _alone() -> None:
    """Begin a thread in which torch starts no others."""
    torch.set_num_threads(1)
