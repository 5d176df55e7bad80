"""What a recipe can set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceloom.errors import RecipeError
from faceloom.methods.contract import suggest

WEIGHT = "langbrt_small"
"""Name of the weights that come with faceloom."""
MINILM = "minilm"
"""The text encoder that comes with faceloom, where a folder could be given."""


class Options(BaseModel):
    """Settings of langbrt.

    retouch       what is to go, each in a person's own words; given by ``--retouch``.
    checkpoint    name of a weight, or path of a file that ``faceloom train langbrt`` wrote.
    text_encoder  what turns prompts into the vectors that the network takes, as it was trained: ``minilm``, or a folder
                  with CLIP's text tower (``perceive.clip_text``). Requests are understood with MiniLM either way.
    skin          how skin is told from hair, beards, glasses and hands: by the face ``parser``, by ``colour`` and
                  landmarks alone, or ``auto``: by the parser where its weights are here.
    grain         0 to 1: how much of the skin's grain is put back where it went with a blemish; all of it shimmers a
                  little in compressed video.
    workers       frames that go through the networks side by side, one processor thread each; 0 is one for every core.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    retouch: tuple[str, ...] = ()
    checkpoint: str = Field(default=WEIGHT, min_length=1)
    text_encoder: str = Field(default=MINILM, min_length=1)
    skin: Literal["auto", "parser", "colour"] = "auto"
    grain: float = Field(default=0.7, ge=0, le=1)
    workers: int = Field(default=0, ge=0)


def read_options(values: Mapping[str, Any]) -> Options:
    """Checked options. Raises ``RecipeError`` that names the key and what it may be."""
    for name in values:
        if name not in Options.model_fields:
            known = [field for field in Options.model_fields if field != "retouch"]
            hint = suggest(name, known) or f"; there are: {', '.join(known)}"
            raise RecipeError(f"method 'langbrt' has no option '{name}'{hint}")
    try:
        return Options.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"method 'langbrt': option {first['loc'][0]}: {first['msg']}") from error
