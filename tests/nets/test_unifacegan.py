"""Shapes, sizes and ablations of the networks; the discriminator and its hinge by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from faceloom.nets.unifacegan import (
    PAPER,
    SMALL,
    AppearanceEmbedder,
    MultiScaleDiscriminator,
    UniFaceGAN,
    UniFaceGANConfig,
    appearance_hint,
    hinge_for_discriminator,
    hinge_for_generator,
)
from faceloom.nets.unifacegan.blocks import SelfAttention
from faceloom.nets.unifacegan.iresnet import IResNet, iresnet_of

TINY = UniFaceGANConfig(
    image_size=32,
    widths=(4, 8, 8),
    residual_blocks=1,
    appearance_widths=(4, 6, 8),
    attention_side=16,
    discriminator_widths=(4, 8, 8),
    scales=2,
)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def inputs(side: int = 32, batch: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rendered, appearance = (torch.rand(batch, 3, side, side) * 2 - 1 for _ in range(2))
    face = torch.zeros(batch, 1, side, side)
    face[:, :, side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = 1
    return rendered, appearance, appearance_hint(appearance, face), face


@pytest.mark.parametrize("config", [PAPER, SMALL], ids=["paper", "small"])
def test_sizes(config: UniFaceGANConfig) -> None:
    """On the meta device: shapes without numbers."""
    with torch.device("meta"):
        model, critic = UniFaceGAN(config), MultiScaleDiscriminator(config)
        made = model(*inputs(config.image_size))
        scores = critic(made)
    assert made.shape == (2, 3, config.image_size, config.image_size)
    assert len(scores) == config.scales
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert 40 < millions < 80 if config is PAPER else millions < 3
    # Self-attention sits at 64 x 64 alone.
    assert [layer.attention is not None for layer in model.generator.up] == [
        side == 64 for side in config.upsampled_sides
    ]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"normalisation": "adain"},
        {"normalisation": "spade"},
        {"attention_side": 0},
        {"sees_hint": False},
        {"skips": True},
        {"rcn_terms": "same"},
        {"residual_blocks": 0},
    ],
    ids=str,
)
def test_every_part_learns(change: dict[str, object]) -> None:
    model = UniFaceGAN(replace(TINY, **change))
    if model.config.attention_side:  # begins with gamma 0, at which the layers before it are still
        torch.nn.init.ones_(model.generator.up[0].attention.gamma)
    made = model(*inputs())
    assert made.shape == (2, 3, 32, 32) and made.abs().max() <= 1
    made.square().sum().backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    if change.get("rcn_terms") == "same":
        still = [name for name in still if "facial_norm" not in name]
    # A constant before batch or instance normalisation is without effect, and so is one added to every key.
    assert [name for name in still if not name.endswith((".conv.bias", ".appearance.bias", ".key.bias"))] == []


def test_any_size_that_can_be_halved() -> None:
    assert TINY.multiple == 4 and TINY.upsampled_sides == (16, 32)
    assert UniFaceGAN(TINY)(*inputs(20)).shape == (2, 3, 20, 20)


def test_the_appearance_reaches_the_picture_only_where_it_should() -> None:
    """With ``same`` terms alone, nothing of T_l lies in the face; with RCN's cross terms, its statistics do."""
    rendered, appearance, hint, face = inputs()
    for terms, leaks in (("same", False), ("full", True)):
        model = UniFaceGAN(replace(TINY, rcn_terms=terms, attention_side=0, sees_hint=False, widths=(4, 8))).eval()
        model.generator.last = torch.nn.Conv2d(4, 3, 1)  # one pixel wide, so that the border does not blur
        one = model(rendered, appearance, hint, face)
        other = model(rendered, appearance.flip(2) * 0.1, hint, face)
        inside = ((one - other).abs() * face).amax().item()
        assert (inside > 1e-6) == leaks
        assert ((one - other).abs() * (1 - face)).amax() > 1e-3


def test_hint_is_black_in_the_face() -> None:
    picture = torch.full((1, 3, 2, 2), 0.5)
    face = torch.tensor([[[[1.0, 0.0], [0.5, 0.0]]]])
    wanted = torch.tensor([[-1.0, 0.5], [-0.25, 0.5]]).expand(1, 3, 2, 2)
    torch.testing.assert_close(appearance_hint(picture, face), wanted)


def test_embedder_shape() -> None:
    _, picture, hint, _ = inputs()
    assert AppearanceEmbedder(TINY)(picture, hint).shape == (2, 8, 8, 8)


def test_attention_by_hand() -> None:
    layer = SelfAttention(1)
    for part in (layer.query, layer.key, layer.value, layer.out):
        torch.nn.init.ones_(part.weight)
        torch.nn.init.zeros_(part.bias)
    x = torch.tensor([[[[0.0, 1.0]]]])
    assert torch.equal(layer(x), x), "gamma begins at 0"
    torch.nn.init.constant_(layer.gamma, 2.0)
    # Pixel 0 asks with 0 and sees the mean 1/2; pixel 1 weighs by e^0 and e^1.
    wanted = torch.tensor([[[[0 + 2 * 0.5, 1 + 2 * torch.e / (1 + torch.e)]]]])
    torch.testing.assert_close(layer(x), wanted)


def test_scales_see_halved_pictures() -> None:
    critic = MultiScaleDiscriminator(TINY)
    picture = torch.rand(2, 3, 32, 32)
    large, small = critic(picture)
    assert large.shape == (2, 1, 11, 11) and small.shape == (2, 1, 7, 7)
    reduced = torch.nn.functional.avg_pool2d(picture, 3, 2, 1, count_include_pad=False)
    torch.testing.assert_close(critic.scales[1](reduced), small)
    assert critic.scales[0] is not critic.scales[1]


def test_hinge_by_hand() -> None:
    real = [torch.tensor([[[[2.0, 0.5]]]]), torch.tensor([[[[-1.0]]]])]
    made = [torch.tensor([[[[-3.0, 0.0]]]]), torch.tensor([[[[0.5]]]])]
    # First scale: (0 + 0.5) / 2 + (0 + 1) / 2 = 0.75; second: 2 + 1.5 = 3.5; their mean.
    assert hinge_for_discriminator(real, made).tolist() == [2.125]
    # -((-3 + 0) / 2 + 0.5) / 2
    assert hinge_for_generator(made).tolist() == [0.5]


def test_hinge_keeps_pictures_apart() -> None:
    logits = [torch.tensor([1.0, -2.0]).reshape(2, 1, 1, 1)]
    assert hinge_for_generator(logits).tolist() == [-1.0, 2.0]
    assert hinge_for_discriminator(logits, logits).tolist() == [2.0, 3.0]


def test_options_go_through_json() -> None:
    for config in (PAPER, SMALL, TINY):
        assert UniFaceGANConfig.from_options(json.loads(json.dumps(config.options()))) == config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": [8, 8, 8], "image_size": 30, "attention_side": 0}, "cannot be halved 3 times; use a multiple of 8"),
        ({"attention_side": 48}, "attention_side is 48, but the upsampling part has maps of 32, 64, 128, 256 pixels"),
        ({"normalisation": "batch"}, "normalisation is 'batch'"),
        ({"alpha": 1.0}, "must lie between 0 and 1"),
        ({"widht": 3}, "unknown: widht"),
        ({"widths": [8]}, "at least two entries"),
        ({"residual_blocks": -1}, "residual_blocks is -1"),
        ({"scales": 0}, "must be positive"),
    ],
)
def test_sizes_that_do_not_fit(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UniFaceGANConfig.from_options(options)


def test_iresnet_is_read_from_its_tensors() -> None:
    network = IResNet((1, 2, 1, 1)).eval()
    again = iresnet_of(network.state_dict())
    face = torch.rand(1, 3, 112, 112) * 2 - 1
    vector = again(face)
    torch.testing.assert_close(vector, network(face))
    assert vector.shape == (1, 512) and vector.norm().item() == pytest.approx(1, abs=1e-5)
    # Names of the public checkpoints.
    assert {"layer1.0.downsample.1.running_var", "layer2.1.prelu.weight", "features.weight", "fc.bias"} <= set(
        network.state_dict()
    )
    with pytest.raises(ValueError, match="layer4"):
        iresnet_of({name: value for name, value in network.state_dict().items() if not name.startswith("layer4")})
    with pytest.raises(ValueError, match="another network"):
        iresnet_of({name: value for name, value in network.state_dict().items() if name != "fc.bias"})
