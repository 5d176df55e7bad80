"""Episodes: what the networks are given, for a pair of frames at t and t - 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceloom.methods.unifacegan.rendering import Look, dense_flow, render_face, sparse_flow
from faceloom.perceive.morphable import MorphableModel
from faceloom.train.unifacegan.identity import alignment
from faceloom.train.unifacegan.recipe import ObjectiveSection

Pair = tuple[Look, Look]
"""A frame t and the frame t - 1."""


class Episodes(NamedTuple):
    """A batch. Second dimension 2 is time, t first, then t - 1. Pictures are RGB in [-1, 1].

    appearance        (B, 2, 3, S, S), X_p.
    identity          (B, 2, 3, S, S), X_i.
    rendered          (B, 2, 3, S, S), R of eq. 5, -1 where there is no face.
    face              (B, 2, 1, S, S), the facial region of R, 0 or 1.
    flow              (B, 2, S, S), pixels, from t - 1 to t, x first.
    visible           (B, 1, S, S) bool, where the flow is known.
    intra             (B,) bool, all from one clip.
    hint_of_identity  (B,) bool, M is cut from X_i, not from X_p.
    faces             (B, 2, 2, 3), where the aligned face lies in the result and in X_i, both at t.
    """

    appearance: Tensor
    identity: Tensor
    rendered: Tensor
    face: Tensor
    flow: Tensor
    visible: Tensor
    intra: Tensor
    hint_of_identity: Tensor
    faces: Tensor


def make_episode(
    model: MorphableModel,
    appearance: Pair,
    identity: Pair,
    expression: Pair,
    how: ObjectiveSection,
    *,
    intra: bool,
    hint_of_identity: bool,
) -> dict[str, NDArray[Any]]:
    """One episode in arrays named as in ``Episodes``: pictures (2, S, S, 3) uint8, the rest without the batch."""
    side = len(appearance[0].picture)
    made = [render_face(model, i, e, p) for i, e, p in zip(identity, expression, appearance, strict=True)]
    flow, visible = np.zeros((side, side, 2), np.float32), np.zeros((side, side), bool)
    if intra and how.has_flow:
        now, before = made
        flow, visible = dense_flow(model, now, before) if how.flow == "dense" else sparse_flow(now, before)
    keypoints = model.keypoints(made[0].parameters), model.keypoints(identity[0].face)
    return {
        "appearance": np.stack([look.picture for look in appearance]),
        "identity": np.stack([look.picture for look in identity]),
        "rendered": np.stack([np.rint(face.picture * 255).astype(np.uint8) for face in made]),
        "face": np.stack([face.mask for face in made])[:, None],
        "flow": flow.transpose(2, 0, 1),
        "visible": visible[None],
        "intra": np.array(intra),
        "hint_of_identity": np.array(hint_of_identity),
        "faces": np.stack([alignment(points, side) for points in keypoints]),
    }


def batched(episodes: Sequence[dict[str, NDArray[Any]]], device: torch.device | str) -> Episodes:
    """Episodes on a device."""

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([episode[name] for episode in episodes])).to(device, non_blocking=True)

    def pictures(name: str) -> Tensor:
        return stacked(name).permute(0, 1, 4, 2, 3).float().div_(127.5).sub_(1).contiguous()

    return Episodes(
        pictures("appearance"),
        pictures("identity"),
        pictures("rendered"),
        stacked("face").float(),
        stacked("flow"),
        stacked("visible"),
        stacked("intra"),
        stacked("hint_of_identity"),
        stacked("faces"),
    )


def mirrored(episodes: Episodes, chosen: Tensor) -> Episodes:
    """``episodes`` with those of ``chosen`` (B,) bool seen in a mirror."""

    def turned(x: Tensor) -> Tensor:
        return torch.where(chosen.reshape(-1, *(1 for _ in x.shape[1:])), x.flip(-1), x)

    flow = turned(episodes.flow)
    flow = torch.where(chosen[:, None, None, None], flow * flow.new_tensor([-1.0, 1.0]).reshape(1, 2, 1, 1), flow)
    # The picture is mirrored and the aligned face in it: x changes its sign both where it comes from and where it goes.
    both = episodes.faces.new_tensor([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0]])
    return episodes._replace(
        appearance=turned(episodes.appearance),
        identity=turned(episodes.identity),
        rendered=turned(episodes.rendered),
        face=turned(episodes.face),
        flow=flow,
        visible=turned(episodes.visible),
        faces=torch.where(chosen[:, None, None, None], episodes.faces * both, episodes.faces),
    )
