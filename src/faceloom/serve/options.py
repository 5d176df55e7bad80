"""``name=value`` settings of a method, as typed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

from faceloom.errors import RecipeError


def parse_options(pairs: Iterable[str]) -> dict[str, Any]:
    """``--option`` flags as a table; a value that reads as TOML (number, true, list) is one, else it is text.

    Raises:
        RecipeError: a flag is not of the form ``name=value``.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise RecipeError(f"--option '{pair}' is not of the form name=value")
        try:
            options[name] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            options[name] = text
    return options
