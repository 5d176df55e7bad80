"""Sentences to vectors by the text tower of CLIP, which Alpha-CLIP shares; weights of one's own."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceloomError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_TOKENS, _SIZES = "tokenizer.json", "config.json"
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt")
_CONVERT = (
    "a TorchScript archive is a program and is not loaded; convert it in Python, if you trust it: "
    "from safetensors.torch import save_file; save_file({k: v.contiguous() for k, v in "
    "torch.jit.load(FILE, 'cpu').state_dict().items()}, 'model.safetensors')"
)


class ClipText:
    """A ``TextEncoder``: CLIP's text tower with the weights in a folder.

    folder  holds the weights, one ``*.safetensors``, or one ``.bin``, ``.pt`` or ``.pth`` of plain tensors, in Hugging
            Face's layout or OpenAI's; ``tokenizer.json``; and, if it is not OpenAI's network, Hugging Face's
            ``config.json``, which says what shapes do not tell.

    ``name`` is ``clip-`` and the first 12 hexadecimal digits of the SHA-256 of the weights' file.

    Raises ``FaceloomError`` when a library is not installed, ``WeightsError`` for what is missing in the folder,
    damaged, unsafe, or does not belong together. Code in a checkpoint is never run.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import torch
            from tokenizers import Tokenizer

            from faceloom.nets.clip_text import clip_text_from
        except ImportError as error:
            raise FaceloomError(
                f"CLIP's text tower needs a library that is not installed ({error.name}); install it with: "
                "pip install 'faceloom[retouch]'"
            ) from error
        self._torch = torch
        weights = _weights_in(folder)
        heads, quick_gelu = _said_of(folder / _SIZES)
        try:
            self._net = clip_text_from(_read(weights), heads=heads, quick_gelu=quick_gelu)
        except WeightsError as error:
            raise WeightsError(f"{weights}: {error}") from error
        tokens = folder / _TOKENS
        if not tokens.is_file():
            raise WeightsError(f"{folder} has no {_TOKENS}; take it from where the weights come from")
        try:
            self._tokenizer = Tokenizer.from_file(str(tokens))
        except Exception as error:  # the library raises a bare Exception
            raise WeightsError(f"{tokens} cannot be loaded: {error}") from error
        # Both would depend on how the file was last saved; below, each sentence is cut and marked by itself.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._begin, self._end = (self._mark(tokens, mark) for mark in (_BEGIN, _END))
        if self._tokenizer.get_vocab_size() > self._net.config.vocabulary:
            raise WeightsError(
                f"{tokens} knows {self._tokenizer.get_vocab_size()} tokens, {weights.name} has vectors of "
                f"{self._net.config.vocabulary}: they are of two models"
            )
        with weights.open("rb") as file:
            self.name = f"clip-{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"
        self.dimension = self._net.config.projection

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """(N, dimension) float32 of unit length; of a long sentence only the first tokens count (75 for CLIP)."""
        rows = [self._encode(sentence) for sentence in sentences]
        return np.stack(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def _encode(self, sentence: str) -> NDArray[np.float32]:
        words = self._tokenizer.encode(sentence, add_special_tokens=False).ids[: self._net.config.length - 2]
        with self._torch.inference_mode():
            vector = self._net(self._torch.tensor([[self._begin, *words, self._end]]))[0]
        return np.asarray((vector / vector.norm()).numpy(), np.float32)

    def _mark(self, tokens: Path, mark: str) -> int:
        number = self._tokenizer.token_to_id(mark)
        if number is None:
            raise WeightsError(f"{tokens} has no token {mark}: not CLIP's tokenizer")
        return int(number)


def _weights_in(folder: Path) -> Path:
    if not folder.is_dir():
        raise WeightsError(f"{folder} is no folder; a text encoder is a folder with CLIP's weights and {_TOKENS}")
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for endings in ((".safetensors",), _PICKLED):
        found = [path for path in files if path.suffix in endings]
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise WeightsError(f"{folder} has several files of weights ({names}); leave one")
        if found:
            return found[0]
    raise WeightsError(f"{folder} has no weights (*.safetensors, or {', '.join('*' + end for end in _PICKLED)})")


def _read(path: Path) -> dict[str, Tensor]:
    """The entries of a checkpoint; of a safetensors file, those of the image tower are not read."""
    from faceloom.nets.clip_text import IMAGE_TOWER

    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                return {name: file.get_tensor(name) for name in file.keys() if not name.startswith(IMAGE_TOWER)}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"no safetensors file, or damaged: {error}") from error
    return _unpickled(path)


def _unpickled(path: Path) -> dict[str, Tensor]:
    import torch

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise WeightsError(_CONVERT)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is none of its own, or unsafe
        raise WeightsError(f"no checkpoint of plain tensors, or damaged: {error}") from error
    saved = saved.get("state_dict", saved) if isinstance(saved, dict) else saved
    if not isinstance(saved, dict) or not all(isinstance(value, torch.Tensor) for value in saved.values()):
        raise WeightsError("holds no state dictionary")
    return saved


def _said_of(path: Path) -> tuple[int | None, bool]:
    """Attention heads (None where nothing is said) and whether the activation is the quick one."""
    if not path.is_file():
        return None, True
    try:
        whole: dict[str, Any] = json.loads(path.read_bytes())
        text = {**whole, **(whole.get("text_config") or {})}
        heads, activation = text.get("num_attention_heads"), text.get("hidden_act", "quick_gelu")
        if activation not in ("quick_gelu", "gelu") or not isinstance(heads, int | None):
            raise ValueError(f"activation {activation!r} with {heads!r} heads is not known here")
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise WeightsError(f"{path} cannot be used: {error}") from error
    return heads, activation == "quick_gelu"
