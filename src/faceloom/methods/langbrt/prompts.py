"""What can be asked for: kind of blemish x area of the face x side, in one table.

The three pre-defined prompts and the seventeen of users' own are the numbers of LangBRT (section 4.1.2); the paper
names the three and leaves the seventeen open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Blemish(StrEnum):
    """Kinds of blemishes. A mole is one only for who asks for it: ``TABLE`` has none."""

    ACNE = "acne"
    SPOTS = "spots"
    FRECKLES = "freckles"
    SCARS = "scars"
    WRINKLES = "wrinkles"
    DARK_CIRCLES = "dark circles"
    EYE_BAGS = "eye bags"
    REDNESS = "redness"
    SHINE = "shine"
    MOLES = "moles"


class Area(StrEnum):
    """Areas of the face that words can name. FACE is all of them."""

    FACE = "face"
    FOREHEAD = "forehead"
    CHEEKS = "cheeks"
    NOSE = "nose"
    CHIN = "chin"
    EYES = "eyes"
    MOUTH = "mouth"


class Side(StrEnum):
    """The subject's left or right, or both."""

    BOTH = "both"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, order=True)
class Prompt:
    """One thing to retouch, somewhere."""

    blemish: Blemish
    area: Area = Area.FACE
    side: Side = Side.BOTH

    @property
    def text(self) -> str:
        """The prompt in plain words, as in "acne on the right cheek"."""
        return _joined(_NAMES.get(self.blemish, self.blemish.value), self)

    @property
    def place(self) -> str:
        """Where, in words: "on the right cheek"; "on the left side of the face"; empty for the whole face."""
        preposition, one, many = _PLACES[self.area]
        if self.blemish in UNDER_THE_EYES:
            preposition = "under"
        if self.side == Side.BOTH:
            return f"{preposition} the {many}" if many else ""
        return f"{preposition} the {one.format(side=self.side.value)}"

    def covers(self, other: Prompt) -> bool:
        """Whether whoever asks for this asks for ``other`` too: the same kind, in an area and on a side within."""
        return (
            self.blemish == other.blemish
            and self.area in (Area.FACE, other.area)
            and self.side in (Side.BOTH, other.side)
        )

    def mirrored(self) -> Prompt:
        """The same on the other side."""
        return Prompt(self.blemish, self.area, _OTHER_SIDE[self.side])


UNDER_THE_EYES = (Blemish.DARK_CIRCLES, Blemish.EYE_BAGS)
"""Kinds that are nowhere else."""

# Preposition, words for one side, words for both sides.
_PLACES: dict[Area, tuple[str, str, str]] = {
    Area.FACE: ("on", "{side} side of the face", ""),
    Area.FOREHEAD: ("on", "{side} side of the forehead", "forehead"),
    Area.CHEEKS: ("on", "{side} cheek", "cheeks"),
    Area.NOSE: ("on", "{side} side of the nose", "nose"),
    Area.CHIN: ("on", "{side} side of the chin", "chin"),
    Area.EYES: ("around", "{side} eye", "eyes"),
    Area.MOUTH: ("around", "{side} side of the mouth", "mouth"),
}
_NAMES = {Blemish.EYE_BAGS: "bags"}
"""Where the kind's own name would say the place twice."""
_OTHER_SIDE = {Side.BOTH: Side.BOTH, Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}

PREDEFINED: tuple[Prompt, ...] = (
    Prompt(Blemish.DARK_CIRCLES, Area.EYES),
    Prompt(Blemish.WRINKLES, Area.FOREHEAD),
    Prompt(Blemish.ACNE, Area.CHEEKS, Side.RIGHT),
)
"""Prompts with a mapping layer of their own in the network (LangBRT, section 3.2)."""

USER_PROMPTS: tuple[Prompt, ...] = (
    Prompt(Blemish.ACNE, Area.CHEEKS, Side.LEFT),
    Prompt(Blemish.ACNE, Area.FOREHEAD),
    Prompt(Blemish.ACNE, Area.NOSE),
    Prompt(Blemish.ACNE, Area.CHIN),
    Prompt(Blemish.ACNE, Area.MOUTH),
    Prompt(Blemish.SPOTS),
    Prompt(Blemish.FRECKLES),
    Prompt(Blemish.FRECKLES, Area.CHEEKS),
    Prompt(Blemish.SCARS),
    Prompt(Blemish.WRINKLES, Area.EYES),
    Prompt(Blemish.WRINKLES, Area.MOUTH),
    Prompt(Blemish.EYE_BAGS, Area.EYES),
    Prompt(Blemish.REDNESS, Area.CHEEKS),
    Prompt(Blemish.REDNESS, Area.NOSE),
    Prompt(Blemish.REDNESS, Area.CHIN),
    Prompt(Blemish.SHINE, Area.FOREHEAD),
    Prompt(Blemish.SHINE),
)
"""Prompts that the network reads as it reads any words."""

TABLE: tuple[Prompt, ...] = PREDEFINED + USER_PROMPTS
"""What ``all`` means. The order is part of trained weights."""

_A, _S = Area, Side
_ONE_OR_BOTH = (Side.BOTH, Side.LEFT, Side.RIGHT)
AREAS: dict[Blemish, tuple[Area, ...]] = {
    Blemish.ACNE: (_A.FACE, _A.FOREHEAD, _A.CHEEKS, _A.NOSE, _A.CHIN, _A.MOUTH),
    Blemish.SPOTS: (_A.FACE, _A.FOREHEAD, _A.CHEEKS, _A.NOSE, _A.CHIN),
    Blemish.FRECKLES: (_A.FACE, _A.FOREHEAD, _A.CHEEKS, _A.NOSE),
    Blemish.SCARS: (_A.FACE, _A.FOREHEAD, _A.CHEEKS, _A.CHIN),
    Blemish.WRINKLES: (_A.FACE, _A.FOREHEAD, _A.EYES, _A.MOUTH),
    Blemish.DARK_CIRCLES: (_A.EYES,),
    Blemish.EYE_BAGS: (_A.EYES,),
    Blemish.REDNESS: (_A.FACE, _A.CHEEKS, _A.NOSE, _A.CHIN),
    Blemish.SHINE: (_A.FACE, _A.FOREHEAD, _A.CHEEKS, _A.NOSE, _A.CHIN),
    Blemish.MOLES: (_A.FACE, _A.FOREHEAD, _A.CHEEKS, _A.NOSE, _A.CHIN, _A.MOUTH),
}
"""Where each kind is found."""


def vocabulary() -> tuple[Prompt, ...]:
    """Everything that can be asked for, ``TABLE`` first; cheeks and eyes also one at a time."""
    found = dict.fromkeys(TABLE)
    for blemish, areas in AREAS.items():
        for area in areas:
            sides: Iterable[Side] = _ONE_OR_BOTH if area in (Area.CHEEKS, Area.EYES) else (Side.BOTH,)
            found.update(dict.fromkeys(Prompt(blemish, area, side) for side in sides))
    return tuple(found)


WORDS: dict[Blemish, tuple[str, ...]] = {
    Blemish.ACNE: ("acne", "pimples", "zits", "blackheads", "breakouts", "pustules"),
    Blemish.SPOTS: (
        "spots",
        "dark spots",
        "age spots",
        "brown spots",
        "sun damage",
        "blemishes",
        "uneven pigmentation",
    ),
    Blemish.FRECKLES: ("freckles", "freckled skin"),
    Blemish.SCARS: ("scars", "acne scars", "pock marks", "pitted skin"),
    Blemish.WRINKLES: ("wrinkles", "fine lines", "frown lines", "furrows", "creases"),
    Blemish.DARK_CIRCLES: ("dark circles", "dark rings", "dark shadows under the eyes", "tired eyes", "panda eyes"),
    Blemish.EYE_BAGS: ("eye bags", "bags", "puffiness", "puffy eyes", "swollen lower lids"),
    Blemish.REDNESS: (
        "redness",
        "red skin",
        "rosacea",
        "blotchy red patches",
        "flushed skin",
        "rash",
        "eczema",
        "irritated skin",
    ),
    Blemish.SHINE: ("shine", "shiny skin", "oily skin", "greasy skin", "glossy skin", "glare"),
    Blemish.MOLES: ("moles", "a mole", "beauty marks", "birthmarks"),
}
"""Words for each kind; the first is the kind's own name. Training reads them all."""

PLACED_WORDS: dict[str, tuple[Blemish, Area]] = {
    "crow's feet": (Blemish.WRINKLES, Area.EYES),
    "laugh lines": (Blemish.WRINKLES, Area.MOUTH),
    "smile lines": (Blemish.WRINKLES, Area.MOUTH),
    "nasolabial folds": (Blemish.WRINKLES, Area.MOUTH),
    "worry lines": (Blemish.WRINKLES, Area.FOREHEAD),
}
"""Words that say where as well."""

NO_BLEMISHES: tuple[str, ...] = (
    "tattoo", "beard", "moustache", "stubble", "hair", "eyebrows", "glasses", "hat", "earring",
    "teeth", "smile", "lips", "lipstick", "make-up", "eye colour", "double chin", "nose shape", "skin colour", "car",
    "clothes", "background", "person", "younger", "expression",
)  # fmt: skip
"""Things that people ask for and that are not retouched; a request nearer to one of these is refused."""


def phrases(prompt: Prompt) -> tuple[str, ...]:
    """Ways to ask for it, ``prompt.text`` first; those that training draws from."""
    ways = [prompt.text, *(_joined(word, prompt) for word in WORDS[prompt.blemish])]
    ways += [word for word, (blemish, area) in PLACED_WORDS.items() if Prompt(blemish, area) == prompt]
    return tuple(dict.fromkeys(ways))


def _joined(word: str, prompt: Prompt) -> str:
    """The words of a kind with the place, which is left out where the words say it already."""
    said = prompt.area == Area.EYES and prompt.side == Side.BOTH and "eyes" in word
    return word if said or not prompt.place else f"{word} {prompt.place}"
