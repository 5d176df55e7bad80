"""The settings of V-PartSwap, read from a recipe."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceloom.errors import RecipeError


class Options(BaseModel):
    """What can be set with ``--option name=value``. Switching a component off is for ablation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: str = Field("diffae_small128", min_length=1)
    """Name of a weight, or path of a checkpoint (``.safetensors`` or a public ``.ckpt``)."""
    steps_invert: int = Field(20, ge=1, le=1000)
    """Steps from picture to noise."""
    steps_render: int = Field(20, ge=1, le=1000)
    """Steps from noise to picture."""
    inversion: Literal["exact", "ddim"] = "exact"
    """``exact`` undoes the rendering steps one by one and needs as many of them; ``ddim`` is the official inversion."""
    depth: float | None = Field(None, gt=0, le=1)
    """How far to invert, as a share of the steps: 1 to pure noise (the paper), less keeps colours and layout. What the
    checkpoint recommends unless given."""
    inject: str = "all"
    """Encoder blocks at which reference features are blended in: ``all``, ``off``, or a range of them such as 3-8."""
    tps: bool = True
    """Warp the reference to every frame's landmarks; a nose is only moved, turned and scaled."""
    layers: bool = True
    """Warp lips and lids apart, as multiband does, so that open and closed ones fit each other."""
    stochastic: Literal["band", "region", "collage", "off"] | None = None
    """What of the stochastic code is the reference's: the edge of the part (the paper), all of the part, or nothing;
    ``collage`` inverts the target with the part pasted in. What the checkpoint recommends unless given."""
    band: float = Field(0.10, gt=0, le=1)
    """Width of that band, in inter-ocular distances."""
    attention: Literal["off", "dis", "raft"] = "dis"
    """Flow that guides the attention between frames."""
    light: bool = True
    """Light the reference like the target's skin before it is encoded."""
    colour: bool = True
    """Match what is rendered to the target over the pixels around the part."""
    detail: Literal["multiband", "off"] = "multiband"
    """Where detail finer than the network's pixels comes from."""
    batch: int = Field(8, ge=1)
    """Frames that go through the network together; halved when memory does not suffice."""
    device: str = "auto"
    """torch device; ``auto`` takes a GPU if there is one."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What the network computes in."""
    compile: bool = False
    """Compile the network: pays for long clips on a GPU."""


_PAPER = {"depth": 1.0, "stochastic": "band"}


def settle(options: Options, recommended: Mapping[str, Any]) -> Options:
    """The options with what was left open filled in: what the checkpoint recommends, else what the paper does."""
    open_ones = {name: value for name, value in {**_PAPER, **recommended}.items() if getattr(options, name, 0) is None}
    return Options.model_validate({**options.model_dump(), **open_ones})


def read_options(given: Mapping[str, Any]) -> Options:
    """The options of a recipe. Raises ``RecipeError`` for an unknown name or a value that means nothing."""
    for name in given:
        if name not in Options.model_fields:
            near = difflib.get_close_matches(name, Options.model_fields, n=1, cutoff=0.5)
            hint = f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(Options.model_fields)}"
            raise RecipeError(f"method 'vpartswap' has no option '{name}'{hint}")
    try:
        options = Options.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"method 'vpartswap': option {first['loc'][0]}: {first['msg']}") from error
    if options.inversion == "exact" and options.steps_invert != options.steps_render:
        given_counts = {"steps_invert", "steps_render"} & given.keys()
        if len(given_counts) != 1:
            raise RecipeError(
                f"method 'vpartswap': exact inversion takes as many steps as rendering, got {options.steps_invert} and "
                f"{options.steps_render}; give one of the two, or option inversion=ddim"
            )
        count = getattr(options, given_counts.pop())
        options = options.model_copy(update={"steps_invert": count, "steps_render": count})
    read_blocks(options.inject, 1 << 30)
    return options


def read_blocks(text: str, count: int) -> range:
    """Encoder blocks that ``inject`` names, out of ``count``. Raises ``RecipeError``."""
    if text in ("all", "off"):
        return range(count) if text == "all" else range(0)
    first, dash, last = text.partition("-")
    if dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last) < count:
        return range(int(first), int(last) + 1)
    raise RecipeError(
        f"method 'vpartswap': option inject: '{text}' is neither 'all' nor 'off' nor a range of encoder blocks such as "
        "3-8" + (f"; the last block is {count - 1}" if count < 1 << 30 else "")
    )
