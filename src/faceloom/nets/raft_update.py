"""The recurrent part of RAFT: one step of refinement of the flow.

Teed and Deng, RAFT: Recurrent All-Pairs Field Transforms for Optical Flow, ECCV 2020, section 3.3. Names of modules
follow the public checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

Fixed = tuple[tuple[Tensor, Tensor, Tensor], ...]
"""For each of the two GRUs: what the context adds to update gate, reset gate and candidate."""
_MOTION = 128


class UpdateBlock(nn.Module):
    """Hidden state and correlations to the next hidden state and a change of the flow."""

    def __init__(self, correlations: int, hidden: int, context: int) -> None:
        super().__init__()
        self.encoder = MotionEncoder(correlations)
        self.gru = SeparableGru(hidden, context)
        self.flow_head = FlowHead(hidden)
        self.mask = nn.Sequential(nn.Conv2d(hidden, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 9 * 64, 1))

    def prepare(self, context: Tensor) -> Fixed:
        """What ``context`` (B, context, h, w) adds to every step; it is the same in all of them."""
        return self.gru.prepare(context)

    def forward(self, hidden: Tensor, fixed: Fixed, correlations: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Next hidden state (B, hidden, h, w) and change of the flow (B, 2, h, w), in cells."""
        hidden = self.gru(hidden, self.encoder(correlations, flow), fixed)
        return hidden, self.flow_head(hidden)

    def upsampling_weights(self, hidden: Tensor) -> Tensor:
        """Logits (B, 9 * 64, h, w) for ``raft.upsample_convex``."""
        return 0.25 * self.mask(hidden)  # the public weights were trained with this factor


class MotionEncoder(nn.Module):
    """Correlations and the flow so far, as features; the flow itself is kept as the last two of them."""

    def __init__(self, correlations: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(correlations, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(192 + 64, _MOTION - 2, 3, padding=1)

    def forward(self, correlations: Tensor, flow: Tensor) -> Tensor:
        """(B, correlations, h, w) and (B, 2, h, w) to (B, 128, h, w)."""
        seen = functional.relu(self.convc2(functional.relu(self.convc1(correlations))))
        moved = functional.relu(self.convf2(functional.relu(self.convf1(flow))))
        joined = functional.relu(self.conv(torch.cat([seen, moved], dim=1)))
        return torch.cat([joined, flow.to(joined.dtype)], dim=1)


class SeparableGru(nn.Module):
    """A convolutional GRU along the rows, then one along the columns.

    Every convolution acts on hidden state, context and motion side by side. It is linear, so the share of the context,
    which stays the same from step to step, is computed once by ``prepare``: a third of the work of the GRU.
    """

    def __init__(self, hidden: int, context: int) -> None:
        super().__init__()
        self._hidden, self._context = hidden, context
        inputs = hidden + context + _MOTION
        self.convz1 = nn.Conv2d(inputs, hidden, (1, 5), padding=(0, 2))
        self.convr1 = nn.Conv2d(inputs, hidden, (1, 5), padding=(0, 2))
        self.convq1 = nn.Conv2d(inputs, hidden, (1, 5), padding=(0, 2))
        self.convz2 = nn.Conv2d(inputs, hidden, (5, 1), padding=(2, 0))
        self.convr2 = nn.Conv2d(inputs, hidden, (5, 1), padding=(2, 0))
        self.convq2 = nn.Conv2d(inputs, hidden, (5, 1), padding=(2, 0))

    @property
    def _gates(self) -> tuple[tuple[nn.Conv2d, nn.Conv2d, nn.Conv2d], ...]:
        """Update gate, reset gate and candidate, along the rows and along the columns."""
        return (self.convz1, self.convr1, self.convq1), (self.convz2, self.convr2, self.convq2)

    def prepare(self, context: Tensor) -> Fixed:
        """What (B, context, h, w) adds before each gate, biases included."""
        z1, r1, q1, z2, r2, q2 = (self._fixed(gate, context) for gates in self._gates for gate in gates)
        return (z1, r1, q1), (z2, r2, q2)

    def forward(self, hidden: Tensor, motion: Tensor, fixed: Fixed) -> Tensor:
        """The next hidden state (B, hidden, h, w)."""
        for gates, (update, reset, candidate) in zip(self._gates, fixed, strict=True):
            both = torch.cat([hidden, motion], dim=1)
            z = torch.sigmoid(update + self._varying(gates[0], both))
            r = torch.sigmoid(reset + self._varying(gates[1], both))
            q = torch.tanh(candidate + self._varying(gates[2], torch.cat([r * hidden, motion], dim=1)))
            hidden = (1 - z) * hidden + z * q
        return hidden

    def _fixed(self, gate: nn.Conv2d, context: Tensor) -> Tensor:
        """The share of the context in the convolution of a gate, and its bias."""
        weight = gate.weight[:, self._hidden : self._hidden + self._context]
        return functional.conv2d(context, weight, gate.bias, padding=gate.padding)

    def _varying(self, gate: nn.Conv2d, both: Tensor) -> Tensor:
        """The share of hidden state and motion in the convolution of a gate."""
        weight = torch.cat([gate.weight[:, : self._hidden], gate.weight[:, self._hidden + self._context :]], dim=1)
        return functional.conv2d(both, weight, padding=gate.padding)


class FlowHead(nn.Module):
    """Change of the flow from the hidden state."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(hidden, 256, 3, padding=1)
        self.conv2 = nn.Conv2d(256, 2, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, hidden, h, w) to (B, 2, h, w)."""
        return self.conv2(functional.relu(self.conv1(hidden)))
