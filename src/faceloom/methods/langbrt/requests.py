"""What was asked for, as the network takes it: which prompts, in which regions, as which vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import RecipeError
from faceloom.methods.langbrt.prompts import PREDEFINED, Blemish, Prompt, Side, vocabulary
from faceloom.methods.langbrt.understand import PromptReader
from faceloom.perceive.text import TextEncoder


@dataclass(frozen=True, eq=False)
class Asked:
    """Prompts without repetition.

    groups   each request, and the numbers of its prompts.
    fixed    for each prompt its number among the pre-defined ones, None for one that is read as words.
    vectors  (N, T) float32 of unit length, of the prompts that are read as words, in their order.
    remarks  lines about requests that say a thing twice.
    moles    (T,) float32, of "moles", which are looked for in order to be left alone.
    """

    prompts: tuple[Prompt, ...]
    groups: tuple[tuple[str, tuple[int, ...]], ...]
    fixed: tuple[int | None, ...]
    vectors: NDArray[np.float32]
    remarks: tuple[str, ...]
    moles: NDArray[np.float32]

    @property
    def names(self) -> tuple[str, ...]:
        """The prompts in words."""
        return tuple(prompt.text for prompt in self.prompts)


def read_requests(requests: Sequence[str], encoder: TextEncoder, network: TextEncoder | None = None) -> Asked:
    """Understand requests.

    Args:
        requests: in a person's own words.
        encoder: by whose vectors they are understood.
        network: whose vectors the network takes; None for the same.

    Raises:
        RecipeError: there are none, or one cannot be understood, as ``PromptReader.read`` says.
    """
    if not requests:
        raise RecipeError(
            "method 'langbrt' retouches, and nothing was asked for: say what is to go, for example "
            '--retouch "acne on the right cheek", or --retouch all'
        )
    reader = PromptReader(encoder)
    groups = [reader.read(request) for request in requests]
    prompts = tuple(dict.fromkeys(prompt for group in groups for prompt in group))
    numbers = tuple(tuple(prompts.index(prompt) for prompt in group) for group in groups)
    asked = ask_for(prompts, network or encoder)
    return replace(asked, groups=tuple(zip(requests, numbers, strict=True)), remarks=_repetitions(requests, groups))


def ask_for(prompts: Sequence[Prompt], encoder: TextEncoder) -> Asked:
    """Each prompt a request of its own; the encoder is the one that the network was trained with."""
    known = vocabulary()
    fixed = tuple(PREDEFINED.index(prompt) if prompt in PREDEFINED else None for prompt in prompts)
    # The network was trained on the vocabulary; a side beyond it is kept by the region alone.
    words = [
        (prompt if prompt in known else replace(prompt, side=Side.BOTH)).text
        for prompt, number in zip(prompts, fixed, strict=True)
        if number is None
    ]
    groups = tuple((prompt.text, (number,)) for number, prompt in enumerate(prompts))
    (moles,) = encoder.encode([Prompt(Blemish.MOLES).text])
    return Asked(tuple(prompts), groups, fixed, encoder.encode(words), (), moles)


def _repetitions(requests: Sequence[str], groups: Sequence[Sequence[Prompt]]) -> tuple[str, ...]:
    """Lines about requests that another one covers: harmless, but maybe not meant."""
    lines: dict[tuple[int, int], str] = {}
    for i, one in enumerate(groups):
        for j, other in enumerate(groups):
            covered = i != j and all(any(p == q or p.covers(q) for p in one) for q in other)
            if covered and (j, i) not in lines:
                lines[i, j] = f"'{requests[j]}' is part of '{requests[i]}'"
    return tuple(lines.values())
