"""How much the squared error of the predicted noise counts at each noise level.

With abar the squared share of the picture in ``x_t``, the signal-to-noise ratio is SNR = abar / (1 - abar). The error
of the picture that the predicted noise implies is the noise's own error times 1 / SNR, so 1 / SNR as a weight is a loss
on the picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from faceloom.train.recipe import LossSection


def noise_level_weights(how: LossSection, alpha_bar: Tensor) -> Tensor:
    """Weights (T,) float32 for the noise levels ``alpha_bar`` (T,) float64, scaled so that their mean is 1.

    ``inverse_snr`` with power 1/2 lies between a loss on the noise and one on the picture: high noise levels, which
    decide layout and colours, count more, without drowning the others. ``min_snr`` and ``velocity`` are the weights
    of Hang et al., Efficient Diffusion Training via Min-SNR Weighting Strategy, ICCV 2023, and of Salimans and Ho,
    Progressive Distillation for Fast Sampling of Diffusion Models, ICLR 2022, for a model that predicts noise.
    """
    snr = alpha_bar / (1 - alpha_bar)
    match how.weighting:
        case "plain":
            weights = torch.ones_like(snr)
        case "inverse_snr":
            weights = (1 / snr).clamp(how.low, how.high) ** how.power
        case "min_snr":
            weights = snr.clamp(max=how.gamma) / snr
        case "velocity":
            weights = (1 + 1 / snr).clamp(max=how.high)
    return (weights / weights.mean()).float()
