"""How well a diffusion autoencoder gives faces back that it was not trained on, and how much its code decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from faceloom.nets.diffae import DiffusionAutoencoder
from faceloom.nets.diffusion import NoisePredictor, NoiseSchedule, ddim_invert, ddim_render


@dataclass(frozen=True)
class Reconstruction:
    """Round trip (inversion, then rendering, nothing edited) with one number of steps; means over the faces.

    psnr, worst_psnr  decibels, of pixels in [0, 1]; of the mean face and of the worst one.
    tint              difference of a face's mean colour, in units of 1/255.
    swap              change of a pixel when the next face's code is rendered with this face's noise map, in 1/255:
                      what the code decides. The noise map keeps the rest.
    """

    steps: int
    faces: int
    psnr: float
    worst_psnr: float
    tint: float
    swap: float


@torch.inference_mode()
def reconstruction_report(
    model: DiffusionAutoencoder,
    schedule: NoiseSchedule,
    pictures: Tensor,
    steps: Sequence[int] = (20, 100),
    *,
    bfloat16: bool = False,
) -> list[Reconstruction]:
    """Measure the round trip of pictures (B, 3, S, S) in [-1, 1], at least two, for each number of steps.

    Raises:
        ValueError: the schedule cannot be cut into one of the numbers of steps.
    """
    model.eval()
    with torch.autocast(pictures.device.type, torch.bfloat16, enabled=bfloat16):
        codes = model.encode(pictures)

        def render(noise: Tensor, semantic: Tensor, count: int) -> Tensor:
            return ddim_render(predictor(model, semantic), noise, schedule, count)

        results = []
        for count in steps:
            noise = ddim_invert(predictor(model, codes), pictures, schedule, count)
            again, swapped = render(noise, codes, count), render(noise, codes.roll(-1, 0), count)
            results.append(_compared(count, pictures, again, swapped))
    return results


def predictor(model: DiffusionAutoencoder, semantic: Tensor) -> NoisePredictor:
    """The noise that the model predicts for pictures whose codes are ``semantic``, as the samplers call it."""

    def predict(x: Tensor, step: int) -> Tensor:
        return model(x, torch.full((len(x),), step, device=x.device), semantic).float()

    return predict


def _compared(count: int, pictures: Tensor, again: Tensor, swapped: Tensor) -> Reconstruction:
    error = (again - pictures) / 2
    psnr = -10 * error.square().mean((1, 2, 3)).clamp_min(1e-10).log10()
    return Reconstruction(
        steps=count,
        faces=len(pictures),
        psnr=float(psnr.mean()),
        worst_psnr=float(psnr.min()),
        tint=float(error.mean((2, 3)).abs().mean() * 255),
        swap=float(((swapped - again) / 2).abs().mean() * 255),
    )
