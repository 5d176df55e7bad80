from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from torch import Tensor  # noqa: E402

from faceloom.geometry.trajectories import Trajectories, sample_trajectories  # noqa: E402
from faceloom.nets import flow_attention  # noqa: E402
from faceloom.nets.flow_attention import (  # noqa: E402
    FlattenAttention,
    TrajectoryIndex,
    dense_attention,
    trajectory_attention,
)

GOLDEN = Path(__file__).parents[1] / "data" / "nets" / "flatten.npz"
"""What the published implementation gives with random weights: 4 frames of 64 x 64 tokens of 8 channels, 2 heads.

Its trajectories as labels, and at the tokens of 400 of them the output of dense attention, of flow-guided attention and
of the whole layer.
"""
FRAMES, ROWS, COLUMNS, HEADS, WIDTH = 7, 4, 5, 2, 8


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.generic]]:
    with np.load(GOLDEN) as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def trajectories() -> Trajectories:
    flow = np.random.default_rng(1).normal(0, 0.6, (FRAMES - 1, ROWS, COLUMNS, 2)).astype(np.float32)
    return sample_trajectories(flow, (ROWS, COLUMNS))


@pytest.fixture
def qkv() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, FRAMES, ROWS * COLUMNS, HEADS, WIDTH)
    return q, k, v


def by_hand(q: Tensor, k: Tensor, v: Tensor, labels: NDArray[np.int32], reach: int = 1000) -> Tensor:
    """The definition, token by token."""
    flat, result = torch.from_numpy(labels.reshape(-1)), torch.empty_like(v).flatten(0, 1)
    frame = torch.arange(len(flat)) // v.shape[1]
    q, k, v = (x.flatten(0, 1) for x in (q, k, v))
    for p in range(len(flat)):
        others = (flat == flat[p]) & ((frame - frame[p]).abs() <= reach)
        scores = torch.einsum("hd,rhd->rh", q[p], k[others]) / q.shape[-1] ** 0.5
        result[p] = torch.einsum("rh,rhd->hd", scores.softmax(dim=0), v[others])
    return result.view(*labels.shape[:1], -1, *v.shape[1:])


@pytest.mark.parametrize("reach", [None, 0, 1, 2, 5])
def test_equals_the_definition(qkv, trajectories, reach) -> None:
    index = TrajectoryIndex.of(trajectories, reach=reach)
    assert any(group.lengths is not None for group in index.groups)
    expected = by_hand(*qkv, trajectories.labels, 1000 if reach is None else reach)
    torch.testing.assert_close(trajectory_attention(*qkv, index), expected, atol=2e-6, rtol=1e-5)


def test_one_tensor_for_all_three(qkv, trajectories) -> None:
    v = qkv[2]
    index = TrajectoryIndex.of(trajectories)
    expected = by_hand(v, v, v, trajectories.labels)
    torch.testing.assert_close(trajectory_attention(v, v, v, index), expected, atol=2e-6, rtol=1e-5)


def test_tokens_that_are_alone_keep_every_bit(qkv) -> None:
    region = np.zeros((FRAMES, ROWS, COLUMNS), bool)
    region[1:, 1:3, 2:] = True
    trajectories = sample_trajectories(np.zeros((FRAMES - 1, 8, 8, 2), np.float32), (ROWS, COLUMNS), region=region)
    v, before = qkv[2], qkv[2].clone()
    result = trajectory_attention(*qkv, TrajectoryIndex.of(trajectories))
    inside = torch.from_numpy(region.reshape(FRAMES, -1))
    assert torch.equal(result[~inside], v[~inside])
    assert (result[inside] != v[inside]).any(dim=(1, 2)).all()
    assert torch.equal(v, before)


def test_small_chunks_change_nothing(qkv, trajectories, monkeypatch: pytest.MonkeyPatch) -> None:
    index = TrajectoryIndex.of(trajectories, reach=3)
    at_once = trajectory_attention(*qkv, index)
    monkeypatch.setattr(flow_attention, "_CHUNK", 1)
    torch.testing.assert_close(trajectory_attention(*qkv, index), at_once)


def test_reach_makes_frames_independent_of_those_far_away(qkv, trajectories) -> None:
    """An edit of frames 2 to 4 within a window with as much context as the reach is that of the whole clip."""
    whole = trajectory_attention(*qkv, TrajectoryIndex.of(trajectories, reach=1))
    window = slice(1, 6)
    part = trajectory_attention(*(x[window] for x in qkv), TrajectoryIndex.of(trajectories.cut(window), reach=1))
    torch.testing.assert_close(part[1:-1], whole[2:5])


def test_gradients_are_finite_and_stay_on_their_trajectory(qkv, trajectories) -> None:
    q, k, v = (x.requires_grad_() for x in qkv)
    token = int(trajectories.tables[-1].tokens[0, 1])
    result = trajectory_attention(q, k, v, TrajectoryIndex.of(trajectories, reach=1))
    result.flatten(0, 1)[token].sum().backward()
    labels = torch.from_numpy(trajectories.labels.reshape(-1))
    for tensor in (q, k, v):
        assert tensor.grad is not None and tensor.grad.isfinite().all()
    touched = v.grad.flatten(0, 1).abs().sum(dim=(1, 2)) > 0
    assert touched.sum() == 3 and (labels[touched] == labels[token]).all()


def test_half_precision_comes_back_as_it_went_in(qkv, trajectories) -> None:
    index = TrajectoryIndex.of(trajectories)
    result = trajectory_attention(*(x.bfloat16() for x in qkv), index)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), trajectory_attention(*qkv, index), atol=0.05, rtol=0.05)


def test_wrong_shapes_are_refused(qkv, trajectories) -> None:
    index = TrajectoryIndex.of(trajectories)
    with pytest.raises(ValueError, match="do not fit"):
        trajectory_attention(*(x[:-1] for x in qkv), index)
    with pytest.raises(ValueError, match="do not fit"):
        trajectory_attention(qkv[0], qkv[1][..., :4], qkv[2], index)
    with pytest.raises(ValueError, match="number of frames"):
        TrajectoryIndex.of(trajectories, reach=-1)


def test_the_layer_is_dense_attention_then_trajectories_then_projection(trajectories) -> None:
    torch.manual_seed(0)
    index = TrajectoryIndex.of(trajectories)
    x = torch.randn(FRAMES, ROWS * COLUMNS, 16)
    for old_qk in (False, True):
        layer = FlattenAttention(16, HEADS, old_qk=old_qk)
        with torch.inference_mode():
            q, k, v = (part(x).unflatten(-1, (HEADS, 8)) for part in (layer.to_q, layer.to_k, layer.to_v))
            scores = (torch.einsum("tahd,sbhd->htasb", q, k).flatten(3) / 8**0.5).softmax(dim=-1)
            dense = torch.einsum("htar,rhd->tahd", scores, v.flatten(0, 1))
            guided = by_hand(*((q, k) if old_qk else (dense, dense)), dense, trajectories.labels)
            expected = layer.to_out(guided.flatten(2))
            torch.testing.assert_close(layer(x, index), expected, atol=2e-6, rtol=1e-5)


def projected(golden, heads: int = 2) -> tuple[Tensor, ...]:
    x = torch.from_numpy(golden["hidden_states"])
    weights = (torch.from_numpy(golden[f"to_{name}.weight"]) for name in "qkv")
    return tuple((x @ weight.T).unflatten(-1, (heads, -1)) for weight in weights)


def test_dense_attention_equals_the_published_implementation(golden) -> None:
    """Scores reach 39 with these weights, so the rounding of float32 shows: the two differ by up to 3e-5."""
    dense = dense_attention(*projected(golden)).reshape(-1, 8).numpy()
    np.testing.assert_allclose(dense[golden["tokens"]], golden["dense"], atol=1e-4)


@pytest.mark.parametrize("old_qk", [False, True])
def test_guided_attention_equals_the_published_implementation(golden, old_qk: bool) -> None:
    tokens = torch.from_numpy(golden["tokens"].astype(np.int64))
    index = TrajectoryIndex.of(Trajectories(golden["labels64"].astype(np.int32)))
    dense = torch.zeros(4 * 4096, 2, 4)
    dense[tokens] = torch.from_numpy(golden["dense"]).view(-1, 2, 4)  # whole trajectories, so the others do not matter
    dense = dense.view(4, 4096, 2, 4)
    q, k, _ = projected(golden)
    guided = trajectory_attention(*((q, k) if old_qk else (dense, dense)), dense, index).reshape(-1, 8)[tokens]
    np.testing.assert_allclose(guided.numpy(), golden[f"guided.old_qk{int(old_qk)}"], atol=1e-5)
    layer = FlattenAttention(8, 2, old_qk=old_qk)
    names = ("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight", "to_out.0.bias")
    layer.load_state_dict({name: torch.from_numpy(golden[name]) for name in names}, strict=True)
    with torch.inference_mode():
        np.testing.assert_allclose(layer.to_out(guided).numpy(), golden[f"out.old_qk{int(old_qk)}"], atol=2e-5)
