"""Diffusion autoencoders on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from safetensors import safe_open  # noqa: E402
from support.diffae import TINY, TRAINING, lightning, random_model  # noqa: E402

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.methods.vpartswap.checkpoint import convert, load_checkpoint, load_statistics, save_safetensors  # noqa: E402
from faceloom.nets.diffae import DiffAEConfig, DiffusionAutoencoder  # noqa: E402

OFFICIAL = Path(__file__).parents[2] / "data" / "nets" / "diffae_tiny"


@pytest.fixture(scope="module")
def model() -> DiffusionAutoencoder:
    return random_model()


def assert_same(found: DiffusionAutoencoder, expected: DiffusionAutoencoder) -> None:
    torch.testing.assert_close(found.state_dict(), expected.state_dict(), rtol=0, atol=0)


def test_official_checkpoint_with_its_options_beside() -> None:
    path = OFFICIAL / "last.ckpt"
    loaded = load_checkpoint(path)
    assert loaded.config.image_size == 64 and loaded.config.enc_channel_mult == (1, 1, 1, 2, 2)
    assert sum(parameter.numel() for parameter in loaded.model.parameters()) == 1_805_027
    assert not loaded.model.training and not any(p.requires_grad for p in loaded.model.parameters())
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    state = torch.load(path, weights_only=True)["state_dict"]
    name = "time_embed.time_embed.0.weight"
    assert torch.equal(loaded.model.state_dict()[name], state[f"ema_model.{name}"])
    assert not torch.equal(loaded.model.state_dict()[name], state[f"model.{name}"])


@pytest.mark.parametrize("named", ["config.json", "last.json"])
def test_options_in_either_file(named: str, tmp_path: Path, model: DiffusionAutoencoder) -> None:
    path = lightning(tmp_path / "last.ckpt", model)
    (tmp_path / named).write_text(json.dumps({"model": TINY.options()}), "utf-8")
    assert_same(load_checkpoint(path).model, model)


@pytest.mark.parametrize("hyper", [{"model_conf": TINY.options(), "net_ch": 999}, TRAINING])
def test_options_in_the_checkpoint_itself(hyper: dict[str, Any], tmp_path: Path, model: DiffusionAutoencoder) -> None:
    loaded = load_checkpoint(lightning(tmp_path / "last.ckpt", model, hyper))
    assert replace(loaded.config, dropout=0.0) == TINY
    assert_same(loaded.model, model)


def test_a_checkpoint_without_options(tmp_path: Path, model: DiffusionAutoencoder) -> None:
    path = lightning(tmp_path / "last.ckpt", model, {"seed": 1})
    with pytest.raises(WeightsError, match=r"last\.ckpt does not say how large .* last\.json"):
        load_checkpoint(path)


@pytest.mark.parametrize("text", ["{", "[]", '{"model": 3}', "{}"])
def test_options_that_are_none(text: str, tmp_path: Path, model: DiffusionAutoencoder) -> None:
    path = lightning(tmp_path / "last.ckpt", model)
    path.with_name("config.json").write_text(text, "utf-8")
    with pytest.raises(WeightsError, match=r"config\.json (are not JSON|has no 'model' section)"):
        load_checkpoint(path)


def test_the_schedule_is_that_of_the_options(tmp_path: Path, model: DiffusionAutoencoder) -> None:
    options = {"model": TINY.options(), "diffusion": {"T": 500, "beta_start": 1e-3, "beta_end": 0.01, "pred": "eps"}}
    loaded = load_checkpoint(lightning(tmp_path / "last.ckpt", model, options=options))
    assert len(loaded.schedule) == 500
    assert float(loaded.schedule.alpha_bar[0]) == pytest.approx(1 - 1e-3)


@pytest.mark.parametrize(
    ("option", "value"),
    [("pred", "x0"), ("beta_schedule", "cosine"), ("rescale_timesteps", True), ("eta", 1.0)],
)
def test_another_diffusion_is_refused(option: str, value: Any, tmp_path: Path, model: DiffusionAutoencoder) -> None:
    options = {"model": TINY.options(), "diffusion": {option: value}}
    with pytest.raises(WeightsError, match=f"diffusion option {option} is {value!r}; only"):
        load_checkpoint(lightning(tmp_path / "last.ckpt", model, options=options))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_safetensors_round_trip(dtype: torch.dtype, tmp_path: Path, model: DiffusionAutoencoder) -> None:
    path = tmp_path / "new folder" / "model.safetensors"
    save_safetensors(path, model, dtype, {"licence": "CC0"})
    loaded = load_checkpoint(path)
    assert loaded.config == TINY and len(loaded.schedule) == 1000
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name].to(dtype).float()), name
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["licence"] == "CC0"
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {  # noqa: SIM118
            "F16" if dtype == torch.float16 else "F32"
        }
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_saved_file_may_be_read_by_whoever_may_read_other_files(tmp_path: Path, model: DiffusionAutoencoder) -> None:
    (tmp_path / "other").touch()
    save_safetensors(tmp_path / "m.safetensors", model)
    assert (tmp_path / "m.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_safetensors_with_another_schedule(tmp_path: Path, model: DiffusionAutoencoder) -> None:
    save_safetensors(tmp_path / "m.safetensors", model, diffusion={"T": 100, "beta_end": 0.1})
    assert len(load_checkpoint(tmp_path / "m.safetensors").schedule) == 100


def test_conversion_of_the_official_checkpoint(tmp_path: Path) -> None:
    source, found = OFFICIAL / "last.ckpt", tmp_path / "tiny.safetensors"
    convert(source, found, torch.float32)
    assert_same(load_checkpoint(found).model, load_checkpoint(source).model)
    assert load_checkpoint(found).config == load_checkpoint(source).config
    with safe_open(found, framework="pt") as file:
        assert file.metadata()["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


def test_conversion_keeps_what_the_checkpoint_recommends(tmp_path: Path, model: DiffusionAutoencoder) -> None:
    save_safetensors(tmp_path / "a.safetensors", model, edit={"depth": 0.5})
    convert(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert load_checkpoint(tmp_path / "b.safetensors").edit == {"depth": 0.5}


def test_conversion_keeps_the_schedule(tmp_path: Path, model: DiffusionAutoencoder) -> None:
    options = {"model": TINY.options(), "diffusion": {"T": 500, "beta_start": 1e-3, "beta_end": 0.01}}
    source = lightning(tmp_path / "last.ckpt", model, options=options)
    convert(source, tmp_path / "m.safetensors")
    torch.testing.assert_close(
        load_checkpoint(tmp_path / "m.safetensors").schedule.alpha_bar, load_checkpoint(source).schedule.alpha_bar
    )


def test_statistics(tmp_path: Path) -> None:
    mean, deviation = torch.arange(4.0), torch.ones(4)
    torch.save({"conds": torch.zeros(9, 4), "conds_mean": mean, "conds_std": deviation}, tmp_path / "latent.pkl")
    found = load_statistics(tmp_path / "latent.pkl")
    assert torch.equal(found[0], mean[None]) and torch.equal(found[1], deviation[None])


@pytest.mark.parametrize("content", [{"conds": 1}, [1], {"conds_mean": torch.zeros(2)}])
def test_statistics_of_something_else(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "latent.pkl")
    with pytest.raises(WeightsError, match="has no conds_mean and conds_std"):
        load_statistics(tmp_path / "latent.pkl")


def test_the_public_configuration_is_the_default() -> None:
    assert DiffAEConfig.from_options({}) == DiffAEConfig()
