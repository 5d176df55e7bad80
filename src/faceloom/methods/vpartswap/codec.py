"""Pictures to codes and back with a diffusion autoencoder, in batches that fit into memory."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from faceloom.errors import RecipeError
from faceloom.methods.timing import NetworkCall, is_recording, stage
from faceloom.methods.vpartswap.checkpoint import LoadedDiffAE
from faceloom.methods.vpartswap.options import Options, settle
from faceloom.nets.diffae import Conditioning, DiffAEConfig
from faceloom.nets.diffae.blocks import TokenMixer
from faceloom.nets.diffusion import NoisePredictor, ddim_invert, ddim_render, exact_invert
from faceloom.nets.precision import has_bfloat16

log = logging.getLogger(__name__)

_PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
_LARGEST_MAP = 32 << 20
"""Bytes of a feature map up to which a processor computes fastest. Beyond, it leaves the caches, and glibc takes every
one from the system anew (``DEFAULT_MMAP_THRESHOLD_MAX``)."""


class Codec:
    """A diffusion autoencoder on a device, with its schedule.

    abar      squared share of the picture that is left in z_sto.
    forwards  counts pictures that went through the UNet.
    """

    def __init__(self, loaded: LoadedDiffAE, options: Options) -> None:
        self.device = choose_device(options.device)
        self.precision = choose_precision(options.precision, self.device)
        self.options = options = settle(options, loaded.edit)
        self.size = loaded.config.image_size
        self.schedule = loaded.schedule
        self.model = loaded.model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._denoise = torch.compile(self.model.denoise) if options.compile else self.model.denoise
        self._times: dict[int, Conditioning] = {}
        self.batch = options.batch
        self._together = _pictures_at_once(loaded.config, self.precision) if self.device.type == "cpu" else None
        depth = options.depth or 1.0
        inverted, rendered = self._grid("steps_invert"), self._grid("steps_render")
        self.top = None if depth == 1 else min(len(rendered) - 1, round(depth * len(rendered)))
        self._last = None if self.top is None else _meeting(inverted, rendered, self.top)
        self.abar = 0.0
        if self.top is not None or options.inversion == "exact":
            self.abar = float(self.schedule.alpha_bar[rendered[-1 if self.top is None else self.top]])
        self.forwards = 0

    def encode(self, pictures: Tensor) -> Tensor:
        """z_sem (B, C) float32 of pictures (B, 3, S, S) in [-1, 1]."""
        return self.encode_by(lambda: self.model.encode(pictures))

    def encode_by(self, encode: Callable[[], Tensor]) -> Tensor:
        """z_sem as ``encode`` computes it with the encoder, in the codec's precision."""
        call = self._call(0, encode)

        def count(_: nn.Module, pictures: tuple[Tensor]) -> None:
            call.pictures += len(pictures[0])

        hook = self.model.encoder.register_forward_pre_hook(count)
        with hook, stage("encode", call), torch.inference_mode(), self._autocast():
            return encode().float()

    def invert(self, pictures: Tensor, z_sem: Tensor) -> Tensor:
        """z_sto (B, 3, S, S) of pictures, given their z_sem."""
        run = exact_invert if self.options.inversion == "exact" else ddim_invert
        with stage("invert"), torch.inference_mode():
            predict = self._predictor(z_sem, None)
            return run(predict, pictures, self.schedule, self.options.steps_invert, self._last)

    def render(self, noise: Tensor, z_sem: Tensor, mixer: TokenMixer | None = None) -> Tensor:
        """Pictures (B, 3, S, S) in [-1, 1] from their codes."""
        with stage("render"), torch.inference_mode():
            predict = self._predictor(z_sem, _timed(mixer) if mixer is not None and is_recording() else mixer)
            return ddim_render(predict, noise, self.schedule, self.options.steps_render, self.top)

    def _grid(self, option: str) -> list[int]:
        try:
            return self.schedule.grid(getattr(self.options, option))
        except ValueError as error:
            raise RecipeError(f"method 'vpartswap': option {option}: {error}") from error

    def _predictor(self, z_sem: Tensor, mixer: TokenMixer | None) -> NoisePredictor:
        """The UNet, with what depends on z_sem computed once for all steps, and on the step once for all pictures."""
        with self._autocast():
            semantic = self.model.condition_semantic(z_sem)
        return lambda x, step: self._noise(x, step, semantic, mixer)

    def _noise(self, x: Tensor, step: int, semantic: Conditioning, mixer: TokenMixer | None) -> Tensor:
        self.forwards += len(x)
        with self._autocast():
            if step not in self._times:
                self._times[step] = self.model.condition_time(torch.tensor([step], device=self.device))
            time, channels_last = self._times[step], x.contiguous(memory_format=torch.channels_last)

            call = self._call(len(x), lambda: self.model.denoise(channels_last, time, semantic))
            with stage("UNet", call):
                # Frames that attend to each other have to pass together.
                size = len(x) if mixer is not None or self._together is None else self._together
                starts = range(0, len(x), size)
                noise = [
                    self._denoise(channels_last[i : i + size], time, semantic[i : i + size], mixer) for i in starts
                ]
                return (noise[0] if len(noise) == 1 else torch.cat(noise)).float()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.precision, enabled=self.precision is not None)

    def _call(self, pictures: int, network: Callable[[], Tensor]) -> NetworkCall:
        def again() -> Tensor:
            with torch.inference_mode(), self._autocast():
                return network()

        wait = torch.cuda.synchronize if self.device.type == "cuda" else None
        precision = str(self.precision or torch.float32).removeprefix("torch.")
        return NetworkCall(pictures, str(self.device), precision, again, wait)


def _timed(mixer: TokenMixer) -> TokenMixer:
    def timed(q: Tensor, k: Tensor, h: Tensor) -> Tensor:
        with stage("attention"):
            return mixer(q, k, h)

    return timed


def _pictures_at_once(config: DiffAEConfig, precision: torch.dtype | None) -> int:
    """How many pictures a processor takes through the UNet together; its largest map is the last to be joined."""
    full, half = (config.channel_mult * 2)[0], (config.channel_mult * 2)[1]
    values = (full + half) * config.model_channels * config.image_size**2
    return max(1, _LARGEST_MAP // (values * (precision or torch.float32).itemsize))


def in_batches(codec: Codec, count: int, run: Callable[[slice], list[Tensor]]) -> list[Tensor]:
    """``run`` over ``count`` frames, as many at a time as the codec's batch; results joined along the first axis.

    When memory does not suffice, the batch is halved for good and the frames are done again.
    """
    results: list[list[Tensor]] = []
    start = 0
    while start < count:
        stop = min(start + codec.batch, count)
        try:
            results.append(run(slice(start, stop)))
            start = stop
            continue
        except RuntimeError as error:
            if not _out_of_memory(error) or codec.batch == 1:
                raise
        # After the handler, because the error holds on to what did not fit.
        codec.batch = max(1, min(codec.batch, stop - start) // 2)
        log.warning("memory does not suffice on %s: going on with batches of %d frames", codec.device, codec.batch)
        if codec.device.type == "cuda":
            torch.cuda.empty_cache()
    return [torch.cat(parts) for parts in zip(*results, strict=True)]


def _meeting(inverted: list[int], rendered: list[int], top: int) -> int:
    """The index at which the inversion's grid has the time step ``rendered[top]``."""
    if rendered[top] not in inverted:
        raise RecipeError(
            f"method 'vpartswap': {len(inverted)} steps of inversion do not pass time step {rendered[top]}, where "
            f"{len(rendered)} steps of rendering begin at this depth; give both as many steps, or leave depth at 1"
        )
    return inverted.index(rendered[top])


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)


def choose_device(name: str) -> torch.device:
    """The torch device called ``name``; ``auto`` is a GPU if there is one. Raises ``RecipeError`` for none."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise RecipeError(
            f"method 'vpartswap': option device: torch has no device '{name}'; try cpu or cuda"
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RecipeError(f"method 'vpartswap': option device: torch finds no GPU here for '{name}'; use auto or cpu")
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype | None:
    """The type to compute in, None for float32; ``auto`` is bfloat16 where the device multiplies it natively."""
    if name == "auto":
        return torch.bfloat16 if has_bfloat16(device) else None
    return _PRECISIONS[name]
