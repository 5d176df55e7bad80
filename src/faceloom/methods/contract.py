"""What a method is, and which ones are installed.

A method is any class with the members of ``Method``. It is found through the entry point group
``faceloom.methods``, so a package of your own can add one without touching this one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, ClassVar, Protocol, cast

from faceloom.errors import RecipeError
from faceloom.types import Attribute, Face, Frame, Patch, PromptMap, Recipe, Source, Window
from faceloom.weights import Store

GROUP = "faceloom.methods"
_PREFERRED = ("multiband",)
"""Methods to choose from first when a recipe names none; the others follow in alphabetical order."""
AUTO = "auto"
"""Instead of a method's name: the same as naming none."""
RETOUCH = "retouch"
"""Option that carries a recipe's requests to a method that retouches."""


class Method(Protocol):
    """One editing system.

    ``name``       how users call it.
    ``summary``    one line for ``faceloom methods``.
    ``takes``      attributes that it can take from a source.
    ``needs``      names of the weights that it cannot run without, besides those of face perception.
    ``weights``    optional, of an instance: the same where the options change it, see ``needed_weights``.
    ``store``      optional, of an instance: where it reads weights; ``make_method`` puts the caller's store there.
    ``context``    frames that it wants to see before and after each frame it edits.

    Some retouch by words: see ``Retoucher``.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    takes: ClassVar[frozenset[Attribute]]
    needs: ClassVar[tuple[str, ...]]
    context: ClassVar[int]

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Read the recipe's options; raise RecipeError for a key or value that means nothing here."""

    def prepare(self, sources: Mapping[Attribute, Source]) -> Any:
        """Do once whatever depends on the sources alone. What it returns goes to every ``apply``."""

    def apply(self, window: Window, faces: Sequence[Face | None], prepared: Any) -> list[list[Patch]]:
        """Edit one person in one window.

        Args:
            window: consecutive frames of one shot, context included.
            faces: that person's face in each frame of the window, None where it is not seen.
            prepared: what ``prepare`` returned.

        Returns:
            For each frame of ``window.frames[window.core]``, patches to paste in order; none where there is
            nothing to edit. The same frame must give the same patches however the clip is cut into windows.
        """


class Retoucher(Protocol):
    """A method that also retouches by words. The recipe's requests reach it as the option ``retouch``, a tuple of text.

    ``retouches``  True.
    """

    retouches: ClassVar[bool]

    def understood(self, prepared: Any) -> Sequence[str]:
        """The requests as they were understood."""

    def maps(self, frame: Frame, face: Face, prepared: Any) -> list[PromptMap]:
        """Where each thing asked for is seen on one face; empty for a face that is not retouched."""

    def conclude(self, prepared: Any, where: str) -> list[str]:
        """After the last frame of the clip ``where``: what a person should know about the result.

        Raises:
            FaceError: no face could be retouched, because all are too small; the message states the least size.
        """


def as_retoucher(method: Method) -> Retoucher | None:
    """The method as one that retouches, or None if it does not."""
    return cast(Retoucher, method) if retouches(type(method)) else None


def make_method(recipe: Recipe, store: Store | None = None) -> Method:
    """The method that carries a recipe out, with its options, and reads its weights from ``store``, if one is given.

    Raises RecipeError when there is none.
    """
    chosen = choose(recipe.take, recipe.method, retouch=bool(recipe.retouch))
    method = chosen({**recipe.options, RETOUCH: recipe.retouch} if recipe.retouch else recipe.options)
    if store is not None and hasattr(method, "store"):
        method.store = store
    return method


def needed_weights(method: Method) -> tuple[str, ...]:
    """Names of the weights that a method needs with the options that it was made with."""
    weights: tuple[str, ...] = getattr(method, "weights", method.needs)
    return weights


def installed() -> dict[str, type[Method]]:
    """All methods that can be loaded, by name, in alphabetical order; ``unusable`` has the others."""
    return _load()[0]


def unusable() -> dict[str, str]:
    """Installed methods that cannot be loaded, by name, with the reason: one broken package must not stop the rest."""
    return _load()[1]


def _load() -> tuple[dict[str, type[Method]], dict[str, str]]:
    good: dict[str, type[Method]] = {}
    bad: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            good[point.name] = point.load()
        except Exception as error:  # code of somebody else, which may fail in any way
            bad[point.name] = f"{point.value} cannot be loaded ({type(error).__name__}: {error})"
    return good, bad


def choose(attributes: Iterable[Attribute], name: str | None = None, *, retouch: bool = False) -> type[Method]:
    """The method called ``name``; for None or ``auto``, the preferred one of those that can do what is wanted.

    Args:
        attributes: what is to be taken.
        name: as users call it.
        retouch: whether something is to be retouched, instead of taken.

    Raises:
        RecipeError: no such method, or it cannot take what is asked for.
    """
    wanted, methods = frozenset(attributes), installed()
    if name is not None and name != AUTO:
        if name not in methods:
            if name in (bad := unusable()):
                raise RecipeError(f"method '{name}': {bad[name]}; repair or uninstall the package that brings it")
            raise RecipeError(f"unknown method '{name}'{suggest(name, methods)}; see `faceloom methods`")
        missing = wanted - methods[name].takes
        if retouch and not retouches(methods[name]):
            able = ", ".join(other for other, method in methods.items() if retouches(method)) or "none"
            raise RecipeError(f"method '{name}' does not retouch; methods that do: {able}")
        if missing:
            raise RecipeError(f"method '{name}' cannot take {_listed(missing)}; see `faceloom methods` for what can")
        return methods[name]
    for method in sorted(methods.values(), key=_preference):
        if retouches(method) if retouch else wanted <= method.takes:
            return method
    if retouch:
        raise RecipeError("no installed method retouches; see `faceloom methods`")
    raise RecipeError(f"no installed method takes {_listed(wanted)} at once; see `faceloom methods`")


def retouches(method: type[Method]) -> bool:
    """Whether a method is a ``Retoucher``."""
    return bool(getattr(method, "retouches", False))


def _preference(method: type[Method]) -> tuple[int, str]:
    rank = _PREFERRED.index(method.name) if method.name in _PREFERRED else len(_PREFERRED)
    return rank, method.name


def suggest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'nose'?`` for the nearest of the known words, or nothing when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def _listed(attributes: Iterable[Attribute]) -> str:
    return ", ".join(sorted(attribute.value for attribute in attributes))
