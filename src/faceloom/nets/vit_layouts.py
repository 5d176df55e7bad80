"""Public checkpoints of vision transformers, read into ``vit.ViT``: CLIP's image tower, DINOv2, DINO.

The layouts are those of the Hugging Face models CLIPModel (or CLIPVisionModelWithProjection), Dinov2Model and ViTModel.
Shapes tell the size of the network; the width of an attention head is 64 in all published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from faceloom.errors import WeightsError
from faceloom.nets.layouts import CLIP_BLOCK, HEAD_WIDTH, Layout, depth, renamed
from faceloom.nets.vit import ViT, ViTConfig


@dataclass(frozen=True, kw_only=True)
class _Layout(Layout):
    """``required`` are entries, by their names here, that the shapes cannot do without."""

    quick_gelu: bool = False
    required: tuple[str, ...] = ()


_CLIP = _Layout(
    marker="vision_model.embeddings.class_embedding",
    outside={
        "vision_model.embeddings.class_embedding": "cls",
        "vision_model.embeddings.patch_embedding.weight": "patches.weight",
        "vision_model.embeddings.position_embedding.weight": "positions",
        "vision_model.pre_layrnorm.weight": "first_norm.weight",
        "vision_model.pre_layrnorm.bias": "first_norm.bias",
        "vision_model.post_layernorm.weight": "norm.weight",
        "vision_model.post_layernorm.bias": "norm.bias",
        "visual_projection.weight": "project.weight",
    },
    block="vision_model.encoder.layers.",
    inside=CLIP_BLOCK,
    eps=1e-5,
    ignored=("text_model.", "text_projection.", "logit_scale", "vision_model.embeddings.position_ids"),
    quick_gelu=True,
    required=("project.weight",),
)
_EMBEDDINGS = {
    "embeddings.cls_token": "cls",
    "embeddings.position_embeddings": "positions",
    "embeddings.patch_embeddings.projection.weight": "patches.weight",
    "embeddings.patch_embeddings.projection.bias": "patches.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
}
_ATTENTION = {
    "attention.attention.query": "query",
    "attention.attention.key": "key",
    "attention.attention.value": "value",
    "attention.output.dense": "out",
}
_DINOV2 = _Layout(
    marker="encoder.layer.0.layer_scale1.lambda1",
    outside=_EMBEDDINGS,
    block="encoder.layer.",
    inside={
        **_ATTENTION,
        "norm1": "norm1",
        "norm2": "norm2",
        "mlp.fc1": "fc1",
        "mlp.fc2": "fc2",
        "layer_scale1.lambda1": "scale1",
        "layer_scale2.lambda1": "scale2",
    },
    eps=1e-6,
    ignored=("embeddings.mask_token",),
)
_DINO = _Layout(
    marker="encoder.layer.0.layernorm_before.weight",
    outside=_EMBEDDINGS,
    block="encoder.layer.",
    inside={
        **_ATTENTION,
        "layernorm_before": "norm1",
        "layernorm_after": "norm2",
        "intermediate.dense": "fc1",
        "output.dense": "fc2",
    },
    eps=1e-12,
    ignored=("pooler.",),
)


def vit_from(checkpoint: Mapping[str, Tensor], *, heads: int | None = None) -> ViT:
    """The network with the weights of a public checkpoint, in evaluation mode.

    Args:
        checkpoint: its state dictionary; text towers and poolers may be there and are left out.
        heads: attention heads; None takes width / 64, as in all published models.

    Raises:
        WeightsError: none of the layouts, or an entry that is missing, unknown or of the wrong shape.
    """
    layout = next((one for one in (_CLIP, _DINOV2, _DINO) if one.marker in checkpoint), None)
    if layout is None:
        raise WeightsError(
            "the checkpoint is no CLIP image tower, DINOv2 or DINO transformer in the Hugging Face layout"
        )
    state = renamed(checkpoint, layout, "vision transformer")
    if missing := [name for name in ("cls", "positions", *layout.required) if name not in state]:
        raise WeightsError(f"the checkpoint has no {missing[0]}; the whole model (CLIP: with projection) is needed")
    state["cls"], state["positions"] = state["cls"].reshape(-1), state["positions"].reshape(-1, state["cls"].numel())
    net = ViT(_config(state, layout, heads))
    try:
        net.load_state_dict({name: value.float() for name, value in state.items()}, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"the checkpoint does not fit the vision transformer: {error}") from error
    return net.eval()


def _config(state: Mapping[str, Tensor], layout: _Layout, heads: int | None) -> ViTConfig:
    try:
        width = state["cls"].numel()
        return ViTConfig(
            patch=state["patches.weight"].shape[-1],
            grid=round((len(state["positions"]) - 1) ** 0.5),
            width=width,
            depth=depth(state),
            heads=heads or max(1, width // HEAD_WIDTH),
            hidden=state["blocks.0.fc1.weight"].shape[0],
            eps=layout.eps,
            quick_gelu=layout.quick_gelu,
            norm_first="first_norm.weight" in state,
            layer_scale="blocks.0.scale1" in state,
            patch_bias="patches.bias" in state,
            projection=state["project.weight"].shape[0] if "project.weight" in state else 0,
        )
    except KeyError as error:
        raise WeightsError(f"the checkpoint of the vision transformer has no {error}") from error
