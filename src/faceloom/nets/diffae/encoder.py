"""The semantic encoder: a picture to one vector, z_sem."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from faceloom.nets.diffae.blocks import ResidualBlock, SelfAttention, conv3, group_norm
from faceloom.nets.diffae.config import DiffAEConfig

FeatureEdit = Callable[[int, Tensor], Tensor]
"""Called with the index of a block and its map (B, C, H, W); what it returns goes on through the network."""


class SemanticEncoder(nn.Module):
    """(B, 3, S, S) in [-1, 1] to z_sem (B, enc_out_channels).

    Its blocks are numbered ``0 … blocks - 1``: ``input_blocks`` in order, then the middle block, which is the last.
    """

    def __init__(self, config: DiffAEConfig) -> None:
        super().__init__()
        channels, side = config.model_channels, config.image_size
        self.input_blocks = nn.ModuleList([nn.Sequential(conv3(3, channels))])
        for level, multiplier in enumerate(config.enc_channel_mult):
            for _ in range(config.enc_num_res_block):
                outputs = multiplier * config.model_channels
                layers: list[nn.Module] = [ResidualBlock(channels, outputs, 0, config.dropout)]
                if side in config.encoder_attention:
                    layers.append(SelfAttention(outputs, config.num_heads))
                self.input_blocks.append(nn.Sequential(*layers))
                channels = outputs
            if level < len(config.enc_channel_mult) - 1:
                self.input_blocks.append(nn.Sequential(ResidualBlock(channels, channels, 0, config.dropout, "down")))
                side //= 2
        self.middle_block = nn.Sequential(
            ResidualBlock(channels, channels, 0, config.dropout),
            SelfAttention(channels, config.num_heads),
            ResidualBlock(channels, channels, 0, config.dropout),
        )
        self.out = nn.Sequential(
            group_norm(channels),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, config.enc_out_channels, 1),
            nn.Flatten(),
        )

    @property
    def blocks(self) -> int:
        """How many maps a ``FeatureEdit`` sees."""
        return len(self.input_blocks) + 1

    def forward(self, x: Tensor, edit: FeatureEdit | None = None) -> Tensor:
        """z_sem (B, enc_out_channels); ``edit`` sees, and may replace, the map after each block."""
        for index, block in enumerate([*self.input_blocks, self.middle_block]):
            x = block(x)
            if edit is not None:
                x = edit(index, x)
        return self.out(x)

    def features(self, x: Tensor, last: int | None = None) -> list[Tensor]:
        """The maps after all blocks, or up to block ``last``."""
        maps: list[Tensor] = []
        for block in [*self.input_blocks, self.middle_block][: None if last is None else last + 1]:
            x = block(x)
            maps.append(x)
        return maps
