"""LangBRT with weights whose effect is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from faceloom.methods.langbrt.checkpoint import save_langbrt
from faceloom.methods.langbrt.method import LangBRTMethod
from faceloom.nets.langbrt import LangBRT, LangBRTConfig
from faceloom.types import Face, Frame, Patch
from support.windows import in_windows

TINY = LangBRTConfig(
    image_size=64,
    widths=(8, 16),
    blocks=(1, 1),
    detect_width=8,
    depth=2,
    heads=2,
    window=4,
    critic_widths=(8, 8),
)
DARKER = -0.1
"""What ``blunt_model`` does to colours in [0, 1]."""


def random_model(seed: int = 0, config: LangBRTConfig = TINY) -> LangBRT:
    """Random weights, also where training would begin with zeros."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LangBRT(config)
        model.set_predefined(torch.nn.functional.normalize(torch.randn(3, config.text_dim), dim=-1))
        torch.nn.init.normal_(model.decoder.change.weight, std=0.05)
        torch.nn.init.normal_(model.detection.to_image.weight, std=0.1)
        torch.nn.init.zeros_(model.detection.bias)
    return model.eval().requires_grad_(False)


def blunt_model(certainty: float = 4.0) -> LangBRT:
    """Finds everything everywhere, with this logit, and makes it darker by a tenth of white."""
    model = random_model()
    torch.nn.init.zeros_(model.detection.to_image.weight)
    torch.nn.init.constant_(model.detection.bias, certainty)
    torch.nn.init.zeros_(model.decoder.change.weight)
    torch.nn.init.constant_(model.decoder.change.bias, float(torch.atanh(torch.tensor(DARKER))))
    return model


def checkpoint(folder: Path, model: LangBRT | None = None, name: str = "tiny.safetensors") -> Path:
    """Weights on disk, ``blunt_model`` unless said otherwise."""
    path = folder / name
    save_langbrt(path, model or blunt_model(), "minilm_int8")
    return path


def retouched(
    method: LangBRTMethod, frames: Sequence[Frame], faces: Sequence[Face | None], length: int = 1000
) -> list[list[Patch]]:
    """What ``langbrt`` makes of frames, in windows of ``length`` with the context that it asks for."""
    return in_windows(method, {}, frames, faces, length)
