"""Where a method spends its time, for whoever asks.

A method marks its stages; unless somebody records, that does nothing and costs nothing::

    with stage("align"):
        ...

    with recording() as work:
        edit_clip(...)
    work["align"].seconds

Only the thread that records is listened to. Stages may lie within each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class NetworkCall:
    """A forward pass of a network.

    pictures   how many pass through it; may be set while they do.
    device     torch's name of where. precision  the type that it multiplies in, as "bfloat16".
    again      does the same once more for ``pictures`` pictures, so that its operations can be counted.
    wait       returns when the device has done what it was given; None where it works at once.
    """

    pictures: int
    device: str
    precision: str
    again: Callable[[], Any]
    wait: Callable[[], None] | None = None


@dataclass
class Stage:
    """Wall-clock seconds and how often; for a network also how many pictures, and its first call.

    A network's seconds are its own: stages within it, which the method adds to the network, count for themselves alone.
    """

    seconds: float = 0.0
    calls: int = 0
    pictures: int = 0
    example: NetworkCall | None = None


@dataclass
class _Recording:
    stages: dict[str, Stage] = field(default_factory=dict)
    networks: list[Stage] = field(default_factory=list)
    """Those in which the thread is, the outermost first."""


_listener: ContextVar[_Recording | None] = ContextVar("faceloom_stages", default=None)


@contextmanager
def recording() -> Iterator[dict[str, Stage]]:
    """Collect the stages that this thread passes through inside the ``with`` block, by name."""
    collected = _Recording()
    token = _listener.set(collected)
    try:
        yield collected.stages
    finally:
        _listener.reset(token)


def is_recording() -> bool:
    """Whether anybody listens."""
    return _listener.get() is not None


@contextmanager
def stage(name: str, network: NetworkCall | None = None) -> Iterator[None]:
    """Time the body of a ``with`` block, or the function that this decorates, as ``name`` if somebody records."""
    listener = _listener.get()
    if listener is None:
        yield
        return
    own, around = listener.stages.setdefault(name, Stage()), tuple(listener.networks)
    wait = network.wait if network is not None and network.wait is not None else lambda: None
    if network is not None:
        listener.networks.append(own)
    wait()
    begin = time.perf_counter()
    try:
        yield
        wait()
    finally:
        spent = time.perf_counter() - begin
        own.seconds += spent
        own.calls += 1
        for outer in around:
            outer.seconds -= spent
        if network is not None:
            listener.networks.pop()
            own.pictures += network.pictures
            own.example = own.example or network
