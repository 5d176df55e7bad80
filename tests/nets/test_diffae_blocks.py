"""Blocks of the diffusion autoencoder that compute in another way than they are written down."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from faceloom.nets.diffae.blocks import GroupNorm, ResidualBlock, group_norm, silu, upsampled_conv  # noqa: E402


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 3), (8, 8)])
@pytest.mark.parametrize("bias", [True, False])
def test_upsampling_within_the_convolution(height: int, width: int, bias: bool) -> None:
    torch.manual_seed(1)
    conv, x = nn.Conv2d(4, 6, 3, padding=1, bias=bias), random(2, 4, height, width)
    expected = conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
    torch.testing.assert_close(upsampled_conv(x, conv), expected, rtol=0, atol=1e-5)


def test_upsampling_within_the_convolution_in_half_precision() -> None:
    torch.manual_seed(1)
    conv, x = nn.Conv2d(16, 16, 3, padding=1), random(1, 16, 8, 8)
    exact = upsampled_conv(x, conv)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        rounded = upsampled_conv(x.bfloat16(), conv)
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - exact).abs().max() < 0.03 * exact.abs().max()


@pytest.mark.parametrize("resample", ["", "up", "down"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_block_is_the_same_in_training_and_in_use(resample: str, layout: torch.memory_format) -> None:
    torch.manual_seed(2)
    block = ResidualBlock(32, 64, 8, dropout=0.0, resample=resample).eval()
    nn.init.normal_(block.out_layers[-1].weight, std=0.1)
    x = random(2, 32, 8, 8).contiguous(memory_format=layout)
    given, time, semantic = x.clone(), random(1, 128), random(2, 64)
    plain = block(x, time, semantic)
    with torch.inference_mode():
        quick = block(x, time, semantic)
    torch.testing.assert_close(quick, plain, rtol=0, atol=2e-5)
    assert torch.equal(x, given)  # nothing is computed in the place of what came in


def test_gradients_pass_the_activation() -> None:
    x = random(3).requires_grad_()
    y = x * 1
    silu(y).sum().backward()
    expected = torch.autograd.functional.jacobian(lambda z: functional.silu(z).sum(), x.detach())
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.parametrize(("channels", "side"), [(32, 16), (128, 16), (96, 64), (1024, 8)])
def test_normalisation_in_either_layout_is_that_of_torch(channels: int, side: int) -> None:
    own, x = group_norm(channels), random(2, channels, side, side)
    nn.init.normal_(own.weight)
    expected = functional.group_norm(x, 32, own.weight, own.bias, own.eps)
    torch.testing.assert_close(own(x.contiguous(memory_format=torch.channels_last)), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(own(x), expected, rtol=0, atol=1e-4)


def test_normalisation_has_the_parameters_of_torch() -> None:
    assert isinstance(group_norm(64), GroupNorm)
    assert set(group_norm(64).state_dict()) == {"weight", "bias"}
    assert group_norm(8).num_groups == 8 and group_norm(64).num_groups == 32
