"""The diffusion autoencoder against numbers of the official implementation, with random weights."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from faceloom.nets.diffae import DiffAEConfig, DiffusionAutoencoder, SemanticEncoder  # noqa: E402
from faceloom.nets.diffae.blocks import SelfAttention, time_features  # noqa: E402
from faceloom.nets.diffusion import NoiseSchedule, ddim_invert, ddim_render  # noqa: E402

STORED = Path(__file__).parents[1] / "data" / "nets" / "diffae_tiny"
"""The weights and a selection of the arrays; maps of 32 pixels and more have every second channel, row and column."""
TOLERANCE = 1e-4
STEPS = 20

Arrays = Mapping[str, Tensor]


def official_state(folder: Path, prefix: str) -> dict[str, Tensor]:
    state = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def load(folder: Path) -> DiffusionAutoencoder:
    options = json.loads((folder / "config.json").read_text("utf-8"))["model"]
    model = DiffusionAutoencoder(DiffAEConfig.from_options(options))
    model.load_state_dict(official_state(folder, "ema_model."), strict=True)
    return model.eval().requires_grad_(False)


def arrays(folder: Path) -> dict[str, Tensor]:
    with np.load(folder / "golden.npz") as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive.files}


@contextmanager
def recorded_maps(model: DiffusionAutoencoder) -> Iterator[dict[str, Tensor]]:
    """The map after every block of the UNet, by its name in the fixture."""
    maps: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _module, _inputs, output: maps.__setitem__(name, output)

    blocks = {"unet.middle_block": model.middle_block}
    blocks |= {f"unet.input_blocks.{i}": block for i, block in enumerate(model.input_blocks)}
    blocks |= {f"unet.output_blocks.{i}": block for i, block in enumerate(model.output_blocks)}
    handles = [block[-1].register_forward_hook(keep(name)) for name, block in blocks.items()]
    yield maps
    for handle in handles:
        handle.remove()


def predictor(model: DiffusionAutoencoder, z_sem: Tensor) -> Callable[[Tensor, int], Tensor]:
    semantic = model.condition_semantic(z_sem)
    return lambda x, step: model.denoise(x, model.condition_time(torch.tensor([step])), semantic)


def computed(model: DiffusionAutoencoder, given: Arrays) -> dict[str, Tensor]:
    """Every array that the fixture may hold, by its name there."""
    schedule, x = NoiseSchedule.linear(), given["x_u8"][None] / 127.5 - 1
    found: dict[str, Tensor] = {"x": x}
    with torch.inference_mode():
        *maps, middle = model.encoder.features(x)
        found |= {f"enc.input_blocks.{i}": feature for i, feature in enumerate(maps)} | {"enc.middle_block": middle}
        found["z_sem"] = z = model.encode(x)
        with recorded_maps(model) as seen:
            found["eps"] = model(given["x_t"], torch.tensor([400]), z)
        found |= seen
        found["z_sto"] = z_sto = ddim_invert(
            predictor(model, z), x, schedule, STEPS, callback=lambda i, y: found.update({f"inv.sample_t.{i + 1}": y})
        )
        # One batch for the three renderings of as many steps: pictures of a batch must not meet.
        rendered = ddim_render(
            predictor(model, torch.cat([z, given["z_sem_flip"], z])),
            torch.cat([z_sto, z_sto, given["noise2"]]),
            schedule,
            STEPS,
            callback=lambda i, y: found.update({f"dec.sample.{i}": y[:1]}),
        )
        shorter = ddim_render(predictor(model, z), z_sto, schedule, STEPS // 2)
    found |= dict(zip(("decoded", "decoded_zswap", "decoded_noise2"), rendered.split(1), strict=True))
    return found | {"decoded_T10": shorter}


@pytest.fixture(scope="module")
def model() -> DiffusionAutoencoder:
    return load(STORED)


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return arrays(STORED)


@pytest.fixture(scope="module")
def found(model: DiffusionAutoencoder, golden: Arrays) -> dict[str, Tensor]:
    return computed(model, golden)


INPUTS = {"x_u8", "x_t", "z_sem_flip", "noise2"}
with np.load(STORED / "golden.npz") as _archive:
    NAMES = sorted(set(_archive.files) - INPUTS)


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_the_official_network(name: str, found: Arrays, golden: Arrays) -> None:
    own, official = found[name], golden[name]
    if own.shape != official.shape:
        own = own[:, ::2, ::2, ::2]
    assert own.shape == official.shape
    assert float((own - official).abs().max()) <= TOLERANCE


def test_the_selection_covers_encoder_unet_inversion_and_rendering() -> None:
    assert {name.split(".")[0] for name in NAMES} >= {"enc", "unet", "inv", "dec", "z_sem", "eps", "z_sto", "decoded"}
    assert sum(name.startswith("enc.") for name in NAMES) == 15 and sum(name.startswith("unet.") for name in NAMES) == 9


def test_the_running_weights_would_fail(model: DiffusionAutoencoder, golden: Arrays, found: Arrays) -> None:
    """The few ``model.*`` tensors kept in the fixture differ from ``ema_model.*``, and it shows."""
    running = official_state(STORED, "model.")
    assert running
    other = load(STORED)
    other.load_state_dict({**other.state_dict(), **running}, strict=True)
    with torch.inference_mode():
        eps = other(golden["x_t"], torch.tensor([400]), found["z_sem"])
    assert float((eps - golden["eps"]).abs().max()) > 100 * TOLERANCE


def test_every_array_of_the_full_fixture() -> None:
    folder = os.environ.get("FACELOOM_GOLDEN")
    if not folder:
        pytest.skip("FACELOOM_GOLDEN does not name a folder with diffae_tiny/")
    given = arrays(Path(folder) / "diffae_tiny")
    own = computed(load(Path(folder) / "diffae_tiny"), given)
    errors = {name: float((own[name] - given[name]).abs().max()) for name in set(given) - INPUTS}
    assert len(errors) == 40 and max(errors.values()) <= TOLERANCE, errors


def test_size_of_the_public_model() -> None:
    with torch.device("meta"):
        big = DiffusionAutoencoder(DiffAEConfig())
    assert sum(parameter.numel() for parameter in big.parameters()) == 168_492_291
    assert sum(parameter.numel() for parameter in big.encoder.parameters()) == 30_150_400
    assert len(big.state_dict()) == 706


def test_maps_of_the_public_encoder() -> None:
    with torch.device("meta"):
        encoder = SemanticEncoder(DiffAEConfig())
        maps = encoder.features(torch.zeros(1, 3, 256, 256))
    sizes = [(128, 256)] * 3 + [(128, 128)] * 3 + [(128, 64)] + [(256, 64)] * 2 + [(256, 32)] * 3 + [(256, 16)]
    sizes += [(512, 16)] * 2 + [(512, 8)] * 3 + [(512, 4)] * 4
    assert [(m.shape[1], m.shape[2]) for m in maps] == sizes and encoder.blocks == len(maps)
    assert all(m.shape[2] == m.shape[3] for m in maps)


def test_options_round_trip() -> None:
    config = DiffAEConfig(image_size=64, model_channels=32, channel_mult=(1, 2), enc_attn_resolutions=(8, 4))
    assert DiffAEConfig.from_options(json.loads(json.dumps(config.options()))) == config
    assert config.encoder_attention == (8, 4) and DiffAEConfig().encoder_attention == (16,)


def test_another_architecture_is_told_apart_with_everything_that_differs() -> None:
    options = {**DiffAEConfig().options(), "resblock_updown": False, "enc_pool": "depthconv", "depth_of_water": 3}
    with pytest.raises(ValueError, match=r"resblock_updown is False .* True.*enc_pool is 'depthconv'.*depth_of_water"):
        DiffAEConfig.from_options(options)


def test_options_that_change_no_result_are_ignored() -> None:
    assert DiffAEConfig.from_options({"use_checkpoint": True, "enc_grad_checkpoint": True}) == DiffAEConfig()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 100}, r"image_size 100 cannot be halved 6 times; use a multiple of 64"),
        ({"enc_out_channels": 256}, r"256 values \(enc_out_channels\).*512"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DiffAEConfig(**options)


def test_time_features_are_cosines_then_sines_of_falling_rates() -> None:
    found = time_features(torch.tensor([0, 7]), 8)
    angles = 7 * 10_000 ** (-np.arange(4) / 4)
    np.testing.assert_allclose(found[0], [1, 1, 1, 1, 0, 0, 0, 0])
    np.testing.assert_allclose(found[1], np.concatenate([np.cos(angles), np.sin(angles)]), atol=1e-5)


def test_attention_by_definition_with_two_heads() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(8, heads=2)
    torch.nn.init.normal_(attention.proj_out.weight)
    x = torch.randn(1, 8, 3, 3)
    with torch.inference_mode():
        qkv = attention.qkv(attention.norm(x).flatten(2))[0]
        heads = []
        for head in qkv.split(12):  # queries, keys and values of one head after the other
            q, k, v = head.split(4)
            heads.append(v @ torch.softmax(q.T @ k / 2, dim=1).T)
        expected = x + attention.proj_out(torch.cat(heads)[None]).view_as(x)
        torch.testing.assert_close(attention(x), expected)


def test_a_mixer_replaces_what_was_attended_to(model: DiffusionAutoencoder, golden: Arrays, found: Arrays) -> None:
    calls: list[tuple[int, ...]] = []

    def nothing(q: Tensor, k: Tensor, h: Tensor) -> Tensor:
        calls.append(tuple(h.shape))
        assert q.shape == k.shape == h.shape
        return torch.zeros_like(h)

    with torch.inference_mode():
        time, semantic = model.condition_time(torch.tensor([400])), model.condition_semantic(found["z_sem"])
        same = model.denoise(golden["x_t"], time, semantic, lambda q, k, h: h)
        other = model.denoise(golden["x_t"], time, semantic, nothing)
    torch.testing.assert_close(same, found["eps"], rtol=0, atol=TOLERANCE)
    assert float((other - same).abs().max()) > TOLERANCE
    assert len(calls) == 6 and set(calls) == {(1, 1, 256, 32), (1, 1, 64, 64)}


def test_one_time_step_serves_a_batch_and_pictures_of_a_batch_do_not_meet(model: DiffusionAutoencoder) -> None:
    generator = torch.Generator().manual_seed(0)
    x, z = torch.randn(2, 3, 64, 64, generator=generator), torch.randn(2, 64, generator=generator)
    with torch.inference_mode():
        semantic = model.condition_semantic(z)
        together = model.denoise(x, model.condition_time(torch.tensor([30])), semantic)
        alone = model.denoise(x[1:], model.condition_time(torch.tensor([30])), semantic[1:])
        apart = model(x, torch.tensor([30, 500]), z)
    torch.testing.assert_close(together[1:], alone, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(apart[:1], together[:1], rtol=0, atol=TOLERANCE)
    assert float((apart[1] - together[1]).abs().max()) > TOLERANCE


def test_an_edit_of_a_feature_goes_on_through_the_encoder(model: DiffusionAutoencoder, golden: Arrays) -> None:
    x = golden["x_u8"][None] / 127.5 - 1
    seen: list[int] = []

    def zero_the_third(index: int, feature: Tensor) -> Tensor:
        seen.append(index)
        return torch.zeros_like(feature) if index == 3 else feature

    with torch.inference_mode():
        edited = model.encoder(x, zero_the_third)
        other = model.encoder(functional.pad(x[..., 1:], (0, 1)), zero_the_third)
    assert seen[:16] == list(range(model.encoder.blocks))
    torch.testing.assert_close(edited, other)  # nothing before the third block is left
    assert float((edited - golden["z_sem"]).abs().max()) > TOLERANCE


def test_a_new_network_starts_as_predicting_nothing_and_learns() -> None:
    torch.manual_seed(0)
    config = DiffAEConfig(
        image_size=8,
        model_channels=4,
        channel_mult=(1, 1),
        num_res_blocks=1,
        embed_channels=8,
        attention_resolutions=(4,),
        enc_out_channels=8,
        enc_num_res_block=1,
        enc_channel_mult=(1, 1),
    )
    fresh = DiffusionAutoencoder(config)
    x = torch.randn(2, 3, 8, 8)
    eps = fresh(x, torch.tensor([5, 900]), fresh.encode(x))
    assert not eps.any()
    eps.sub(x).square().mean().backward()
    assert all(parameter.grad is not None for parameter in fresh.parameters())
    assert fresh.out[2].weight.grad is not None and fresh.out[2].weight.grad.any()
