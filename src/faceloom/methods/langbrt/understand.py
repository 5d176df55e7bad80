"""Free text to prompts: the place by its words, the kind of blemish by what the rest means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import RecipeError
from faceloom.methods.langbrt.prompts import (
    AREAS,
    NO_BLEMISHES,
    PLACED_WORDS,
    TABLE,
    UNDER_THE_EYES,
    WORDS,
    Area,
    Blemish,
    Prompt,
    Side,
)
from faceloom.perceive.text import TextEncoder

ALL = frozenset({"all", "everything", "all blemishes", "imperfections", "all imperfections", "remove everything"})
"""Requests for the whole table."""
_LEAST = 0.5
"""Cosine from which two words mean the same. Of 40 requests, those for something else reach 0.49, as in "beard" for
"blackheads", and those that are meant "glossy nose" 0.50."""
_NEAREST = 3

_AREA_WORDS: tuple[tuple[str, Area], ...] = (
    (r"foreheads?|brows?", Area.FOREHEAD),
    (r"cheeks?|cheekbones?", Area.CHEEKS),
    (r"noses?|nostrils?", Area.NOSE),
    (r"chins?|jaws?|jawlines?", Area.CHIN),
    (r"eyes?|eyelids?|lids?|temples?", Area.EYES),
    (r"mouths?|lips?", Area.MOUTH),
    (r"faces?|skin|everywhere|whole", Area.FACE),
)
# Placed where a preposition or a side makes it a place: "puffy eyes" and "oily skin" say what, not where.
_ANY_AREA = "|".join(words for words, _ in _AREA_WORDS)
_PLACE = re.compile(
    r"\b(?:(?:on|in|at|of|from|under|below|beneath|around|near|above|over|between|across|along|next to)\s+)?"
    r"(?:(?:the|my|his|her|their|your|both|whole|entire)\s+)*(?:(?:left|right)\s+)?(?:(?:hand\s+)?side\s+of\s+)?"
    rf"(?:(?:the|my|his|her|their|your)\s+)?\b(?:{_ANY_AREA})\b"
)
_SIDE = re.compile(r"\b(left|right)\b")
_SIDE_OF = r"\b(left|right)\s+(?:hand\s+)?(?:side\s+of\s+)?(?:(?:the|my|his|her|their|your)\s+)?(?:%s)\b"
_REQUEST = re.compile(
    r"\b(?:please|remove|removes?|delete|erase|clear|clean|fix|hide|reduce|retouch|smooth(?: out)?|soften|heal|cover|"
    r"get rid of|take (?:away|off)|make .{0,20}? (?:go away|disappear)|all|any|some|the|my|his|her|their|your|a|an|"
    r"these|those|and|on|side)\b"
)
_FOREIGN = re.compile(
    r"[^\W\d_a-z]|\b(?:en|el|la|los|las|del|de|sur|le|les|des|du|sous|der|das|dem|den|auf|unter|und|il|sul|sotto)\b"
)
_KEEPING = re.compile(r"\b(?:keep|leave|except|but|without|don't|do not|not)\b")


class PromptReader:
    """Understands requests with a text encoder."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder

    def read(self, text: str) -> tuple[Prompt, ...]:
        """What a request asks for: one prompt for each area it names; ``all`` is the whole table.

        Raises:
            RecipeError: empty; says what to keep; names both or contrary sides of one place, a place where the blemish
                is not found, or nothing that is retouched. The message names the nearest prompts.
        """
        said = " ".join(text.lower().replace("’", "'").split()).strip(" .,!")
        if said in ALL:
            return TABLE
        if not any(character.isalpha() for character in said):
            raise RecipeError(f"the retouch request '{text}' is empty; say what is to go, as in: {TABLE[2].text}")
        if _FOREIGN.search(said):
            raise RecipeError(f"the retouch request '{text}' is not English, which is all that is understood here")
        if found := _KEEPING.search(said):
            raise RecipeError(
                f"the retouch request '{text}' says what to keep ('{found.group()}'); name only what is to go"
            )
        blemish, implied = self._blemish(said, text)
        prompts = tuple(Prompt(blemish, area, side) for area, side in _places(said, text, blemish, implied))
        _check_places(prompts, text)
        return prompts

    def nearest(self, text: str, count: int = _NEAREST) -> tuple[Prompt, ...]:
        """The prompts of the table whose words are nearest in meaning."""
        likeness = self._table @ self.encoder.encode([text])[0]
        return tuple(TABLE[index] for index in np.argsort(-likeness)[:count])

    def _blemish(self, said: str, text: str) -> tuple[Blemish, Area | None]:
        """The kind, and the area if the word for it implies one."""
        bare = _bare(said)
        for words in dict.fromkeys((bare, said)):
            likeness = self._words @ self.encoder.encode([words])[0]
            best = int(likeness.argmax())
            kind, area = self._meanings[best]
            if kind is not None and likeness[best] >= _LEAST:
                return kind, area
            if kind is None and likeness[best] >= _LEAST:
                break  # clearly something else
        near = "; ".join(f"'{prompt.text}'" for prompt in self.nearest(text))
        raise RecipeError(
            f"nothing that can be retouched is named in '{text}' (English words are understood). Nearest are {near}; "
            f"known are {', '.join(Blemish)}"
        )

    @cached_property
    def _meanings(self) -> list[tuple[Blemish | None, Area | None]]:
        """What each row of ``_words`` stands for; (None, None) is something that is not retouched."""
        kinds: list[tuple[Blemish | None, Area | None]] = [(kind, None) for kind, words in WORDS.items() for _ in words]
        return [*kinds, *PLACED_WORDS.values(), *((None, None) for _ in NO_BLEMISHES)]

    @cached_property
    def _words(self) -> NDArray[np.float32]:
        return self.encoder.encode([*(w for words in WORDS.values() for w in words), *PLACED_WORDS, *NO_BLEMISHES])

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        return self.encoder.encode([prompt.text for prompt in TABLE])


def contradictions(prompts: Iterable[Prompt]) -> list[str]:
    """Lines about prompts that say the same thing twice: harmless, but maybe not meant."""
    unique, lines = list(dict.fromkeys(prompts)), []
    for one in unique:
        lines += [f"'{one.text}' covers '{other.text}'" for other in unique if other != one and one.covers(other)]
    return lines


def _bare(said: str) -> str:
    """The request without places and verbs; whole if nothing is left."""
    bare = " ".join(_SIDE.sub(" ", _REQUEST.sub(" ", _PLACE.sub(_kept, said))).split())
    return bare or said


def _kept(match: re.Match[str]) -> str:
    """Nothing, or the words themselves where they are part of a name: "puffy eyes" but not "around the eyes"."""
    return " " if " " in match.group().strip() else match.group()


def _places(said: str, text: str, blemish: Blemish, implied: Area | None) -> tuple[tuple[Area, Side], ...]:
    """Areas with their sides. A side belongs to the area whose word follows it; with one area it may stand anywhere."""
    # Of "puffy eyes" and "bags under the eyes" the place is known, and "skin" is everywhere.
    named = {area: words for words, area in _AREA_WORDS if re.search(rf"\b(?:{words})\b", said) and area != Area.FACE}
    if not named:
        default = Area.EYES if blemish in UNDER_THE_EYES else implied or Area.FACE
        return ((default, _one_side(_SIDE.findall(said), text)),)
    if len(named) == 1:
        return ((next(iter(named)), _one_side(_SIDE.findall(said), text)),)
    return tuple((area, _one_side(re.findall(_SIDE_OF % words, said), text)) for area, words in named.items())


def _one_side(found: Sequence[str], text: str) -> Side:
    sides = set(found)
    if len(sides) > 1:
        raise RecipeError(f"the retouch request '{text}' names both sides; leave both out, or ask for each on its own")
    return Side(sides.pop()) if sides else Side.BOTH


def _check_places(prompts: Iterable[Prompt], text: str) -> None:
    for prompt in prompts:
        if prompt.area not in AREAS[prompt.blemish]:
            known = ", ".join(area for area in AREAS[prompt.blemish])
            raise RecipeError(f"'{text}': {prompt.blemish} are not looked for there, only on {known}")
