"""Packed faces, read in batches whose order depends on the seed alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceloom.errors import MediaError
from faceloom.perceive import Perception
from faceloom.train.data.align import Complaint, aligned_faces, picture_files
from faceloom.train.data.augment import augment
from faceloom.train.data.pack import INDEX
from faceloom.train.draws import Draws
from faceloom.train.recipe import AugmentSection


class PackedFaces:
    """A folder that ``pack_faces`` wrote.

    ``training`` and ``held_out`` are the row numbers of the two splits.

    Raises:
        MediaError: the folder is not packed, or its index is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            faces = index["faces"]
            self.names: tuple[str, ...] = tuple(face["file"] for face in faces)
            held_out = np.array([face["held_out"] for face in faces], bool)
            self.sizes: tuple[int, ...] = tuple(index["sizes"])
        except FileNotFoundError as error:
            raise MediaError(f"{folder}: has no {INDEX}; pack it with: faceloom train pack") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MediaError(f"{folder / INDEX}: is damaged ({error}); pack the faces again") from error
        self.training: NDArray[np.integer] = np.flatnonzero(~held_out)
        self.held_out: NDArray[np.integer] = np.flatnonzero(held_out)
        self._pixels: dict[int, NDArray[np.uint8] | Tensor] = {}

    def check(self, sizes: Sequence[int]) -> None:
        """Raise MediaError unless every size is here and there is something to train on."""
        missing = [size for size in sizes if size not in self.sizes]
        if missing:
            flags = " ".join(f"--size {size}" for size in sorted({*self.sizes, *missing}))
            raise MediaError(
                f"{self.folder}: was packed at {', '.join(map(str, self.sizes))} pixels, not at "
                f"{', '.join(map(str, missing))}; pack the pictures again with: faceloom train pack {flags}"
            )
        if not len(self.training):
            raise MediaError(f"{self.folder}: holds no faces for training")

    def to_device(self, size: int, device: torch.device, budget: int) -> None:
        """Keep the faces of one size in the memory of ``device`` if they fit into ``budget`` bytes."""
        pixels = self._mapped(size)
        if device.type != "cpu" and isinstance(pixels, np.ndarray) and pixels.nbytes <= budget:
            self._pixels = {size: torch.from_numpy(np.array(pixels)).to(device)}

    def batch(self, size: int, rows: NDArray[np.integer], device: torch.device | str = "cpu") -> Tensor:
        """(B, 3, size, size) float32 RGB in [-1, 1], channels last, on ``device``."""
        pixels = self._mapped(size)
        if isinstance(pixels, np.ndarray):
            # Ascending rows read a file on disk forwards; the order within a batch means nothing.
            taken = torch.from_numpy(pixels[np.sort(rows)]).to(device, non_blocking=True)
        else:
            taken = pixels[torch.from_numpy(np.sort(rows)).to(pixels.device)]
        return _normalised(taken)

    def draw(self, size: int, rows: NDArray[np.integer], how: AugmentSection, draws: Draws) -> Tensor:
        """As ``batch``, changed at random, on the device of ``draws``."""
        return augment(self.batch(size, rows, draws.device), how, draws)

    def expect(self, size: int, rows: NDArray[np.integer], draws: Draws) -> None:
        """Nothing: reading is quick."""

    def _mapped(self, size: int) -> NDArray[np.uint8] | Tensor:
        if size not in self._pixels:
            path = self.folder / f"faces_{size}.npy"
            try:
                self._pixels[size] = np.load(path, mmap_mode="r")
            except (OSError, ValueError) as error:
                raise MediaError(f"{path}: cannot be read ({error}); pack the faces again") from error
        return self._pixels[size]


def read_faces(folder: Path, size: int, count: int, perception: Perception | None, complain: Complaint) -> Tensor:
    """The first ``count`` faces of a folder of pictures, (B, 3, size, size) float32 in [-1, 1], nothing packed.

    Raises MediaError if there is no picture; see ``aligned_faces`` for the other arguments.
    """
    found = islice(aligned_faces(picture_files(folder), size, perception, complain), count)
    faces = [torch.from_numpy(face) for _, _, face in found]
    stacked = torch.stack(faces) if faces else torch.zeros((0, size, size, 3), dtype=torch.uint8)
    return _normalised(stacked)


def _normalised(pixels: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 to (B, 3, S, S) float32 in [-1, 1], channels last."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def shuffled_rows(rows: NDArray[np.integer], seed: int, position: int, count: int) -> NDArray[np.integer]:
    """Rows ``position`` to ``position + count`` of an endless sequence of shuffles of ``rows``.

    It depends on nothing else, so a run that goes on at a position sees what it would have seen.
    """
    total, taken = len(rows), list[NDArray[np.integer]]()
    while count > 0:
        epoch, offset = divmod(position, total)
        order = np.random.default_rng((seed, epoch)).permutation(total)
        part = rows[order[offset : offset + count]]
        taken.append(part)
        position, count = position + len(part), count - len(part)
    return np.concatenate(taken)
