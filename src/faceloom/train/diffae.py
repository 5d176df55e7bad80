"""Training of diffusion autoencoders.

Preechakul et al., Diffusion Autoencoders: Toward a Meaningful and Decodable Representation, CVPR 2022, eq. (6): the
encoder and the UNet learn together to predict the noise in a noisy picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceloom.errors import RecipeError, WeightsError
from faceloom.methods.vpartswap.checkpoint import load_checkpoint
from faceloom.nets.diffae import DiffAEConfig, DiffusionAutoencoder
from faceloom.nets.diffusion import NoiseSchedule, ddim_invert, ddim_render
from faceloom.train.checkpoint import require_same_options
from faceloom.train.draws import Draws
from faceloom.train.recipe import LossSection, TrainingRecipe
from faceloom.train.reconstruction import predictor
from faceloom.train.sheets import page
from faceloom.train.task import Objective
from faceloom.train.weighting import noise_level_weights
from faceloom.types import Image

_SHEET_STEPS = 20
_GROUPS = 32
_SAMPLES = 4


class NoiseObjective(Objective):
    """Weighted squared error of the predicted noise, for each picture."""

    network: DiffusionAutoencoder
    weights: Tensor
    left: Tensor

    def __init__(self, network: DiffusionAutoencoder, schedule: NoiseSchedule, how: LossSection) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("weights", noise_level_weights(how, schedule.alpha_bar), persistent=False)
        self.register_buffer("left", schedule.alpha_bar.float(), persistent=False)

    def forward(self, pictures: Tensor, steps: Tensor, noise: Tensor) -> Tensor:
        """(B,) losses.

        Args:
            pictures: (B, 3, S, S) in [-1, 1].
            steps: (B,) time steps.
            noise: (B, 3, S, S) standard normal.
        """
        left = self.left[steps].view(-1, 1, 1, 1)
        noisy = left.sqrt() * pictures + (1 - left).sqrt() * noise
        predicted = self.network(noisy, steps, self.network.encode(pictures))
        return self.weights[steps] * (predicted.float() - noise).square().mean((1, 2, 3))


class DiffAETask:
    """Diffusion autoencoders of the recipe's configuration; see ``Task``.

    Raises:
        RecipeError: an option of the model is unknown or makes no sense, or a stage's size does not suit it.
    """

    def __init__(self, recipe: TrainingRecipe) -> None:
        try:
            self.config = DiffAEConfig.from_options(recipe.model)
            with torch.device("meta"):  # takes no memory; finds channels that normalisation cannot group
                DiffusionAutoencoder(self.config)
        except (TypeError, ValueError) as error:
            raise RecipeError(f"the recipe's model: {error}") from error
        multiple = 1 << (max(len(self.config.channel_mult), len(self.config.enc_channel_mult)) - 1)
        for size in recipe.sizes:
            if size % multiple or size > self.config.image_size:
                raise RecipeError(
                    f"a stage has size {size}; this model takes multiples of {multiple} up to {self.config.image_size}"
                )
        self.advice = _colour_blind(self.config)
        self.schedule = NoiseSchedule.linear()
        self.options: Mapping[str, Any] = self.config.options()
        self._loss = recipe.loss

    def network(self) -> DiffusionAutoencoder:
        """Fresh weights, from torch's generator."""
        return DiffusionAutoencoder(self.config)

    def finished(self, path: Path) -> Mapping[str, Tensor]:
        """The weights of an exported model; its noise schedule must be the one that is trained with."""
        loaded = load_checkpoint(path)
        require_same_options(path, loaded.config.options(), self.options)
        if not torch.equal(loaded.schedule.alpha_bar, self.schedule.alpha_bar):
            raise WeightsError(f"{path} has another noise schedule than models are trained with here")
        return loaded.model.state_dict()

    def objective(self, network: nn.Module) -> NoiseObjective:
        """The weighted loss around a network."""
        assert isinstance(network, DiffusionAutoencoder)
        return NoiseObjective(network, self.schedule, self._loss)

    def draw(self, pictures: Tensor, draws: Draws) -> tuple[Tensor, ...]:
        """Pictures with a time step and noise each."""
        return pictures, draws.integers(len(self.schedule), len(pictures)), draws.noise(pictures)

    def examples(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Pictures with time steps spread evenly, and fixed noise."""
        count = len(pictures)
        steps = (torch.arange(count) * 2 + 1) * len(self.schedule) // (2 * count)
        noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
        return pictures, steps.to(pictures.device), noise.to(pictures.device)

    def extra(self) -> Mapping[str, Tensor]:
        """``x_T``, the noise that sheets render from, as the public checkpoints have it."""
        return {"x_T": self._noise(self.config.image_size)}

    @torch.inference_mode()
    def sheet(self, network: nn.Module, pictures: Tensor) -> Image:
        """Rows: pictures; rendered from their own code and noise map; with the code of the next; from fresh noise."""
        assert isinstance(network, DiffusionAutoencoder)
        codes = network.encode(pictures)
        noise = ddim_invert(predictor(network, codes), pictures, self.schedule, _SHEET_STEPS)
        fresh = self._noise(pictures.shape[-1]).to(pictures.device).repeat(len(pictures), 1, 1, 1)[: len(pictures)]
        rendered = [
            ddim_render(predictor(network, semantic), noise_map, self.schedule, _SHEET_STEPS)
            for semantic, noise_map in ((codes, noise), (codes.roll(-1, 0), noise), (codes, fresh))
        ]
        return page([pictures, *rendered])

    def _noise(self, size: int) -> Tensor:
        return torch.randn((_SAMPLES, 3, size, size), generator=torch.Generator().manual_seed(0))


def _colour_blind(config: DiffAEConfig) -> tuple[str, ...]:
    """Advice for models whose last normalisation removes the mean of every single channel."""
    channels = config.model_channels * config.channel_mult[0]
    if channels > _GROUPS:
        return ()
    return (
        f"with {channels} channels at full resolution the normalisation ({_GROUPS} groups) removes the mean of every "
        f"channel, so the model cannot tell how bright its input is, and colours drift; {2 * _GROUPS} channels cure it",
    )
