from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.nets.i3d import I3D, LEAST_FRAMES, Mixed, Unit3D, from_flax, pool_same  # noqa: E402


def test_parameters_are_those_of_the_published_network() -> None:
    # As in the usual PyTorch port; it includes scales of batch normalisation, all 1, which the authors' network lacks.
    assert sum(parameter.numel() for parameter in I3D().parameters()) == 12_697_264


def test_shortest_clip() -> None:
    net = I3D().eval()
    with torch.inference_mode():
        assert net(torch.zeros(1, 3, LEAST_FRAMES, 224, 224)).shape == (1, 400)
        with pytest.raises(RuntimeError):
            net(torch.zeros(1, 3, LEAST_FRAMES - 1, 224, 224))


@pytest.mark.parametrize("size", [5, 6, 7, 8])
def test_a_stride_of_two_rounds_up(size: int) -> None:
    with torch.inference_mode():
        found = Unit3D(2, 3, 7, stride=2).eval()(torch.zeros(1, 2, size, size, size))
    assert found.shape[2:] == (-(-size // 2),) * 3


def test_the_odd_pixel_of_padding_lies_at_the_end() -> None:
    line = torch.arange(6.0).view(1, 1, 1, 1, 6)
    # Windows of 3, stride 2 over 0..5: one pixel of padding in all, at the end.
    assert pool_same(line, (1, 1, 3), (1, 1, 2)).flatten().tolist() == [2, 4, 5]


def test_padding_never_wins_a_maximum() -> None:
    assert pool_same(torch.full((1, 1, 3, 3, 3), -2.0), (3, 3, 3), (1, 1, 1)).unique().tolist() == [-2]


def test_branches_are_joined_in_order() -> None:
    block = Mixed(4, (1, 2, 3, 4, 5, 6)).eval()
    with torch.inference_mode():
        x = torch.rand(1, 4, 3, 5, 5)
        found = block(x)
        torch.testing.assert_close(found[:, :1], block.Branch_0_Conv3d_0a_1x1(x))
        torch.testing.assert_close(found[:, 1:4], block.Branch_1_Conv3d_0b_3x3(block.Branch_1_Conv3d_0a_1x1(x)))
    assert found.shape == (1, 15, 3, 5, 5)


def test_flax_parameters_get_their_names_here() -> None:
    kernel = np.random.default_rng(0).standard_normal((3, 2, 1, 4, 5)).astype(np.float32)
    state = from_flax(
        {
            "params/Mixed_3b/Branch_1/Conv3d_0b_3x3/Conv_0/kernel": kernel,
            "params/Conv3d_1a_7x7/BatchNorm_0/bias": np.full(3, 2.0, np.float32),
            "batch_stats/Conv3d_1a_7x7/BatchNorm_0/mean": np.full((1, 1, 1, 1, 3), 3.0, np.float32),
            "params/Logits/Conv3d_0c_1x1/Conv_0/bias": np.zeros(400, np.float32),
        }
    )
    assert state["Mixed_3b.Branch_1_Conv3d_0b_3x3.conv.weight"].shape == (5, 4, 3, 2, 1)
    assert float(state["Mixed_3b.Branch_1_Conv3d_0b_3x3.conv.weight"][4, 3, 2, 1, 0]) == kernel[2, 1, 0, 3, 4]
    assert state["Conv3d_1a_7x7.bn.weight"].tolist() == [1, 1, 1]
    assert state["Conv3d_1a_7x7.bn.bias"].tolist() == [2, 2, 2]
    assert state["Conv3d_1a_7x7.bn.running_mean"].tolist() == [3, 3, 3]
    assert state["Logits.bias"].shape == (400,)


def test_an_unknown_entry_is_refused() -> None:
    with pytest.raises(WeightsError, match="params/Conv3d_1a_7x7/Other_0/kernel"):
        from_flax({"params/Conv3d_1a_7x7/Other_0/kernel": np.zeros(1, np.float32)})
