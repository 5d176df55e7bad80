"""Real pairs: a folder of photographs and one of the same retouched by hand, as FFHQ and FFHQR are laid out.

Shafaei et al., AutoRetouch: Automatic Professional Face Retouching, WACV 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceloom.errors import MediaError
from faceloom.media import read_image
from faceloom.methods.langbrt.prompts import PREDEFINED
from faceloom.train.blemishes.atlas import NAME, Atlas, face_pixels
from faceloom.train.blemishes.choose import everything
from faceloom.train.blemishes.dataset import share_of
from faceloom.train.blemishes.maker import NUMBER
from faceloom.train.blemishes.planes import FIXED, PROMPTS, Pair, Pairs, pack, unpack
from faceloom.train.data.align import picture_files
from faceloom.train.data.faces import PackedFaces
from faceloom.train.data.pack import Entry, pack_faces
from faceloom.train.draws import Draws
from faceloom.train.recipe import AugmentSection
from faceloom.types import Image


def pack_before_after(
    before: Path,
    after: Path,
    output: Path,
    sizes: Sequence[int],
    *,
    hold_out: Iterable[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Entry]:
    """Pack aligned faces and their retouched versions.

    Besides what ``pack_faces`` writes, ``after_<size>.npy`` has the same rows, retouched.

    Args:
        before, after: folders of square pictures, at any depth; those with one name (without extension) belong
            together. Names must be unique in each folder.
        output: folder to write.
        sizes: sides in pixels.
        hold_out: patterns of names not to train on.
        progress: told how many are done, of how many.

    Raises:
        MediaError: a picture has no counterpart, a name is there twice, or the two differ in shape.
    """
    partners: dict[str, Path] = {}
    for path in picture_files(after):
        if path.stem in partners:
            raise MediaError(f"{path}: has the same name as {partners[path.stem]}; names must be unique")
        partners[path.stem] = path
    for path in picture_files(before):
        if path.stem not in partners:
            raise MediaError(f"{path}: has no retouched version in {after}; one named {path.stem}.* is needed")
    entries = pack_faces(before, output, sizes, perception=None, hold_out=hold_out, progress=progress)
    columns = {
        size: np.lib.format.open_memmap(
            output / f".after_{size}.partial", "w+", np.uint8, (len(entries), size, size, 3)
        )
        for size in sizes
    }
    for row, entry in enumerate(entries):
        path = partners[Path(entry.file).stem]
        image = read_image(path)
        if image.shape != read_image(before / entry.file).shape:
            raise MediaError(f"{path}: differs in size from {before / entry.file}; the two must show the same pixels")
        for size, column in columns.items():
            column[row] = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    for size, column in columns.items():
        column.flush()
        (output / f".after_{size}.partial").replace(output / f"after_{size}.npy")
    return entries


def has_after(folder: Path) -> bool:
    """Whether packed faces have retouched versions."""
    return any(folder.glob("after_*.npy"))


class BeforeAfter:
    """What ``pack_before_after`` wrote, as ``Samples``; everything is asked for.

    Which blemish was where is not known: the ground truth of detection is the difference, equation (5). With an atlas
    beside them the areas of the pre-defined prompts are known, for equation (6); without, that term is 0.

    Args:
        folder: packed pairs.
        share: part of the training pairs to use.
        flip: probability that a pair is mirrored when it is drawn.

    Raises:
        MediaError: the folder is not packed.
    """

    def __init__(self, folder: Path, *, share: float = 1.0, flip: float = 0.5) -> None:
        self.faces, self.flip = PackedFaces(folder), flip
        self.training: NDArray[np.integer] = share_of(self.faces.training, share)
        self.held_out: NDArray[np.integer] = self.faces.held_out
        self.atlas = Atlas(self.faces) if (folder / NAME).is_file() else None

    def check(self, sizes: Sequence[int]) -> None:
        """Raise MediaError unless every size is here and there is something to train on."""
        self.faces.check(sizes)

    def to_device(self, size: int, device: torch.device, budget: int) -> None:
        """Nothing: pairs stay on disk."""

    def batch(self, size: int, rows: NDArray[np.integer], device: torch.device | str = "cpu") -> Pairs:
        """The pairs as they are."""
        return unpack([pack(self.pair(size, int(row), mirror=False)) for row in rows], device)

    def draw(self, size: int, rows: NDArray[np.integer], how: AugmentSection, draws: Draws) -> Pairs:
        """Some mirrored, with the changes of colour of ``how``."""
        turned = (draws.uniform(0, 1, len(rows)) < self.flip).tolist()
        made = [pack(self.pair(size, int(row), mirror=turn)) for row, turn in zip(rows, turned, strict=True)]
        return unpack(made, draws.device).coloured(how, draws)

    def expect(self, size: int, rows: NDArray[np.integer], draws: Draws) -> None:
        """Nothing: reading is quick."""

    def pair(self, size: int, row: int, *, mirror: bool) -> Pair:
        """One pair."""
        choice = everything()
        step = -1 if mirror else 1
        areas = np.zeros((FIXED, size, size), np.float32)
        if self.atlas is not None and self.atlas.found[row]:
            anatomy = self.atlas.anatomy(row, size)
            sides = [one.mirrored().side if mirror else one.side for one in PREDEFINED]
            regions = [anatomy.region(one.area, side) for one, side in zip(PREDEFINED, sides, strict=True)]
            areas = np.stack(regions)[..., ::step]
        return Pair(
            blemished=face_pixels(self.faces, size, row)[:, ::step],
            target=self.retouched(size, row)[:, ::step],
            masks=np.zeros((PROMPTS, size, size), np.float32),
            areas=areas,
            own=np.array([NUMBER[prompt] for prompt in choice.prompts[FIXED:]]),
            asked=np.array(choice.asked),
            labelled=False,
        )

    def retouched(self, size: int, row: int) -> Image:
        """(size, size, 3) uint8 RGB."""
        path = self.faces.folder / f"after_{size}.npy"
        try:
            return np.array(np.load(path, mmap_mode="r")[row])
        except (OSError, ValueError) as error:
            raise MediaError(f"{path}: cannot be read ({error}); pack the pairs again") from error
