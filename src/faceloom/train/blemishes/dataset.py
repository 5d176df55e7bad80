"""Packed faces that come out painted."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceloom.train.blemishes.atlas import Atlas, face_pixels
from faceloom.train.blemishes.maker import make_pair
from faceloom.train.blemishes.planes import Pairs, pack, unpack
from faceloom.train.data.faces import PackedFaces
from faceloom.train.draws import Draws
from faceloom.train.recipe import AugmentSection
from faceloom.types import Image

_SEEDS = 1 << 62
Order = tuple[int, int, int, float]
"""Size, row, seed and probability of mirroring: all that a pair depends on."""


class PaintedFaces:
    """Packed clean faces, painted anew each time they are drawn; see ``Samples``.

    Args:
        folder: packed faces with an atlas.
        share: part of the training faces to use; a smaller share is a part of a larger one.
        flip: probability that a painting is mirrored when it is drawn.
        workers: processes that paint; 0 paints in this one.

    Raises:
        MediaError: the folder is not packed, or has no atlas.
    """

    def __init__(self, folder: Path, *, share: float = 1.0, flip: float = 0.5, workers: int = 0) -> None:
        self.faces = PackedFaces(folder)
        self.atlas = Atlas(self.faces)
        found = self.atlas.found
        self.training: NDArray[np.integer] = share_of(self.faces.training[found[self.faces.training]], share)
        self.held_out: NDArray[np.integer] = self.faces.held_out[found[self.faces.held_out]]
        self.flip, self.workers = flip, workers
        self._pool: ProcessPoolExecutor | None = None
        self._begun: dict[Order, Future[NDArray[np.uint8]]] = {}

    def check(self, sizes: Sequence[int]) -> None:
        """Raise MediaError unless every size is here and there is something to train on."""
        self.faces.check(sizes)

    def to_device(self, size: int, device: torch.device, budget: int) -> None:
        """Nothing: processors paint."""

    def batch(self, size: int, rows: NDArray[np.integer], device: torch.device | str = "cpu") -> Pairs:
        """Each row's own painting, never mirrored."""
        return self._pairs([(size, int(row), int(row), 0.0) for row in rows], device)

    def draw(self, size: int, rows: NDArray[np.integer], how: AugmentSection, draws: Draws) -> Pairs:
        """Paintings that depend on ``draws`` too, with the changes of colour of ``how``."""
        return self._pairs(_orders(size, rows, self.flip, draws), draws.device).coloured(how, draws)

    def expect(self, size: int, rows: NDArray[np.integer], draws: Draws) -> None:
        """Begin to paint in the other processes, if there are any."""
        if self.workers:
            self._begun = {order: self._submit(order) for order in _orders(size, rows, self.flip, draws)}

    def clean(self, size: int, row: int) -> Image:
        """(size, size, 3) uint8 RGB, the face of a row before painting."""
        return face_pixels(self.faces, size, row)

    def paint(self, order: Order) -> NDArray[np.uint8]:
        """One pair as ``planes.pack`` makes it."""
        size, row, seed, flip = order
        return pack(make_pair(self.clean(size, row), self.atlas.anatomy(row, size), seed, flip=flip))

    def close(self) -> None:
        """End the painting processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool, self._begun = None, {}

    def _pairs(self, orders: Sequence[Order], device: torch.device | str) -> Pairs:
        if not self.workers:
            return unpack([self.paint(order) for order in orders], device)
        # What was begun as expected, and the rest now.
        futures = [self._begun.pop(order) if order in self._begun else self._submit(order) for order in orders]
        return unpack([future.result() for future in futures], device)

    def _submit(self, order: Order) -> Future[NDArray[np.uint8]]:
        if self._pool is None:
            # Not forked: torch's threads would not survive it.
            self._pool = ProcessPoolExecutor(self.workers, get_context("spawn"), _begin, (self.faces.folder,))
        return self._pool.submit(_one, order)


def share_of(rows: NDArray[np.integer], share: float) -> NDArray[np.integer]:
    """The part ``share`` of rows, at least one, whatever the seed; smaller shares are parts of larger ones."""
    count = max(1, round(share * len(rows)))
    return np.sort(np.random.default_rng(0).permutation(rows)[:count])


def _orders(size: int, rows: NDArray[np.integer], flip: float, draws: Draws) -> list[Order]:
    seeds = draws.integers(_SEEDS, len(rows)).tolist()
    return [(size, int(row), seed, flip) for row, seed in zip(rows, seeds, strict=True)]


_painter: PaintedFaces | None = None
"""Of a painting process."""


def _begin(folder: Path) -> None:
    """Open the faces in a painting process."""
    global _painter
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _painter = PaintedFaces(folder)


def _one(order: Order) -> NDArray[np.uint8]:
    assert _painter is not None
    return _painter.paint(order)
