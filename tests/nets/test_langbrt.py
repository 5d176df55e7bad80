"""LangBRT's networks: sizes, equations (1) to (4), and what must not change."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from faceloom.nets.langbrt import LangBRT, LangBRTConfig, PatchDiscriminator
from faceloom.nets.langbrt.detection import TextPromptedDetection, combined
from faceloom.nets.langbrt.transformer import LatentTransformer, TargetAwareAttention, neighbours, relative_positions

TINY = LangBRTConfig(
    image_size=64, text_dim=24, widths=(8, 16), blocks=(1, 1), detect_width=8, depth=3, heads=2, window=4,
    critic_widths=(8, 16),
)  # fmt: skip


def text(*shape: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, TINY.text_dim), dim=-1)


@pytest.fixture
def net() -> LangBRT:
    torch.manual_seed(0)
    net = LangBRT(TINY)
    net.set_predefined(text(3))
    return net.eval()


def stirred(net: LangBRT) -> LangBRT:
    """Without weights that are 0, as after training."""
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(std=0.2)
        net.detection.bias.fill_(0.0)
    return net


def test_shapes(net: LangBRT) -> None:
    result = net(torch.randn(2, 3, 64, 64), text(2, 5), torch.ones(2, 8))
    assert result.image.shape == result.change.shape == (2, 3, 64, 64)
    assert result.logits.shape == (2, 8, 32, 32) and result.target.shape == (2, 1, 32, 32)
    assert result.target.min() >= 0 and result.target.max() <= 1
    assert PatchDiscriminator(TINY)(result.image).shape == (2, 1, 16, 16)
    none = net(torch.randn(1, 3, 96, 32), text(1, 0), torch.ones(1, 3))
    assert none.logits.shape == (1, 3, 48, 16), "other multiples of a window, no words of one's own"


@pytest.mark.parametrize(("config", "millions"), [(LangBRTConfig.small(), 3), (LangBRTConfig(), 23)])
def test_sizes(config: LangBRTConfig, millions: float) -> None:
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in LangBRT(config).parameters())
    assert 0.9 * millions < count / 1e6 < millions
    assert config.depth == 7


def test_before_training_nothing_changes(net: LangBRT) -> None:
    image = torch.randn(1, 3, 64, 64)
    assert torch.equal(net(image, text(1, 5), torch.ones(1, 8)).image, image)


def test_what_is_not_asked_for_stays(net: LangBRT) -> None:
    image = torch.randn(1, 3, 64, 64)
    words = text(1, 5)
    result = stirred(net)(image, words, torch.zeros(1, 8))
    assert torch.equal(result.image, image) and result.target.max() == 0
    asked = net(image, words, torch.eye(8)[:1])
    assert not torch.equal(asked.image, image)
    torch.testing.assert_close(asked.target[:, 0], asked.logits[:, 0].sigmoid())
    assert torch.equal(asked.logits, result.logits), "asking changes no map"
    torch.testing.assert_close(net.detect(image, words), result.logits)


def test_detection_is_a_dot_product() -> None:
    torch.manual_seed(0)
    detection = TextPromptedDetection(TINY)
    features, words = torch.randn(2, 8, 4, 4), text(2, 3)
    maps = detection(features, words)
    # The same the other way round: image features taken to the text's space.
    in_text_space = torch.einsum("bchw,ct->bthw", features, detection.to_image.weight)
    expected = torch.einsum("bthw,bnt->bnhw", in_text_space, words) * detection.scale + detection.bias
    torch.testing.assert_close(maps, expected)
    predefined = text(3)
    assert torch.equal(detection.mapped(predefined), predefined), "mapping layers begin as the identity"
    assert len(detection.mappings) == 3 and sum(p.numel() for p in detection.mappings[0].parameters()) == 24 * 25


def test_maps_are_summed_and_cut_off() -> None:
    maps = torch.tensor([0.25, 0.5, 0.75]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert combined(maps, torch.tensor([[1.0, 1, 0]])).unique().tolist() == [0.75]
    assert combined(maps, torch.ones(1, 3)).unique().tolist() == [1.0]


def test_attention_is_equations_2_to_4() -> None:
    torch.manual_seed(0)
    attention = TargetAwareAttention(8, 2, 4, 0)
    with torch.no_grad():
        attention.bias.normal_()
        attention.alpha.uniform_(1, 3)
    features, target, lifted = torch.randn(1, 4, 4, 8), torch.rand(1, 4, 4, 1), torch.randn(1, 4, 4, 8)
    found = attention(features, target, lifted, None).flatten(1, 2)[0]

    q = attention.query((features * (1 - target)).flatten(1, 2))[0]
    k, v = (layer(lifted.flatten(1, 2))[0] for layer in (attention.key, attention.value))
    heads = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        bias = attention.bias[attention.index][..., head]
        weight = torch.sigmoid(k[:, part] @ q[:, part].T / attention.alpha[head] + bias)
        heads.append(weight @ v[:, part] / 16)
    torch.testing.assert_close(found, attention.out(torch.cat(heads, 1)))


def test_windows_do_not_see_each_other_but_shifted_ones_do() -> None:
    torch.manual_seed(0)
    features = torch.randn(1, 8, 8, 8, requires_grad=True)
    target, lifted = torch.rand(1, 8, 8, 1), torch.randn(1, 8, 8, 8)
    reach = {}
    for shift, near in ((0, None), (2, neighbours(8, 8, 4, 2, torch.device("cpu")).float())):
        attention = TargetAwareAttention(8, 2, 4, shift)
        (gradient,) = torch.autograd.grad(attention(features, target, lifted, near)[0, 3, 3].sum(), features)
        seen = gradient[0].abs().sum(-1) > 0
        reach[shift] = (seen.nonzero().min(0).values.tolist(), seen.nonzero().max(0).values.tolist())
    assert reach[0] == ([0, 0], [3, 3])
    assert reach[2] == ([2, 2], [5, 5])
    corner = TargetAwareAttention(8, 2, 4, 2)(
        features, target, lifted, neighbours(8, 8, 4, 2, torch.device("cpu")).float()
    )
    (gradient,) = torch.autograd.grad(corner[0, 0, 0].sum(), features)
    assert (gradient[0].abs().sum(-1) > 0).nonzero().max() == 1, "the roll does not join opposite edges"


def test_relative_positions() -> None:
    index = relative_positions(2)
    assert index.shape == (4, 4) and index.diagonal().unique().tolist() == [4]
    assert index[0, 1] == index[2, 3] and index[0, 1] != index[1, 0]


def test_features_of_clean_skin_come_back_as_they_were() -> None:
    torch.manual_seed(0)
    transformer = LatentTransformer(TINY)
    features = torch.randn(1, 16, 8, 8)
    maps = torch.zeros(1, 2, 8, 8)
    maps[:, 0, 2:4, 2:4] = 1.0
    out = transformer(features, maps, text(1, 2), torch.ones(1, 2))
    changed = (out != features).any(1)[0]
    assert changed[2:4, 2:4].all() and changed.sum() == 4


def test_gradients_reach_every_weight(net: LangBRT) -> None:
    result = stirred(net).train()(torch.randn(2, 3, 64, 64), text(2, 2), torch.full((2, 5), 0.2))
    (result.image.square().mean() + result.logits.square().mean()).backward()
    without = [name for name, parameter in net.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert without == []


def test_configuration(net: LangBRT) -> None:
    options = json.loads(json.dumps(TINY.options()))
    assert LangBRTConfig.from_options(options) == TINY
    with pytest.raises(ValueError, match="unknown options width"):
        LangBRTConfig.from_options({"width": 3})
    with pytest.raises(ValueError, match="no multiple of 64"):
        LangBRTConfig(image_size=100)
    with pytest.raises(ValueError, match="5 heads do not divide"):
        LangBRTConfig(heads=5)
    with pytest.raises(ValueError, match="blocks one for each"):
        LangBRTConfig(blocks=(1,))
    with pytest.raises(ValueError, match="at least 1"):
        LangBRTConfig(depth=0)
    with pytest.raises(ValueError, match="pre-defined prompts are"):
        net.set_predefined(torch.zeros(2, 24))
