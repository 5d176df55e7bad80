"""Vision transformers against numbers of the transformers library, on tiny random checkpoints in the public layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.nets.vit_layouts import vit_from  # noqa: E402

DATA = Path(__file__).parents[1] / "data" / "nets" / "vit_tiny.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    with np.load(DATA) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def checkpoint(golden: dict[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(f"{kind}/"): value for name, value in golden.items() if name.startswith(f"{kind}/")}


@pytest.mark.parametrize(
    ("kind", "picture", "expected"),
    [
        ("clip", "image", "clip.out"),
        ("dino", "image", "dino.out"),
        ("dinov2", "larger", "dinov2.out"),
        ("dinov2", "image", "dinov2.small"),
    ],
)
def test_vectors_are_those_of_the_reference(golden, kind: str, picture: str, expected: str) -> None:
    net = vit_from(checkpoint(golden, kind), heads=2)
    with torch.inference_mode():
        torch.testing.assert_close(net(golden[picture]), golden[expected], rtol=1e-5, atol=1e-5)


def test_text_tower_pooler_and_half_precision_are_read_over(golden) -> None:
    whole = checkpoint(golden, "clip")
    whole |= {"text_model.embeddings.token_embedding.weight": torch.zeros(3, 4), "logit_scale": torch.tensor(1.0)}
    net = vit_from({name: value.half() for name, value in whole.items()}, heads=2)
    with torch.inference_mode():
        torch.testing.assert_close(net(golden["image"]), golden["clip.out"], rtol=0.02, atol=0.02)


def test_heads_are_64_wide_unless_said_otherwise(golden) -> None:
    assert vit_from(checkpoint(golden, "dino")).config.heads == 1


def test_an_entry_that_is_missing_or_unknown_is_refused(golden) -> None:
    whole = checkpoint(golden, "dinov2")
    with pytest.raises(WeightsError, match=r"unknown entry 'decoder\.weight'"):
        vit_from(whole | {"decoder.weight": torch.zeros(1)})
    for name in ("encoder.layer.1.norm1.bias", "embeddings.cls_token", "encoder.layer.0.mlp.fc1.weight"):
        with pytest.raises(WeightsError):
            vit_from({key: value for key, value in whole.items() if key != name}, heads=2)


def test_clip_needs_its_projection(golden) -> None:
    whole = checkpoint(golden, "clip")
    del whole["visual_projection.weight"]
    with pytest.raises(WeightsError, match="projection"):
        vit_from(whole)


def test_another_layout_is_refused() -> None:
    with pytest.raises(WeightsError, match="Hugging Face"):
        vit_from({"blocks.0.weight": torch.zeros(1)})
