from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from faceloom.nets.resnet import ResNet50  # noqa: E402


def test_parameters_and_names_are_those_of_public_checkpoints() -> None:
    net = ResNet50()
    # 25,557,032 of the published classifier less its last layer of 2048 x 1000 + 1000.
    assert sum(parameter.numel() for parameter in net.parameters()) == 23_508_032
    state = net.state_dict()
    learned = [name for name in state if not name.endswith("num_batches_tracked")]
    assert len(learned) == 53 + 4 * 53  # convolutions, and scale, shift, mean and variance behind each
    assert state["layer1.0.downsample.0.weight"].shape == (256, 64, 1, 1)
    assert state["layer3.5.conv2.weight"].shape == (256, 256, 3, 3)
    assert state["layer4.2.bn3.running_var"].shape == (2048,)
    assert "layer1.1.downsample.0.weight" not in state


def test_a_stage_halves_the_picture_by_its_middle_convolution() -> None:
    net = ResNet50(width=4, blocks=(1, 2, 1, 1))
    first, second = net.layer2
    assert (first.conv1.stride, first.conv2.stride, first.downsample[0].stride) == ((1, 1), (2, 2), (2, 2))
    assert second.downsample is None
    with torch.inference_mode():
        assert net.layer1(torch.zeros(1, 4, 16, 16)).shape == (1, 16, 16, 16)
        assert net(torch.zeros(2, 3, 64, 64)).shape == (2, net.features) == (2, 128)


def test_without_weights_of_its_own_a_block_passes_on_what_came_in() -> None:
    net = ResNet50(width=2, blocks=(2, 1, 1, 1)).eval()
    block = net.layer1[1]
    torch.nn.init.zeros_(block.bn3.weight)
    x = torch.randn(1, 8, 5, 5, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(block(x), x.clamp(min=0))


def test_the_whole_network_computed_layer_by_layer() -> None:
    from torch.nn import functional

    torch.manual_seed(0)
    net = ResNet50(width=2, blocks=(1, 1, 1, 1))
    net(torch.randn(4, 3, 64, 64))  # means and variances of its own
    state = net.eval().state_dict()

    def normed(x, name):
        values = [state[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
        mean, variance, scale, shift = (value.view(1, -1, 1, 1) for value in values)
        return (x - mean) / (variance + 1e-5).sqrt() * scale + shift

    image = torch.randn(1, 3, 64, 64)
    x = functional.conv2d(image, state["conv1.weight"], stride=2, padding=3)
    x = functional.max_pool2d(normed(x, "bn1").clamp(min=0), 3, 2, 1)
    for number, stride in ((1, 1), (2, 2), (3, 2), (4, 2)):
        block = f"layer{number}.0"
        y = normed(functional.conv2d(x, state[f"{block}.conv1.weight"]), f"{block}.bn1").clamp(min=0)
        y = functional.conv2d(y, state[f"{block}.conv2.weight"], stride=stride, padding=1)
        y = functional.conv2d(normed(y, f"{block}.bn2").clamp(min=0), state[f"{block}.conv3.weight"])
        shortcut = functional.conv2d(x, state[f"{block}.downsample.0.weight"], stride=stride)
        x = (normed(y, f"{block}.bn3") + normed(shortcut, f"{block}.downsample.1")).clamp(min=0)
    with torch.inference_mode():
        torch.testing.assert_close(net(image), x.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5)
