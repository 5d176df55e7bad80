from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.nets.lpips import LPIPS, Trunk, head_state, trunk_state, unit  # noqa: E402


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("vgg", [(64, 64), (128, 32), (256, 16), (512, 8), (512, 4)]),
        ("alex", [(64, 15), (192, 7), (384, 3), (256, 3), (256, 3)]),
    ],
)
def test_taps_have_the_published_widths_and_strides(kind: str, sizes: list[tuple[int, int]]) -> None:
    with torch.inference_mode():
        layers = Trunk(kind)(torch.zeros(2, 3, 64, 64))
    assert [tuple(layer.shape) for layer in layers] == [(2, width, side, side) for width, side in sizes]


@pytest.mark.parametrize(("kind", "count"), [("vgg", 14_714_688), ("alex", 2_469_696)])
def test_parameters_are_those_of_the_published_trunks(kind: str, count: int) -> None:
    assert sum(parameter.numel() for parameter in Trunk(kind).parameters()) == count


def test_distance_of_given_features_is_that_computed_by_hand() -> None:
    net = LPIPS("alex")
    for head in net.heads:
        torch.nn.init.zeros_(head.weight)
    net.heads[1].weight.data[0, 0], net.heads[1].weight.data[0, 1] = 2.0, 3.0
    one = [torch.zeros(1, width, 1, 2) for width in net.trunk.widths]
    other = [torch.zeros(1, width, 1, 2) for width in net.trunk.widths]
    one[1][0, :2, 0, 0], other[1][0, :2, 0, 0] = torch.tensor([3.0, 4.0]), torch.tensor([0.0, 5.0])
    # Unit vectors (0.6, 0.8) and (0, 1) at one of two positions: (2 * 0.36 + 3 * 0.04) / 2.
    assert net.compare(one, other).item() == pytest.approx(0.42, rel=1e-6)


def test_unit_features_have_length_one_and_zero_stays_zero() -> None:
    features = torch.randn(2, 5, 3, 3)
    features[:, :, 0, 0] = 0
    length = unit(features).norm(dim=1)
    assert length[:, 0, 0].tolist() == [0, 0]
    torch.testing.assert_close(length[:, 1:], torch.ones(2, 2, 3))


def test_distance_is_symmetric_zero_for_equal_pictures_and_has_a_gradient() -> None:
    torch.manual_seed(0)
    net = LPIPS("alex").eval()
    for head in net.heads:
        torch.nn.init.uniform_(head.weight)
    a, b = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32, requires_grad=True)
    assert net(a, a).tolist() == [0, 0]
    torch.testing.assert_close(net(a, b), net(b, a))
    net(a, b).sum().backward()
    assert b.grad is not None
    assert b.grad.abs().max() > 0


def test_flax_kernels_are_turned_around() -> None:
    shapes = [(11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256)]
    rng = np.random.default_rng(0)
    arrays = {}
    for index, shape in enumerate(shapes):
        arrays[f"AlexNet_0/Conv_{index}/kernel"] = rng.standard_normal(shape).astype(np.float32)
        arrays[f"AlexNet_0/Conv_{index}/bias"] = np.zeros(shape[-1], np.float32)
    state = trunk_state("alex", arrays)
    Trunk("alex").load_state_dict(state, strict=True)
    assert float(state["convs.1.weight"][7, 5, 2, 3]) == arrays["AlexNet_0/Conv_1/kernel"][2, 3, 5, 7]
    del arrays["AlexNet_0/Conv_3/bias"]
    with pytest.raises(WeightsError, match="Conv_3"):
        trunk_state("alex", arrays)


def test_heads_take_the_published_names() -> None:
    published = {f"lin{index}.model.1.weight": torch.full((1, 1, 1, 1), float(index)) for index in range(5)}
    assert {name: float(value) for name, value in head_state(published).items()} == {f"{i}.weight": i for i in range(5)}
