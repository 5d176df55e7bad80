from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from faceloom.nets import raft  # noqa: E402
from faceloom.nets.raft import Raft  # noqa: E402
from faceloom.nets.raft_update import SeparableGru  # noqa: E402


@pytest.fixture(scope="module")
def net() -> Raft:
    torch.manual_seed(0)
    return Raft().eval()


def pictures(*size: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    a, b = torch.rand(2, *size, generator=generator) * 255
    return a, b


@pytest.mark.parametrize("size", [(64, 64), (64, 96)])
def test_shapes(net: Raft, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        flow, low = net(*pictures(2, 3, *size), iterations=2)
    assert flow.shape == (2, 2, *size) and low.shape == (2, 2, size[0] // 8, size[1] // 8)
    assert flow.isfinite().all() and flow.dtype == torch.float32


def test_pictures_of_a_batch_do_not_meet(net: Raft) -> None:
    a, b = pictures(2, 3, 64, 64)
    with torch.inference_mode():
        both, _ = net(a, b, iterations=2)
        second, _ = net(a[1:], b[1:], iterations=2)
    torch.testing.assert_close(both[1:], second, atol=1e-4, rtol=1e-4)


def test_parameters_are_those_of_the_public_checkpoint(net: Raft) -> None:
    state = net.state_dict()
    assert len(state) == 179 and sum(parameter.numel() for parameter in net.parameters()) == 5_257_536
    assert state["update_block.encoder.convc1.weight"].shape == (256, 4 * 81, 1, 1)
    assert state["cnet.layer2.0.norm3.weight"] is not None and "fnet.norm1.weight" not in state


def test_public_names_load_and_others_are_refused(net: Raft) -> None:
    state = {f"module.{name}": tensor for name, tensor in net.state_dict().items()}
    copy = Raft().eval()
    copy.load_public(state)
    torch.testing.assert_close(copy.state_dict(), net.state_dict())
    del state["module.fnet.conv2.bias"]
    with pytest.raises(RuntimeError, match=r"fnet\.conv2\.bias"):
        copy.load_public(state)
    with pytest.raises(RuntimeError, match="surprise"):
        copy.load_public({**net.state_dict(), "surprise": torch.zeros(1)})


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ((3, 64, 64), (3, 64, 72), "one size"),
        ((3, 60, 64), (3, 60, 64), "of 8"),
        ((3, 56, 64), (3, 56, 64), "least 64"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(net: Raft, a, b, message) -> None:
    with pytest.raises(ValueError, match=message):
        net(torch.zeros(1, *a), torch.zeros(1, *b))


def test_correlation_by_definition() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 2, 16, 8, 8)
    first, second, *_, last = raft.correlation_pyramid(a, b)
    expected = torch.einsum("bcij,bckl->bijkl", a, b) / 4
    torch.testing.assert_close(first.view(2, 8, 8, 8, 8), expected)
    torch.testing.assert_close(second[:, 0], functional.avg_pool2d(expected.reshape(128, 8, 8), 2))
    assert last.shape == (128, 1, 1, 1)


def test_lookup_reads_the_square_around_the_position_with_x_slowest() -> None:
    """On a map whose value is x + 100 y, bilinear sampling gives the position itself."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    flat = torch.full((1, 1, 16, 16), 7.0)
    positions = torch.tensor([10.25, 12.5]).view(1, 2, 1, 1)
    found = raft.lookup([(x + 100 * y)[None, None], flat], positions)[0, :, 0, 0]
    steps = torch.arange(-4.0, 5)
    expected = (10.25 + steps)[:, None] + 100 * (12.5 + steps)[None, :]
    torch.testing.assert_close(found[:81].view(9, 9), expected)
    torch.testing.assert_close(found[81:], torch.full((81,), 7.0))


@pytest.mark.parametrize(("height", "width"), [(5, 7), (1, 1), (1, 6)])
def test_sampling_is_bilinear_and_zero_outside(height: int, width: int) -> None:
    values = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    positions = np.random.default_rng(1).uniform(-2, 8, (40, 2)).astype(np.float32)
    positions[0] = 0
    expected = np.zeros(40, np.float32)
    for number, (x, y) in enumerate(positions):
        for row in range(height):
            for column in range(width):
                expected[number] += max(0, 1 - abs(x - column)) * max(0, 1 - abs(y - row)) * values[row, column]
    found = raft.sample(torch.from_numpy(values)[None, None], torch.from_numpy(positions)[None, None])
    np.testing.assert_allclose(found[0, 0, 0].numpy(), expected, atol=1e-5)
    assert found[0, 0, 0, 0] == pytest.approx(values[0, 0], abs=1e-6)


def test_convex_upsampling() -> None:
    """Weights that choose one neighbour give its flow, times 8, at the pixels they were meant for."""
    flow = torch.arange(2 * 3 * 4, dtype=torch.float32).view(1, 2, 3, 4)
    weights = torch.full((1, 9, 8, 8, 3, 4), -1e4)
    weights[:, 4] = 0  # the cell itself
    weights[:, 4, 2, 5], weights[:, 3, 2, 5] = -1e4, 0  # the cell to the left, in row 2 and column 5 of each cell
    found = raft.upsample_convex(flow, weights.view(1, 576, 3, 4))
    expected = 8 * flow.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    expected[..., 2::8, 5::8] = 8 * functional.pad(flow, (1, 0))[..., :-1]
    torch.testing.assert_close(found, expected)
    even = raft.upsample_convex(torch.ones(1, 2, 3, 3), torch.zeros(1, 576, 3, 3))
    torch.testing.assert_close(even[..., 8:16, 8:16], torch.full((1, 2, 8, 8), 8.0))


def test_gru_with_the_context_taken_out_is_the_gru_on_everything() -> None:
    torch.manual_seed(0)
    gru = SeparableGru(6, 4)
    h, context, motion = torch.randn(1, 6, 7, 9), torch.randn(1, 4, 7, 9), torch.randn(1, 128, 7, 9)

    def whole(h: Tensor, z: nn.Module, r: nn.Module, q: nn.Module) -> Tensor:
        x = torch.cat([context, motion], dim=1)
        both = torch.cat([h, x], dim=1)
        update, reset = torch.sigmoid(z(both)), torch.sigmoid(r(both))
        return (1 - update) * h + update * torch.tanh(q(torch.cat([reset * h, x], dim=1)))

    with torch.inference_mode():
        expected = whole(h, gru.convz1, gru.convr1, gru.convq1)
        expected = whole(expected, gru.convz2, gru.convr2, gru.convq2)
        torch.testing.assert_close(gru(h, motion, gru.prepare(context)), expected)


def test_gradients_reach_every_parameter(net: Raft) -> None:
    flow, _ = net(*pictures(1, 3, 64, 64), iterations=2)
    flow.square().mean().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
