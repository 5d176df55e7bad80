"""What a recipe can set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceloom.errors import RecipeError
from faceloom.weights.store import default_home

GENERATOR = "unifacegan.safetensors"
"""Name, in the folder of weights, of trained networks that are used without being asked for."""


class Options(BaseModel):
    """Settings of unifacegan.

    proportions  0 to 1: how far nose, cheeks and lips keep the source's size and place in the face; 0 puts all of them
                 where the target has its own.
    light        0 to 1: how far the target's light goes over the source's face; 0 keeps the light of the source.
    generator    file of trained networks that draw the face instead of the blend, as ``faceloom train unifacegan``
                 writes it; empty takes ``unifacegan.safetensors`` of the weights folder if it is there, ``none`` does
                 not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    proportions: float = Field(default=0.6, ge=0, le=1)
    light: float = Field(default=1.0, ge=0, le=1)
    generator: str = ""


def generator_file(options: Options) -> Path | None:
    """The file of trained networks to use, which may be missing if the option names it; None for the blend."""
    if options.generator:
        return None if options.generator == "none" else Path(options.generator)
    own = default_home() / "weights" / GENERATOR
    return own if own.is_file() else None


def read_options(values: Mapping[str, Any]) -> Options:
    """Checked options. Raises ``RecipeError`` that names the key and its range."""
    try:
        return Options.model_validate(dict(values))
    except ValidationError as error:
        known = ", ".join(Options.model_fields)
        problems = "; ".join(
            f"option {'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}" for problem in error.errors()
        )
        raise RecipeError(f"method 'unifacegan': {problems}; its options are {known}") from error
