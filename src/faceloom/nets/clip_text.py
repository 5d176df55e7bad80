"""CLIP's text tower, which Alpha-CLIP shares: a causal transformer whose last token describes a sentence.

Radford et al., Learning Transferable Visual Models From Natural Language Supervision (CLIP), ICML 2021; Sun et al.,
Alpha-CLIP, CVPR 2024. Two public layouts are read: that of the Hugging Face models CLIPModel and
CLIPTextModelWithProjection, and OpenAI's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from faceloom.errors import WeightsError
from faceloom.nets.layouts import CLIP_BLOCK, HEAD_WIDTH, Layout, depth, renamed
from faceloom.nets.vit import Block

IMAGE_TOWER = ("vision_model.", "visual_projection.", "visual.")
"""Beginnings of the entries that the image tower has in either layout."""


@dataclass(frozen=True)
class ClipTextConfig:
    """Everything that shapes the network.

    vocabulary   number of tokens.
    length       most tokens of a sentence, the marks of its beginning and end among them.
    width        of a token; heads divide it.
    hidden       of the two-layer network in each block.
    projection   length of a vector.
    quick_gelu   ``x sigmoid(1.702 x)`` as OpenAI's models have it, else the exact GELU.
    """

    vocabulary: int
    length: int
    width: int
    depth: int
    heads: int
    hidden: int
    projection: int
    quick_gelu: bool = True
    eps: float = 1e-5


class ClipTextTower(nn.Module):
    """One vector per sentence.

    Input (B, N) int64 tokens, N at most ``length``; the last one marks the end of the text. Output (B, projection),
    not normalised. What a sentence is padded with behind its end plays no part in CLIP, so nothing is padded here.
    """

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.tokens = nn.Embedding(config.vocabulary, width)
        self.positions = nn.Parameter(torch.zeros(config.length, width))
        shape = width, config.heads, config.hidden, config.eps
        self.blocks = nn.ModuleList(
            Block(*shape, quick_gelu=config.quick_gelu, causal=True) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(width, config.eps)
        self.project = nn.Linear(width, config.projection, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N) to (B, projection)."""
        x = self.tokens(tokens) + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.project(self.norm(x[:, -1]))


_HUGGING_FACE = Layout(
    marker="text_model.embeddings.token_embedding.weight",
    outside={
        "text_model.embeddings.token_embedding.weight": "tokens.weight",
        "text_model.embeddings.position_embedding.weight": "positions",
        "text_model.final_layer_norm.weight": "norm.weight",
        "text_model.final_layer_norm.bias": "norm.bias",
        "text_projection.weight": "project.weight",
    },
    block="text_model.encoder.layers.",
    inside=CLIP_BLOCK,
    eps=1e-5,
    ignored=(*IMAGE_TOWER, "logit_scale", "text_model.embeddings.position_ids"),
)
_OPENAI = Layout(
    marker="token_embedding.weight",
    outside={
        "token_embedding.weight": "tokens.weight",
        "positional_embedding": "positions",
        "ln_final.weight": "norm.weight",
        "ln_final.bias": "norm.bias",
        "text_projection": "project.weight",
    },
    block="transformer.resblocks.",
    inside={
        "ln_1": "norm1",
        "ln_2": "norm2",
        "attn.query": "query",
        "attn.key": "key",
        "attn.value": "value",
        "attn.out_proj": "out",
        "mlp.c_fc": "fc1",
        "mlp.c_proj": "fc2",
    },
    eps=1e-5,
    ignored=(*IMAGE_TOWER, "logit_scale", "logit_bias", "input_resolution", "context_length", "vocab_size"),
)


def clip_text_from(
    checkpoint: Mapping[str, Tensor], *, heads: int | None = None, quick_gelu: bool = True
) -> ClipTextTower:
    """The network with the weights of a public checkpoint, in evaluation mode, gradients off.

    Args:
        checkpoint: its state dictionary; an image tower may be there and is left out.
        heads: attention heads; None takes width / 64, as in all published models.
        quick_gelu: see ``ClipTextConfig``; shapes do not tell.

    Raises:
        WeightsError: neither layout, or an entry that is missing, unknown or of the wrong shape.
    """
    layout = next((one for one in (_HUGGING_FACE, _OPENAI) if one.marker in checkpoint), None)
    if layout is None:
        raise WeightsError(
            "the checkpoint has no text tower of CLIP, in Hugging Face's layout or OpenAI's; files of Alpha-CLIP hold "
            "the image tower alone: its text tower is that of the CLIP model it was made from"
        )
    if layout is _OPENAI:
        checkpoint = _as_linear(checkpoint)
    state = {name: value.float() for name, value in renamed(checkpoint, layout, "text tower of CLIP").items()}
    net = ClipTextTower(_config(state, layout.eps, heads, quick_gelu))
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"the checkpoint does not fit the text tower of CLIP: {error}") from error
    return net.eval().requires_grad_(False)


def _as_linear(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's entries with queries, keys and values apart, and the projection as a linear layer has it."""
    state: dict[str, Tensor] = {}
    for name, value in checkpoint.items():
        if name.startswith(_OPENAI.block) and ".attn.in_proj_" in name:
            if not value.dim() or len(value) % 3:
                raise WeightsError(f"'{name}' of the checkpoint is {tuple(value.shape)}: not three layers in one")
            for part, rows in zip(("query", "key", "value"), value.chunk(3), strict=True):
                state[name.replace("in_proj_", f"{part}.")] = rows
        else:
            state[name] = value.T if name == "text_projection" else value
    return state


def _config(state: Mapping[str, Tensor], eps: float, heads: int | None, quick_gelu: bool) -> ClipTextConfig:
    try:
        vocabulary, width = state["tokens.weight"].shape[0], state["tokens.weight"].shape[-1]
        config = ClipTextConfig(
            vocabulary=vocabulary,
            length=len(state["positions"]),
            width=width,
            depth=depth(state),
            heads=heads or max(1, width // HEAD_WIDTH),
            hidden=state["blocks.0.fc1.weight"].shape[0],
            projection=state["project.weight"].shape[0],
            quick_gelu=quick_gelu,
            eps=eps,
        )
    except KeyError as error:
        raise WeightsError(
            f"the checkpoint of the text tower of CLIP has no {error}; the whole tower, with projection, is needed"
        ) from error
    if width % config.heads:
        raise WeightsError(f"{config.heads} heads do not divide the text tower's width of {width}")
    return config
