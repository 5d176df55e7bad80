"""The diffusion autoencoder: encoder and the UNet that predicts noise, conditioned on time and z_sem."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from faceloom.nets.diffae.blocks import (
    ResidualBlock,
    SelfAttention,
    TokenMixer,
    conv3,
    group_norm,
    time_features,
    zeroed,
)
from faceloom.nets.diffae.config import DiffAEConfig
from faceloom.nets.diffae.encoder import SemanticEncoder


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What each residual block of the UNet, in order, takes from a time step or from z_sem.

    Both depend on one of the two alone, so that a sampler computes the one once per step and the other once per
    picture.
    """

    layers: tuple[Tensor, ...]

    def __getitem__(self, rows: slice) -> Conditioning:
        """The same for some of the pictures of a batch."""
        return Conditioning(tuple(layer[rows] for layer in self.layers))


class Layers(nn.Sequential):
    """Residual and attention blocks of one level step, numbered as in the public checkpoints."""


class TimeEmbedding(nn.Module):
    """Sinusoids of the time step, through two linear layers."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.time_embed = nn.Sequential(nn.Linear(inputs, outputs), nn.SiLU(), nn.Linear(outputs, outputs))

    def forward(self, steps: Tensor) -> Tensor:
        """(B,) integers to (B, outputs)."""
        return self.time_embed(time_features(steps, self.inputs))


class DiffusionAutoencoder(nn.Module):
    """Noise in ``x_t`` from the noisy picture, its time step and z_sem; ``encoder`` makes z_sem.

    Pictures (B, 3, S, S) in [-1, 1], time steps (B,) integers in [0, 1000), z_sem (B, embed_channels).
    """

    def __init__(self, config: DiffAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = SemanticEncoder(config)
        self.time_embed = TimeEmbedding(config.model_channels, config.embed_channels)
        channels, side = config.model_channels, config.image_size
        first = nn.Sequential(conv3(3, channels))
        self.input_blocks = nn.ModuleList([first])
        skips, levels = [[channels]], len(config.channel_mult)
        for level, multiplier in enumerate(config.channel_mult):
            for _ in range(config.num_res_blocks):
                outputs = multiplier * config.model_channels
                self.input_blocks.append(self._level_step(channels, outputs, side))
                channels = outputs
                skips[level].append(channels)
            if level < levels - 1:
                self.input_blocks.append(Layers(self._residual(channels, channels, "down")))
                side //= 2
                skips.append([channels])
        self.middle_block = Layers(
            self._residual(channels, channels),
            SelfAttention(channels, config.num_heads),
            self._residual(channels, channels),
        )
        self.output_blocks = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(config.channel_mult))):
            for i in range(config.num_res_blocks + 1):
                outputs = multiplier * config.model_channels
                step = self._level_step(channels + skips[level].pop(), outputs, side)
                channels = outputs
                if level and i == config.num_res_blocks:
                    step.append(self._residual(channels, channels, "up"))
                    side *= 2
                self.output_blocks.append(step)
        self.out = nn.Sequential(group_norm(channels), nn.SiLU(), zeroed(conv3(channels, 3)))

    def _residual(self, inputs: int, outputs: int, resample: str = "") -> ResidualBlock:
        return ResidualBlock(inputs, outputs, self.config.embed_channels, self.config.dropout, resample)

    def _level_step(self, inputs: int, outputs: int, side: int) -> Layers:
        step = Layers(self._residual(inputs, outputs))
        if side in self.config.attention_resolutions:
            step.append(SelfAttention(outputs, self.config.num_heads))
        return step

    def encode(self, x: Tensor) -> Tensor:
        """z_sem (B, embed_channels) of pictures in [-1, 1]."""
        return self.encoder(x)

    def forward(self, x: Tensor, steps: Tensor, z_sem: Tensor) -> Tensor:
        """Predicted noise (B, 3, S, S)."""
        return self.denoise(x, self.condition_time(steps), self.condition_semantic(z_sem))

    def condition_time(self, steps: Tensor) -> Conditioning:
        """Scales and shifts of time steps (B,); those of one step serve a whole batch."""
        embedding = self.time_embed(steps)
        return Conditioning(tuple(block.emb_layers(embedding) for block in self._conditioned()))

    def condition_semantic(self, z_sem: Tensor) -> Conditioning:
        """Scales of z_sem (B, embed_channels)."""
        return Conditioning(tuple(block.cond_emb_layers(z_sem) for block in self._conditioned()))

    def _conditioned(self) -> list[ResidualBlock]:
        steps = [*self.input_blocks[1:], self.middle_block, *self.output_blocks]
        return [layer for step in steps for layer in step.children() if isinstance(layer, ResidualBlock)]

    def denoise(self, x: Tensor, time: Conditioning, semantic: Conditioning, mixer: TokenMixer | None = None) -> Tensor:
        """Predicted noise, given what time and z_sem make of it; ``mixer`` is passed to every attention block."""
        conditions = iter(zip(time.layers, semantic.layers, strict=True))

        def run(step: nn.Module, h: Tensor) -> Tensor:
            for layer in step.children():
                h = layer(h, *next(conditions)) if isinstance(layer, ResidualBlock) else layer(h, mixer)
            return h

        h = self.input_blocks[0](x)
        skips = [h]
        for step in self.input_blocks[1:]:
            h = run(step, h)
            skips.append(h)
        h = run(self.middle_block, h)
        for step in self.output_blocks:
            h = run(step, torch.cat([h, skips.pop()], dim=1))
        return self.out(h)
