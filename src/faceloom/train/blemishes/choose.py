"""Which prompts a training pair is about, and which of them are asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from faceloom.methods.langbrt.prompts import PREDEFINED, TABLE, Area, Prompt, Side, vocabulary
from faceloom.train.blemishes.planes import OWN

VOCABULARY: tuple[Prompt, ...] = vocabulary()
_ALL = 0.35
"""Part of the pairs in which the whole table is asked for."""
_ABSENT = 0.2
"""Part of single requests that may be for something that is not there: the face must then stay as it is."""


@dataclass(frozen=True)
class Choice:
    """The pre-defined prompts and ``OWN`` others, and those that are asked for."""

    prompts: tuple[Prompt, ...]
    asked: tuple[bool, ...]

    @property
    def wanted(self) -> list[Prompt]:
        """The prompts asked for."""
        return [prompt for prompt, asked in zip(self.prompts, self.asked, strict=True) if asked]


def everything() -> Choice:
    """The whole table, all asked for."""
    return Choice(TABLE, (True,) * len(TABLE))


def draw_choice(painted: Collection[Prompt], rng: np.random.Generator) -> Choice:
    """Either everything, or one to three things; the other places go to prompts that are only to be detected."""
    if rng.random() < _ALL:
        return everything()
    there = sorted(painted)
    wanted = [_request(there, rng) for _ in range(rng.integers(1, 4))]
    visible = [_generalised(prompt, rng) for prompt in there]
    rest = [VOCABULARY[index] for index in rng.permutation(len(VOCABULARY))]
    # In this order places are given away; sets would make it depend on the process.
    own = [prompt for prompt in dict.fromkeys([*wanted, *visible, *rest]) if prompt not in PREDEFINED][:OWN]
    shuffled = [own[index] for index in rng.permutation(OWN)]
    prompts = (*PREDEFINED, *shuffled)
    return Choice(prompts, tuple(prompt in wanted for prompt in prompts))


def _request(painted: Sequence[Prompt], rng: np.random.Generator) -> Prompt:
    if not painted or rng.random() < _ABSENT:
        return VOCABULARY[int(rng.integers(len(VOCABULARY)))]
    return _generalised(painted[int(rng.integers(len(painted)))], rng)


def _generalised(prompt: Prompt, rng: np.random.Generator) -> Prompt:
    """A request of the vocabulary that covers what was painted, as narrow as it, or wider."""
    wider = [
        other
        for other in (
            prompt,
            Prompt(prompt.blemish, prompt.area, Side.BOTH),
            Prompt(prompt.blemish, Area.FACE, Side.BOTH),
        )
        if other in VOCABULARY
    ]
    return wider[int(rng.integers(len(wider)))]
