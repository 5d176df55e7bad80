"""The same function over many things, in processes of their own, with results in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from threading import Thread
from typing import TypeVar

import cv2

from faceloom.evaluate.benchmark.errors import BenchmarkError

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def default_jobs() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered(function: Callable[[Thing], Result], things: Sequence[Thing], jobs: int) -> Generator[Result, None, None]:
    """``map`` over ``jobs`` processes (1: in this one), at most twice as many things ahead of the reader.

    A reader that stops early, or is interrupted, ends the processes. Each computes with its share of the cores.

    Raises:
        BenchmarkError: a process was ended from outside (killed, or out of memory). What ``function`` raises.
    """
    jobs = max(1, min(jobs, len(things)))
    if jobs == 1:
        for thing in things:
            yield function(thing)
        return
    context = multiprocessing.get_context("spawn")  # forked copies of OpenCV's and torch's threads hang
    threads = max(1, default_jobs() // jobs)
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(threads,))
    finished = False
    try:
        yield from _flow(pool, function, things, 2 * jobs)
        finished = True
    except BrokenProcessPool as error:
        raise BenchmarkError(
            "a worker process ended before its work was done (killed, or out of memory); finished items are kept: "
            "start the same command again, perhaps with a smaller --jobs"
        ) from error
    finally:
        if not finished:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
        pool.shutdown(cancel_futures=True)


def _flow(
    pool: ProcessPoolExecutor, function: Callable[[Thing], Result], things: Iterable[Thing], depth: int
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    for thing in things:
        waiting.append(pool.submit(function, thing))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _begin(threads: int) -> None:
    """Set a worker process up: its share of the cores, and an end with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears of Ctrl-C too, and ends its workers
    Thread(target=_end_with_parent, name="faceloom-parent", daemon=True).start()
    limit_threads(threads)


def _end_with_parent() -> None:
    # A worker whose parent was killed would wait for work for ever.
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def limit_threads(threads: int) -> None:
    """Keep this process to ``threads`` threads, so that processes side by side do not slow each other down."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    cv2.setNumThreads(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
