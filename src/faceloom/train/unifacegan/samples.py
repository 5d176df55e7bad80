"""Episodes out of packed clips, for the loop."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from faceloom.errors import MediaError, RecipeError
from faceloom.methods.unifacegan.rendering import Look
from faceloom.perceive.morphable import MorphableModel
from faceloom.train.draws import Draws
from faceloom.train.recipe import AugmentSection
from faceloom.train.unifacegan.clips import PackedClip, read_clip, read_index
from faceloom.train.unifacegan.episodes import Episodes, Pair, batched, make_episode, mirrored
from faceloom.train.unifacegan.recipe import ObjectiveSection, SamplingSection, UniFaceGANRecipe
from faceloom.train.unifacegan.sampling import Choice, Place, choose

_CLIPS_OPEN = 256
_MEASURED = SamplingSection(intra=1.0)
_Key = tuple[Any, ...]


class _Expected(NamedTuple):
    key: _Key
    episodes: list[Future[dict[str, NDArray[Any]]]]


class ClipSamples:
    """A folder that ``pack_clips`` wrote, as ``Samples``: a row is a pair of frames that gives the appearance.

    ``training`` and ``held_out`` are the rows of clips whose path, name or stem matches none or one of the recipe's
    ``data.hold_out``. ``draw`` samples the rest of each episode as the recipe says (eqs. 1 and 2); ``batch`` makes
    every second one within its clip and the others between clips, the same for the same rows.

    Args:
        folder: packed clips.
        model: the morphable model they were packed with.
        recipe: sigma and its companions, kind of flow, what is held out.
        workers: threads that make episodes.

    Raises:
        MediaError: the folder is not packed or damaged.
        RecipeError: the recipe asks for something that these clips cannot give.
    """

    def __init__(self, folder: Path, model: MorphableModel, recipe: UniFaceGANRecipe, *, workers: int = 1) -> None:
        self.folder, self.model = folder, model
        self.sampling: SamplingSection = recipe.sampling
        self.objective: ObjectiveSection = recipe.objective
        self.size, self.entries = read_index(folder)
        self.pairs = [entry.pairs for entry in self.entries]
        self._ends = np.cumsum(self.pairs)
        held = [is_held_out(entry.source, recipe.data.hold_out) for entry in self.entries]
        self._pools = [[clip for clip, of in enumerate(held) if of == split] for split in held]
        flags = np.repeat(np.array(held, bool), self.pairs)
        self.training: NDArray[np.integer] = np.flatnonzero(~flags)
        self.held_out: NDArray[np.integer] = np.flatnonzero(flags)
        if self.sampling.intra < 1 and held.count(False) == 1:
            raise RecipeError(
                f"{folder}: has one clip to train on, and sampling.intra {self.sampling.intra} wants several; pack "
                "more clips or say sampling.intra = 1.0"
            )
        _refuse(recipe.augment)
        self._clip = lru_cache(_CLIPS_OPEN)(self._read)
        self._threads = ThreadPoolExecutor(workers, "faceloom-episodes")
        self._expected: _Expected | None = None
        self._measured: dict[_Key, Episodes] = {}

    def check(self, sizes: Sequence[int]) -> None:
        """Raise MediaError unless the frames are large enough and there is something to train on."""
        if max(sizes) > self.size:
            raise MediaError(
                f"{self.folder}: was packed at {self.size} pixels, and the recipe wants {max(sizes)}; pack the clips "
                f"again with: faceloom train cache3d --size {max(sizes)}"
            )
        if not len(self.training):
            raise MediaError(f"{self.folder}: holds no pair of frames for training")

    def to_device(self, size: int, device: torch.device, budget: int) -> None:
        """Nothing: episodes are made on the CPU."""

    def batch(self, size: int, rows: NDArray[np.integer], device: torch.device | str = "cpu") -> Episodes:
        """Episodes to measure and show; the last ones are kept, on the CPU."""
        key = size, tuple(rows.tolist())
        if key not in self._measured:
            self._measured = {key: batched([job.result() for job in self._start(size, rows, None)], "cpu")}
        return Episodes(*(tensor.to(device) for tensor in self._measured[key]))

    def draw(self, size: int, rows: NDArray[np.integer], how: AugmentSection, draws: Draws) -> Episodes:
        """Episodes to train on, some of them mirrored (``how.flip``)."""
        key = _key(size, rows, draws)
        expected, self._expected = self._expected, None
        if expected is None or expected.key != key:
            expected = _Expected(key, self._start(size, rows, draws))
        episodes = batched([job.result() for job in expected.episodes], draws.device)
        return mirrored(episodes, draws.uniform(0, 1, len(rows)) < how.flip)

    def expect(self, size: int, rows: NDArray[np.integer], draws: Draws) -> None:
        """Begin with the next episodes."""
        self._expected = _Expected(_key(size, rows, draws), self._start(size, rows, draws))

    def choices(self, rows: NDArray[np.integer], draws: Draws | None) -> list[Choice]:
        """What the episodes of ``rows`` are made of; without ``draws``, as ``batch`` has them."""
        if draws is not None:
            numbers = draws.numbers()
            return [self._choose(row, self.sampling, numbers) for row in rows]
        between = self.sampling.model_copy(update={"intra": 0.0})
        within = _MEASURED.model_copy(update={"hint": self.sampling.hint})
        return [
            self._choose(row, between if place % 2 else within, np.random.default_rng((0, int(row))))
            for place, row in enumerate(rows)
        ]

    def _choose(self, row: np.integer, how: SamplingSection, numbers: np.random.Generator) -> Choice:
        clip = int(np.searchsorted(self._ends, row, side="right"))
        place = clip, int(row) - int(self._ends[clip] - self.pairs[clip])
        pool = [other for other in self._pools[clip] if self.pairs[other]]
        return choose(place, self.pairs, pool, how, numbers)

    def _start(
        self, size: int, rows: NDArray[np.integer], draws: Draws | None
    ) -> list[Future[dict[str, NDArray[Any]]]]:
        return [self._threads.submit(self._make, size, choice) for choice in self.choices(rows, draws)]

    def _make(self, size: int, choice: Choice) -> dict[str, NDArray[Any]]:
        appearance, identity, expression = (
            self._pair(place, size) for place in (choice.appearance, choice.identity, choice.expression)
        )
        return make_episode(
            self.model,
            appearance,
            identity,
            expression,
            self.objective,
            intra=choice.intra,
            hint_of_identity=choice.hint_of_identity,
        )

    def _pair(self, place: Place, size: int) -> Pair:
        clip, neutral = self._clip(place[0])
        now = int(clip.pairs[place[1]])
        return self._look(clip, neutral, now, size), self._look(clip, neutral, now - 1, size)

    def _look(self, clip: PackedClip, neutral: NDArray[np.float32], frame: int, size: int) -> Look:
        face = clip.motion.parameters(frame)
        assert face is not None  # frames without a face are not packed
        return Look(np.array(clip.frames[frame]), face, neutral, np.array(clip.sides[frame])).resized(size)

    def _read(self, number: int) -> tuple[PackedClip, NDArray[np.float32]]:
        clip = read_clip(self.folder, self.entries[number].name)
        if clip.sides.shape[1] != len(self.model.mean):
            raise MediaError(
                f"{self.folder}: {self.entries[number].source} was packed with a morphable model of "
                f"{clip.sides.shape[1]} vertices, this one has {len(self.model.mean)}; pack the clips again"
            )
        return clip, self.model.neutral(clip.motion.identity())


def is_held_out(source: str, patterns: Sequence[str]) -> bool:
    """Whether a clip's path below the packed folder, its name or its stem matches one of the patterns."""
    path = PurePath(source)
    return any(fnmatch(name, pattern) for pattern in patterns for name in (source, path.name, path.stem))


def _key(size: int, rows: NDArray[np.integer], draws: Draws) -> _Key:
    return size, tuple(rows.tolist()), draws.key


def _refuse(how: AugmentSection) -> None:
    """Episodes are geometry as well as pictures: only a mirror image keeps the two together."""
    changed = [name for name in AugmentSection.model_fields if name != "flip" and getattr(how, name)]
    if changed:
        raise RecipeError(f"episodes of clips can be mirrored only; leave augment.{', augment.'.join(changed)} at 0")
