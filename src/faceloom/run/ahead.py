"""Run a generator in a thread of its own, a bounded number of items ahead."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from threading import Thread
from typing import TypeVar

from faceloom.media.channel import Channel, Finished

Item = TypeVar("Item")


def ahead(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """Yield ``items``, produced in a background thread at most ``depth`` ahead.

    An error in the producer is raised here, after the items before it. Closing this generator stops the producer.
    """
    channel: Channel[Item] = Channel(depth)

    def produce() -> None:
        try:
            for item in items:
                if not channel.put(item):
                    return
        except BaseException as error:  # handed over to the consumer's thread
            channel.finish(error)
        else:
            channel.finish()

    thread = Thread(target=produce, name="faceloom-perceive", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = channel.take()
            except Finished:
                return
            yield item
    finally:
        channel.cancel()
        thread.join()
