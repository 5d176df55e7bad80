"""CLIP's text tower: numbers of the transformers library in one layout, of torch's own attention in the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from torch import Tensor, nn  # noqa: E402

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.nets.clip_text import clip_text_from  # noqa: E402
from faceloom.nets.safetensors_file import read_tensors  # noqa: E402

DATA = Path(__file__).parents[1] / "data" / "perceive" / "clip_tiny"


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, Tensor]:
    with (DATA / "model.safetensors").open("rb") as file:
        return read_tensors(file)


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(DATA / "golden.npz") as file:
        return {name: file[name] for name in file.files}


def sentences(golden: dict[str, np.ndarray]) -> list[Tensor]:
    """(1, N) tokens up to the first mark of the end, with which the reference padded the rest."""
    end = golden["tokens"].max()
    return [torch.from_numpy(row[: row.argmax() + 1]).long()[None] for row in golden["tokens"] if end in row]


@pytest.mark.parametrize(("quick", "expected"), [(True, "embeddings"), (False, "gelu")])
def test_vectors_are_those_of_the_reference(checkpoint, golden, quick: bool, expected: str) -> None:
    net, given = clip_text_from(checkpoint, heads=2, quick_gelu=quick), sentences(golden)
    assert [tokens.shape[1] for tokens in given] == [11, 23, 2, 24]
    with torch.inference_mode():
        found = nn.functional.normalize(torch.cat([net(tokens) for tokens in given]), dim=-1)
    np.testing.assert_allclose(found.numpy(), golden[expected], atol=1e-6)


class Published(nn.Module):
    """The text tower as OpenAI wrote it down: sequence first, queries, keys and values in one matrix."""

    def __init__(self, vocabulary: int = 20, length: int = 9, width: int = 16, out: int = 6) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.randn(length, width))
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(self._block(width) for _ in range(2))})
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, out))
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.visual = nn.Linear(2, 2)

    @staticmethod
    def _block(width: int) -> nn.ModuleDict:
        mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})
        attention = nn.MultiheadAttention(width, 2)
        return nn.ModuleDict({"attn": attention, "ln_1": nn.LayerNorm(width), "mlp": mlp, "ln_2": nn.LayerNorm(width)})

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, length) tokens, the largest of which is the mark of the end."""
        later = torch.full((tokens.shape[1],) * 2, float("-inf")).triu(1)
        x = (self.token_embedding(tokens) + self.positional_embedding).transpose(0, 1)
        for block in self.transformer["resblocks"]:
            y = block["ln_1"](x)
            x = x + block["attn"](y, y, y, need_weights=False, attn_mask=later)[0]
            hidden = block["mlp"]["c_fc"](block["ln_2"](x))
            x = x + block["mlp"]["c_proj"](hidden * torch.sigmoid(1.702 * hidden))
        x = self.ln_final(x).transpose(0, 1)
        return x[torch.arange(len(x)), tokens.argmax(-1)] @ self.text_projection


@pytest.fixture
def published() -> Published:
    torch.manual_seed(0)
    net = Published().eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.4)
    return net


@torch.inference_mode()
def test_openai_layout(published: Published) -> None:
    padded = torch.tensor([[18, 3, 4, 19, 0, 0, 0, 0, 0], [18, 1, 2, 3, 4, 5, 6, 7, 19]])
    net = clip_text_from(published.state_dict(), heads=2)
    assert (net.config.length, net.config.vocabulary, net.config.depth, net.config.projection) == (9, 20, 2, 6)
    expected = published(padded)
    torch.testing.assert_close(net(padded[:1, :4]), expected[:1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(net(padded[1:]), expected[1:], rtol=1e-5, atol=1e-5)


def test_half_precision_and_the_image_tower_are_read_over(checkpoint, golden) -> None:
    whole = {**checkpoint, "vision_model.post_layernorm.bias": torch.zeros(3), "logit_scale": torch.tensor(1.0)}
    net = clip_text_from({name: value.half() for name, value in whole.items()}, heads=2)
    with torch.inference_mode():
        found = nn.functional.normalize(net(sentences(golden)[0]), dim=-1)
    np.testing.assert_allclose(found[0].numpy(), golden["embeddings"][0], atol=0.01)
    assert clip_text_from(checkpoint).config.heads == 1, "64 wide unless said otherwise"


def test_what_is_refused(checkpoint, published: Published) -> None:
    with pytest.raises(WeightsError, match=r"no text tower of CLIP.*Alpha-CLIP hold the image tower alone"):
        clip_text_from({"conv1_alpha.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"unknown entry 'text_model\.more\.weight'"):
        clip_text_from(checkpoint | {"text_model.more.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match="5 heads do not divide the text tower's width of 16"):
        clip_text_from(checkpoint, heads=5)
    missing = ("text_projection.weight", "text_model.final_layer_norm.bias", "text_model.encoder.layers.1.mlp.fc2.bias")
    for name in missing:
        with pytest.raises(WeightsError, match="the text tower of CLIP"):
            clip_text_from({key: value for key, value in checkpoint.items() if key != name}, heads=2)
    broken = published.state_dict() | {"transformer.resblocks.0.attn.in_proj_bias": torch.zeros(5)}
    with pytest.raises(WeightsError, match=r"in_proj_bias' of the checkpoint is \(5,\): not three layers in one"):
        clip_text_from(broken)
