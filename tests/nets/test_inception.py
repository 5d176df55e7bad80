from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from torch import nn  # noqa: E402

from faceloom.nets.inception import FEATURES, BlockA, InceptionV3, Unit  # noqa: E402


def test_features_have_the_published_length() -> None:
    with torch.inference_mode():
        assert InceptionV3().eval()(torch.zeros(1, 3, 299, 299)).shape == (1, FEATURES)


def test_convolutions_are_those_of_inception_v3() -> None:
    units = [module for module in InceptionV3().modules() if isinstance(module, Unit)]
    assert len(units) == 94
    assert sum(unit.weight.numel() for unit in units) == 21_751_136


def test_pools_are_those_of_the_network_that_fid_is_defined_with() -> None:
    net = InceptionV3()
    inner = [module for name, module in net.named_modules() if name.endswith(("tower_2.pool", "mixed_9.tower_2_pool"))]
    assert len(inner) == 8
    assert all(isinstance(pool, nn.AvgPool2d) and not pool.count_include_pad for pool in inner)
    assert isinstance(net.layers.mixed_10.tower_2_pool, nn.MaxPool2d)


def test_normalisation_has_no_scale_and_the_wide_epsilon() -> None:
    unit = Unit(1, 1, 1)
    unit.weight.data.fill_(1.0)
    unit.mean.data.fill_(2.0)
    unit.var.data.fill_(0.25)
    unit.beta.data.fill_(0.5)
    with torch.inference_mode():
        assert float(unit(torch.full((1, 1, 1, 1), 3.0))) == pytest.approx(1 / 0.251**0.5 + 0.5, rel=1e-6)


def test_branches_are_joined_in_order() -> None:
    torch.manual_seed(0)
    block = BlockA(8, 32)
    for module in block.modules():
        if isinstance(module, Unit):
            nn.init.normal_(module.weight)
    x = torch.rand(1, 8, 6, 6)
    with torch.inference_mode():
        found = block(x)
        torch.testing.assert_close(found[:, :64], block.conv(x))
        torch.testing.assert_close(found[:, -32:], block.tower_2(x))
    assert found.shape == (1, 256, 6, 6)
