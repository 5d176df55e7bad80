"""Methods as a benchmark names them: ``name`` or ``name:key=value,key=value``; installed ones and the baselines."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from faceloom.errors import RecipeError
from faceloom.evaluate.baselines import SeamlessClone, UnwarpedPaste
from faceloom.methods.contract import Method, choose, installed, suggest, unusable
from faceloom.types import Attribute

BASELINES: Mapping[str, type[Method]] = {method.name: method for method in (UnwarpedPaste, SeamlessClone)}
"""What a part transfer has to beat; known to benchmarks only."""
ABLATIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "vpartswap-ablations": ("vpartswap", ("", "inject=off", "tps=off", "stochastic=off", "attention=off")),
}
"""Name for several methods at once -> the method, and what is switched off in each.

V-PartSwap's four components (its figure 2), each left out alone: blending of semantic features, alignment of the
reference, blending of the stochastic code at the boundary, attention along the flow.
"""


@dataclass(frozen=True)
class MethodSpec:
    """A method and its settings; ``text`` is how the user wrote it, and its name in every table."""

    text: str
    name: str
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def slug(self) -> str:
        """A name for a folder; different for different texts."""
        plain = re.sub(r"[^A-Za-z0-9_.=-]+", "-", self.text)
        return plain if plain == self.text else f"{plain}-{hashlib.sha256(self.text.encode()).hexdigest()[:6]}"

    @property
    def is_baseline(self) -> bool:
        """True for what the methods are compared with."""
        return self.name in BASELINES

    def method(self, parts: Iterable[Attribute] = ()) -> type[Method]:
        """The class. Raises RecipeError when no such method is installed, or it cannot take ``parts``."""
        return BASELINES.get(self.name) or choose(parts, self.name)


def parse_methods(text: str) -> list[MethodSpec]:
    """``multiband,vpartswap:tps=off,steps=20`` as methods: a piece ``key=value`` belongs to the method before it.

    Values are read as TOML (numbers, true, "text"), anything else is text, as for ``faceloom edit --option``: what
    "off" means is the method's to say. A name of ``ABLATIONS`` stands for its methods, each with the options written
    behind it. Every method is looked up and given its options, so that a mistake is found before anything is edited.

    Raises:
        RecipeError: an unknown method or option, an option without a method, the same method twice, or none at all.
    """
    texts: list[str] = []
    for piece in (piece.strip() for piece in text.split(",")):
        if not piece:
            continue
        is_option = "=" in piece and ":" not in piece.partition("=")[0]
        if is_option and not texts:
            raise RecipeError(f"--methods '{text}': '{piece}' comes before any method; write name:{piece}")
        if is_option:
            texts[-1] += ("," if ":" in texts[-1] else ":") + piece
        else:
            texts.append(piece)
    if not texts:
        raise RecipeError("--methods names no method; for example --methods multiband,unwarped_paste,seamless_clone")
    texts = [method for one in texts for method in _spelt_out(one)]
    if doubled := next((one for one in texts if texts.count(one) > 1), None):
        raise RecipeError(f"--methods names '{doubled}' twice; keep one of them")
    return [_spec(one) for one in texts]


def _spelt_out(text: str) -> list[str]:
    """What a name of ``ABLATIONS`` stands for, or the text itself."""
    name, _, settings = text.partition(":")
    if name.strip() not in ABLATIONS:
        return [text]
    method, switched = ABLATIONS[name.strip()]
    return [":".join(filter(None, (method, _with_option(settings, off)))) for off in switched]


def _with_option(settings: str, off: str) -> str:
    """``settings`` with one more, which takes the place of what they say about the same option."""
    key = off.partition("=")[0]
    kept = [pair for pair in settings.split(",") if pair and pair.partition("=")[0].strip() != key]
    return ",".join([*kept, off] if off else kept)


def _spec(text: str) -> MethodSpec:
    name, _, settings = text.partition(":")
    options = [_option(text, pair) for pair in settings.split(",") if pair]
    spec = MethodSpec(text, name.strip(), tuple(options))
    if spec.name not in BASELINES and spec.name not in {**installed(), **unusable()}:
        known = [*installed(), *BASELINES, *ABLATIONS]
        raise RecipeError(
            f"--methods: unknown method '{spec.name}'{suggest(spec.name, known)}; known are {', '.join(known)}"
        )
    spec.method()(dict(spec.options))
    return spec


def _option(text: str, pair: str) -> tuple[str, Any]:
    key, separator, value = (piece.strip() for piece in pair.partition("="))
    if not separator or not key or not value:
        raise RecipeError(f"--methods '{text}': '{pair}' is not of the form key=value")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value
