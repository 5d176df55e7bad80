"""Flow-guided attention: a token attends to the same bit of surface in other frames.

Cong et al., FLATTEN: Optical FLow-guided ATTENtion for Consistent Text-to-Video Editing, ICLR 2024, section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.geometry.trajectories import Trajectories

_CHUNK = 1 << 24
"""Values of scores, queries, keys and values together that one step of attention may hold."""
_MOST_ROWS = 1 << 15
"""Kernels of graphics cards take no more than 65,535 batches."""


@dataclass(frozen=True, eq=False)
class TrajectoryGroup:
    """Trajectories of similar length, on a device.

    tokens   (N, L) int64, where to read; rows that are shorter repeat their last token.
    targets  (N, L) int64, where to write; one past the last token where the row is over.
    lengths  (N,) int64, or None when every row has L tokens.
    """

    tokens: Tensor
    targets: Tensor
    lengths: Tensor | None


@dataclass(frozen=True, eq=False)
class TrajectoryIndex:
    """``Trajectories`` as tensors: made once, used in every layer of this resolution and in every step.

    shape   frames and tokens in a frame.
    reach   a token attends to frames up to this far from its own; None for all that its trajectory visits.
    groups  all trajectories of two tokens and more.
    """

    shape: tuple[int, int]
    reach: int | None
    groups: tuple[TrajectoryGroup, ...]

    @classmethod
    def of(
        cls, trajectories: Trajectories, device: torch.device | str = "cpu", *, reach: int | None = None
    ) -> TrajectoryIndex:
        """Move ``trajectories`` to a device.

        With ``reach``, what a frame receives does not depend on frames farther away: an edit in windows whose context
        is at least as long sees in each layer what an edit of the whole clip sees. Raises ``ValueError`` for a negative
        ``reach``.
        """
        if reach is not None and reach < 0:
            raise ValueError(f"reach is a number of frames, got {reach}")
        frames, rows, columns = trajectories.labels.shape
        groups = []
        for table in trajectories.tables:
            tokens, lengths = torch.from_numpy(table.tokens), torch.from_numpy(table.lengths)
            over = torch.arange(tokens.shape[1]) >= lengths[:, None]
            targets = tokens.masked_fill(over, frames * rows * columns).to(device)
            ragged = lengths.to(device) if over.any() else None
            groups.append(TrajectoryGroup(tokens.to(device), targets, ragged))
        return cls((frames, rows * columns), reach, tuple(groups))


def trajectory_attention(q: Tensor, k: Tensor, v: Tensor, index: TrajectoryIndex) -> Tensor:
    """``o_p = Σ_r softmax_r(⟨q_p, k_r⟩ / √d) v_r`` over the tokens r on the trajectory of p, p itself among them.

    q, k, v  (T, tokens, heads, d), tokens row by row. Returns the shape of ``v``, a new tensor. A token that is alone
    attends to itself only, so there the result is ``v``, bit for bit. Raises ``ValueError`` when the shapes do not
    fit each other or ``index``.
    """
    if not q.shape == k.shape == v.shape or tuple(v.shape[:2]) != index.shape:
        shapes = ", ".join(str(tuple(x.shape)) for x in (q, k, v))
        raise ValueError(f"trajectories of {index.shape} frames and tokens do not fit tensors of {shapes}")
    frames, tokens, heads, width = v.shape
    flat_q, flat_k, flat_v = (x.reshape(frames * tokens, heads, width) for x in (q, k, v))
    # One row more than tokens: what padded rows compute is written there and dropped.
    result = torch.cat([flat_v, flat_v[:1]])
    for group in index.groups:
        length = group.tokens.shape[1]
        rows = max(1, min(_MOST_ROWS, _CHUNK // (heads * length * (length + 4 * width))))
        for start in range(0, len(group.tokens), rows):
            chunk = slice(start, start + rows)
            where = group.tokens[chunk]
            read = flat_q[where] if q is v else None
            values = flat_v[where] if read is None else read
            queries = flat_q[where] if read is None else read
            keys = values if k is v else flat_k[where]
            seen = functional.scaled_dot_product_attention(
                queries.transpose(1, 2),
                keys.transpose(1, 2),
                values.transpose(1, 2),
                attn_mask=_allowed(group, chunk, index.reach),
            )
            result[group.targets[chunk]] = seen.transpose(1, 2).to(result.dtype)
    return result[:-1].view(frames, tokens, heads, width)


class FlattenAttention(nn.Module):
    """Attention of FLATTEN in place of a self-attention layer: dense, then along trajectories, then projected.

    old_qk  attend along trajectories with the projected queries and keys of the dense attention; else with its output.

    Names of modules are those of the diffusion models that the paper edits.
    """

    def __init__(self, channels: int, heads: int, *, old_qk: bool = False) -> None:
        super().__init__()
        self.heads, self.old_qk = heads, old_qk
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(channels, channels, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Sequential(nn.Linear(channels, channels))

    def forward(self, x: Tensor, index: TrajectoryIndex) -> Tensor:
        """(T, tokens, channels) to the same shape."""
        q, k, v = (layer(x).unflatten(-1, (self.heads, -1)) for layer in (self.to_q, self.to_k, self.to_v))
        dense = dense_attention(q, k, v)
        if not self.old_qk:
            q = k = dense
        guided = trajectory_attention(q, k, dense, index)
        return self.to_out(guided.flatten(2))


def dense_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of every token to all tokens of all frames; (T, tokens, heads, d) each, and so is the result."""
    q, k, together = (x.flatten(0, 1).transpose(0, 1)[None] for x in (q, k, v))  # (1, heads, T * tokens, d)
    seen = functional.scaled_dot_product_attention(q, k, together)
    return seen[0].transpose(0, 1).reshape(v.shape)


def _allowed(group: TrajectoryGroup, chunk: slice, reach: int | None) -> Tensor | None:
    """(N, 1, L or 1, L) bool: which tokens a token attends to; None for all."""
    length = group.tokens.shape[1]
    position = torch.arange(length, device=group.tokens.device)
    lengths = None if group.lengths is None else group.lengths[chunk, None, None, None]
    within = None if lengths is None else position < lengths
    if reach is None or reach >= length - 1:
        return within
    # Padded rows ask in the place of the last token, so that no row of scores is empty.
    own = position[:, None] if lengths is None else position[:, None].minimum(lengths - 1)
    near = (position - own).abs() <= reach
    return near.expand(1, 1, -1, -1) if within is None else near & within
