"""What the entries of public checkpoints are called, and what they are called here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from faceloom.errors import WeightsError

HEAD_WIDTH = 64
"""Of an attention head, in all published models."""
CLIP_BLOCK = {
    "layer_norm1": "norm1",
    "layer_norm2": "norm2",
    "self_attn.q_proj": "query",
    "self_attn.k_proj": "key",
    "self_attn.v_proj": "value",
    "self_attn.out_proj": "out",
    "mlp.fc1": "fc1",
    "mlp.fc2": "fc2",
}
"""Layers of a block of either tower of CLIP."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Names of one kind of transformer.

    marker   an entry that only this layout has.
    outside  entries outside the blocks, and their names here.
    block    what the blocks' entries begin with, before their number; here they are ``blocks.``.
    inside   layers of a block (without ``.weight`` and ``.bias``) or its parameters, and their names here.
    eps      of the normalisations; no checkpoint has it.
    ignored  beginnings of entries that take no part.
    """

    marker: str
    outside: Mapping[str, str]
    block: str
    inside: Mapping[str, str]
    eps: float
    ignored: tuple[str, ...] = ()


def renamed(checkpoint: Mapping[str, Tensor], layout: Layout, what: str) -> dict[str, Tensor]:
    """The entries under their names here; ``what`` is the network. Raises ``WeightsError`` for an unknown one."""
    state = {}
    for name, value in checkpoint.items():
        if name.startswith(layout.ignored):
            continue
        own = layout.outside.get(name) or _in_block(name, layout)
        if own is None:
            raise WeightsError(f"the checkpoint of the {what} has an unknown entry '{name}'")
        state[own] = value
    return state


def depth(state: Mapping[str, Tensor]) -> int:
    """Number of blocks among renamed entries."""
    return len({name.split(".")[1] for name in state if name.startswith("blocks.")})


def _in_block(name: str, layout: Layout) -> str | None:
    found = re.fullmatch(rf"{re.escape(layout.block)}(\d+)\.(.+?)(\.weight|\.bias)?", name)
    own = layout.inside.get(found[2]) if found else None
    return f"blocks.{found[1]}.{own}{found[3] or ''}" if found and own else None
