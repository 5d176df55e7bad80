"""Attention along trajectories, inside the part only."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from torch import Tensor  # noqa: E402

from faceloom.methods.vpartswap.temporal import TrajectoryMixer, consecutive_flow  # noqa: E402

SIZE, SIDE, FRAMES = 32, 8, 4
"""Pixels of a crop, cells of the map, frames."""


def tokens(side: int = SIDE, heads: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    q, k, h = torch.randn(3, FRAMES, heads, side * side, 4, generator=torch.Generator().manual_seed(0))
    return q, k, h


def still(frames: int = FRAMES) -> NDArray[np.float32]:
    return np.zeros((frames - 1, SIZE, SIZE, 2), np.float32)


def left_half() -> list[NDArray[np.float32]]:
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[:, : SIZE // 2] = 1
    return [mask] * FRAMES


def grid(x: Tensor) -> Tensor:
    """(T, heads, rows, columns, d)."""
    return x.unflatten(2, (SIDE, SIDE))


def test_tokens_outside_the_region_keep_every_bit() -> None:
    q, k, h = tokens()
    kept = h.clone()
    found = TrajectoryMixer(still(), left_half())(q, k, h)
    assert torch.equal(h, kept)
    assert torch.equal(grid(found)[:, :, :, SIDE // 2 :], grid(h)[:, :, :, SIDE // 2 :])
    assert (grid(found)[:, :, :, : SIDE // 2] != grid(h)[:, :, :, : SIDE // 2]).any(dim=-1).all()


def test_a_token_attends_to_itself_in_all_frames_by_the_given_queries_and_keys() -> None:
    q, k, h = tokens()
    found = grid(TrajectoryMixer(still(), left_half())(q, k, h))
    one_q, one_k, one_h = (grid(x)[:, 1, 3, 2] for x in (q, k, h))  # (T, d) of one cell and head
    expected = torch.softmax(one_q @ one_k.T / 2, dim=1) @ one_h
    torch.testing.assert_close(found[:, 1, 3, 2], expected)


def test_trajectories_follow_the_flow() -> None:
    """What moves one cell to the right a frame is met one cell further."""
    q, k, h = tokens()
    flow = still()
    flow[..., 0] = SIZE / SIDE
    found = grid(TrajectoryMixer(flow, [np.ones((SIZE, SIZE), np.float32)] * FRAMES)(q, k, h))
    path = (torch.arange(FRAMES), 0, 5, 2 + torch.arange(FRAMES))
    one_q, one_k, one_h = (grid(x)[path] for x in (q, k, h))
    torch.testing.assert_close(found[path], torch.softmax(one_q @ one_k.T / 2, dim=1) @ one_h)


def test_frames_across_a_gap_are_not_linked() -> None:
    q, k, h = tokens()
    flow = still()
    flow[1] = np.nan
    everywhere = [np.ones((SIZE, SIZE), np.float32)] * FRAMES
    found = TrajectoryMixer(flow, everywhere)(q, k, h)
    first = TrajectoryMixer(still(2), everywhere[:2])(q[:2], k[:2], h[:2])
    second = TrajectoryMixer(still(2), everywhere[2:])(q[2:], k[2:], h[2:])
    torch.testing.assert_close(found, torch.cat([first, second]))


def test_the_region_may_differ_from_frame_to_frame() -> None:
    q, k, h = tokens()
    masks = left_half()
    masks[2] = np.zeros((SIZE, SIZE), np.float32)
    found = TrajectoryMixer(still(), masks)(q, k, h)
    assert torch.equal(found[2], h[2]) and torch.equal(found[3], h[3])
    assert not torch.equal(found[1], h[1])


def test_one_mixer_serves_maps_of_all_sizes_with_trajectories_sampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from faceloom.methods.vpartswap import temporal

    sampled: list[tuple[int, int]] = []
    sample = temporal.sample_trajectories

    def counting(flow, grid, **given):
        sampled.append(grid)
        return sample(flow, grid, **given)

    monkeypatch.setattr(temporal, "sample_trajectories", counting)
    mixer = TrajectoryMixer(still(), left_half())
    for side in (8, 4, 8, 4, 8):
        assert mixer(*tokens(side)).shape == (FRAMES, 2, side * side, 4)
    assert sampled == [(8, 8), (4, 4)]


def test_a_single_frame_has_nothing_to_attend_to() -> None:
    q, k, h = (x[:1] for x in tokens())
    assert torch.equal(TrajectoryMixer(still(1), left_half()[:1])(q, k, h), h)


def test_half_precision_stays_half_precision() -> None:
    found = TrajectoryMixer(still(), left_half())(*(x.bfloat16() for x in tokens()))
    assert found.dtype == torch.bfloat16


class Brightness:
    """A flow that says which two pictures it was asked about."""

    def flow(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.full((*a.shape[:2], 2), (a[0, 0, 0], b[0, 0, 0]), np.float32)


def test_flow_between_frames_that_follow_each_other() -> None:
    crops = [np.full((4, 4, 3), value, np.uint8) for value in (10, 20, 30, 40)]
    found = consecutive_flow(crops, [5, 6, 8, 9], Brightness())
    assert found.shape == (3, 4, 4, 2) and found.dtype == np.float32
    assert found[0, 0, 0].tolist() == [10, 20] and found[2, 0, 0].tolist() == [30, 40]
    assert np.isnan(found[1]).all()


def test_flow_of_one_frame_is_empty() -> None:
    assert consecutive_flow([np.zeros((4, 6, 3), np.uint8)], [0], Brightness()).shape == (0, 4, 6, 2)
