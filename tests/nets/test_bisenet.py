from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from faceloom.nets.bisenet import AttentionRefinement, BasicBlock, BiSeNet  # noqa: E402


@pytest.fixture(scope="module")
def net() -> BiSeNet:
    torch.manual_seed(0)
    return BiSeNet(classes=5).eval()


@pytest.mark.parametrize("size", [(32, 32), (64, 96)])
def test_shapes(net: BiSeNet, size: tuple[int, int]) -> None:
    image = torch.randn(2, 3, *size)
    with torch.inference_mode():
        assert net(image).shape == (2, 5, *size)
        assert net.coarse(image).shape == (2, 5, size[0] // 8, size[1] // 8)


def test_output_is_the_coarse_output_enlarged_with_aligned_corners(net: BiSeNet) -> None:
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        full, coarse = net(image), net.coarse(image)
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        torch.testing.assert_close(full[..., row, column], coarse[..., row, column])


def test_parameters_are_those_of_the_public_checkpoint() -> None:
    net = BiSeNet()
    assert sum(parameter.numel() for parameter in net.parameters()) == 13_300_416
    assert net.state_dict()["cp.resnet.layer4.0.downsample.0.weight"].shape == (512, 256, 1, 1)
    assert net.state_dict()["ffm.conv2.weight"].shape == (256, 64, 1, 1)


def test_attention_scales_whole_channels() -> None:
    torch.manual_seed(0)
    block = AttentionRefinement(4, 6).eval()
    x = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        plain, refined = block.conv(x), block(x)
    ratio = (refined / plain)[plain > 1e-3]
    assert ratio.min() > 0
    assert ratio.max() < 1
    for channel in range(6):
        seen = plain[0, channel] > 1e-3
        values = (refined[0, channel] / plain[0, channel])[seen]
        torch.testing.assert_close(values, values[:1].expand_as(values))


def test_block_with_silent_convolutions_passes_its_input() -> None:
    block = BasicBlock(4, 4, 1).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.rand(1, 4, 5, 5)
    with torch.inference_mode():
        torch.testing.assert_close(block(x), x)


def test_gradients_reach_every_parameter_in_use() -> None:
    torch.manual_seed(0)
    net = BiSeNet(classes=3).train()
    net(torch.randn(2, 3, 64, 64)).square().mean().backward()
    silent = {name for name, parameter in net.named_parameters() if parameter.grad is None}
    assert silent
    assert all(name.startswith(("conv_out16", "conv_out32")) for name in silent)
