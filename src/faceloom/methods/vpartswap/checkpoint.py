"""Diffusion autoencoders on disk: public checkpoints, and the one safetensors file they are converted to."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from faceloom.errors import WeightsError
from faceloom.nets.diffae import DiffAEConfig, DiffusionAutoencoder
from faceloom.nets.diffusion import NoiseSchedule
from faceloom.nets.safetensors_file import write_tensors

_FORMAT = "faceloom.diffae.1"
_SHOWN = 4
"""Keys of each kind that an error message lists."""
_PREDICTS_NOISE = {
    "pred": "eps",
    "beta_schedule": "linear",
    "rescale_timesteps": False,
    "eta": 0.0,
    "clip_denoised": True,
}
_DIFFUSION = {"T": "T", "beta_schedule": "beta_scheduler", "rescale_timesteps": "beatgans_rescale_timesteps"}
"""Options of the noise schedule, and their names in the official training configuration."""


@dataclass(frozen=True, eq=False)
class LoadedDiffAE:
    """A diffusion autoencoder ready for use: in evaluation mode, float32, on the CPU, with gradients off.

    diffusion  options of its noise schedule under their public names (T, beta_start, beta_end).
    edit       options of vpartswap that suit it better than the paper's.
    sha256     of the file it came from, hexadecimal.
    """

    model: DiffusionAutoencoder
    diffusion: Mapping[str, Any]
    edit: Mapping[str, Any]
    sha256: str

    @property
    def config(self) -> DiffAEConfig:
        """Its sizes."""
        return self.model.config

    @property
    def schedule(self) -> NoiseSchedule:
        """Its noise schedule."""
        known = {"T": "steps", "beta_start": "start", "beta_end": "end"}
        return NoiseSchedule.linear(**{known[name]: value for name, value in self.diffusion.items() if name in known})


def load_checkpoint(path: Path) -> LoadedDiffAE:
    """Load a ``.safetensors`` file written by ``convert``, or a public checkpoint (its ``ema_model``).

    The options of a public checkpoint come from ``<stem>.json`` or ``config.json`` beside it, or from its own hyper
    parameters. Code in a checkpoint is never run.

    Raises:
        WeightsError: missing, truncated or unsafe file, options unknown, or tensors that do not fit them; the message
            says what differs.
    """
    if not path.is_file():
        raise WeightsError(f"no checkpoint at {path}")
    options, tensors = _read_safetensors(path) if path.suffix == ".safetensors" else _read_lightning(path)
    diffusion = options.get("diffusion", {})
    for name, value in _PREDICTS_NOISE.items():
        if diffusion.get(name, value) != value:
            raise WeightsError(f"{path}: diffusion option {name} is {diffusion[name]!r}; only {value!r} is supported")
    try:
        with torch.device("meta"):
            model = DiffusionAutoencoder(DiffAEConfig.from_options(options["model"]))
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path}: {error}") from error
    _require_fit(path, model.state_dict(), tensors)
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=True, assign=True)
    return LoadedDiffAE(model.eval().requires_grad_(False), diffusion, options.get("edit", {}), _sha256(path))


def convert(source: Path, destination: Path, dtype: torch.dtype | str = torch.float16) -> None:
    """Write a checkpoint as one safetensors file with its options inside; ``dtype`` or its name in torch.

    Raises ``WeightsError`` as ``load_checkpoint`` does.
    """
    loaded = load_checkpoint(source)
    dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    notes = {"source_sha256": loaded.sha256}
    save_safetensors(destination, loaded.model, dtype, notes, loaded.diffusion, loaded.edit)


def save_safetensors(
    path: Path,
    model: DiffusionAutoencoder,
    dtype: torch.dtype = torch.float16,
    notes: Mapping[str, str] | None = None,
    diffusion: Mapping[str, Any] | None = None,
    edit: Mapping[str, Any] | None = None,
) -> None:
    """Write the model (what ``load_checkpoint`` reads); the file gets its name only when it is complete.

    notes      more strings for the file's metadata, such as its licence.
    diffusion  options of the noise schedule (T, beta_start, beta_end) if not the usual ones.
    edit       options of vpartswap to use with this model unless a recipe says otherwise.
    """
    options = {
        "model": model.config.options(),
        "diffusion": {**_PREDICTS_NOISE, **(diffusion or {})},
        "edit": dict(edit or {}),
    }
    metadata = {**(notes or {}), "format": _FORMAT, "options": json.dumps(options)}
    tensors = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, metadata)


def load_statistics(path: Path) -> tuple[Tensor, Tensor]:
    """Mean and deviation of z_sem over the training set, each (1, C), from a public ``latent.pkl``.

    Raises ``WeightsError`` when the file is not one.
    """
    saved = _load_tensors(path)
    if not isinstance(saved, dict) or not {"conds_mean", "conds_std"} <= saved.keys():
        raise WeightsError(f"{path} has no conds_mean and conds_std: not the statistics of a diffusion autoencoder")
    return saved["conds_mean"].reshape(1, -1), saved["conds_std"].reshape(1, -1)


def _read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise WeightsError(f"{path} is not a diffusion autoencoder converted by faceloom")
            return _described(path, metadata["options"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError) as error:
        raise WeightsError(f"{path} is damaged or cut short: {error}") from error


def _read_lightning(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    saved = _load_tensors(path)
    state = saved.get("state_dict") if isinstance(saved, dict) else None
    prefix = "ema_model."
    tensors = {name.removeprefix(prefix): value for name, value in (state or {}).items() if name.startswith(prefix)}
    if not tensors:
        raise WeightsError(f"{path} has no 'ema_model.*' tensors: not a checkpoint of a diffusion autoencoder")
    return _options(path, saved), tensors


def _options(path: Path, saved: Mapping[str, Any]) -> dict[str, Any]:
    for beside in (path.with_suffix(".json"), path.with_name("config.json")):
        if beside.is_file():
            return _described(beside, beside.read_bytes())
    hyper = saved.get("hyper_parameters")
    hyper = hyper if isinstance(hyper, dict) else {}
    diffusion = {name: hyper[theirs] for name, theirs in _DIFFUSION.items() if theirs in hyper}
    if isinstance(hyper.get("model_conf"), dict):
        return {"model": hyper["model_conf"], "diffusion": diffusion}
    if "net_ch" in hyper:
        return {"model": _from_training_options(hyper), "diffusion": diffusion}
    raise WeightsError(
        f"{path} does not say how large its network is; put the options beside it as {path.with_suffix('.json').name} "
        '({"model": {"image_size": …, "model_channels": …, …}})'
    )


def _described(where: Path, text: str | bytes) -> dict[str, Any]:
    """The options written in ``text`` (JSON)."""
    try:
        options = json.loads(text)
    except ValueError as error:
        raise WeightsError(f"the options in {where} are not JSON: {error}") from error
    if not isinstance(options, dict) or not isinstance(options.get("model"), dict):
        raise WeightsError(f"{where} has no 'model' section with the options of the network")
    for section in ("diffusion", "edit"):
        if not isinstance(options.get(section, {}), dict):
            raise WeightsError(f"{where}: section '{section}' is {options[section]!r}, not a table of options")
    return options


def _from_training_options(hyper: Mapping[str, Any]) -> dict[str, Any]:
    """The network's options under the names that the official training configuration has for them."""
    names = {
        "image_size": "img_size",
        "model_channels": "net_ch",
        "channel_mult": "net_ch_mult",
        "num_res_blocks": "net_num_res_blocks",
        "embed_channels": "net_beatgans_embed_channels",
        "attention_resolutions": "net_attn",
        "num_heads": "net_beatgans_attn_head",
        "resblock_updown": "net_resblock_updown",
        "resnet_two_cond": "net_beatgans_resnet_two_cond",
        "enc_out_channels": "style_ch",
        "enc_pool": "net_enc_pool",
        "enc_num_res_block": "net_enc_num_res_blocks",
        "enc_channel_mult": "net_enc_channel_mult",
        "enc_attn_resolutions": "net_enc_attn",
    }
    return {name: hyper[theirs] for name, theirs in names.items() if theirs in hyper}


def _load_tensors(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path} holds more than tensors and plain values and is not loaded: {error}") from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged, cut short, or no checkpoint: {error}") from error


def _require_fit(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    shapes = [
        f"{name} is {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    wrong = [
        _listed("missing", [name for name in expected if name not in found]),
        _listed("unexpected", [name for name in found if name not in expected]),
        _listed("of another shape", shapes),
    ]
    if any(wrong):
        raise WeightsError(f"{path} does not fit its options: " + "; ".join(filter(None, wrong)))


def _listed(what: str, names: list[str]) -> str:
    more = f", … ({len(names) - _SHOWN} more)" if len(names) > _SHOWN else ""
    return f"{what}: {', '.join(names[:_SHOWN])}{more}" if names else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
