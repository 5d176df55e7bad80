"""Weights of LangBRT as one safetensors file, its sizes and the words it was trained with inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from faceloom.errors import WeightsError
from faceloom.methods.langbrt.prompts import TABLE
from faceloom.nets.langbrt import LangBRT, LangBRTConfig
from faceloom.nets.safetensors_file import write_tensors

FORMAT = "faceloom.langbrt/1"


@dataclass(frozen=True, eq=False)
class LoadedLangBRT:
    """LangBRT ready for use: in evaluation mode, float32, on the CPU, gradients off.

    text_encoder  name of the encoder whose vectors it takes.
    notes         the file's other strings, such as its licence.
    tells_moles   whether it was trained to tell moles from blemishes.
    """

    model: LangBRT
    text_encoder: str
    notes: Mapping[str, str]
    tells_moles: bool = False


def save_langbrt(
    path: Path,
    model: LangBRT,
    text_encoder: str,
    notes: Mapping[str, str] | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write what ``load_langbrt`` reads; the file gets its name only when it is complete."""
    about = {
        "model": model.config.options(),
        "text_encoder": text_encoder,
        "prompts": [one.text for one in TABLE],
        "tells_moles": True,
    }
    metadata = {**(notes or {}), "format": FORMAT, "options": json.dumps(about)}
    tensors = {name: value.detach().to("cpu", dtype).contiguous() for name, value in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, metadata)


def load_langbrt(path: Path) -> LoadedLangBRT:
    """Read weights.

    Raises:
        WeightsError: no such file, not a file of ``save_langbrt``, damaged, or of another table of prompts.
    """
    if not path.is_file():
        raise WeightsError(f"no weights at {path}; check the path")
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - no dictionary
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no safetensors file, or damaged: {error}") from error
    if metadata.pop("format", None) != FORMAT:
        raise WeightsError(f"{path} holds no weights of LangBRT ({FORMAT})")
    about: dict[str, Any] = json.loads(metadata.pop("options"))
    if about["prompts"] != [one.text for one in TABLE]:
        raise WeightsError(f"{path} was trained with another table of prompts than this version has; train again")
    model = LangBRT(LangBRTConfig.from_options(about["model"]))
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit its own description: {error}") from error
    moles = bool(about.get("tells_moles", False))
    return LoadedLangBRT(model.eval().requires_grad_(False), about["text_encoder"], metadata, moles)
