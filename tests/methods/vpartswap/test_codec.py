"""Pictures to codes and back, in batches that fit into memory."""

from __future__ import annotations

import logging
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from support.diffae import random_codec, random_model  # noqa: E402
from torch import Tensor  # noqa: E402

from faceloom.errors import RecipeError  # noqa: E402
from faceloom.methods.vpartswap import codec as codec_module  # noqa: E402
from faceloom.methods.vpartswap.codec import Codec, choose_device, choose_precision, in_batches  # noqa: E402
from faceloom.nets.diffusion import NoiseSchedule, ddim_invert, ddim_render, exact_invert  # noqa: E402

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8


@pytest.fixture(scope="module")
def codec() -> Codec:
    return random_codec()


def predictor(z: Tensor) -> Any:
    model = random_model()

    def predict(x: Tensor, step: int) -> Tensor:
        with torch.inference_mode():
            return model(x, torch.full((len(x),), step), z)

    return predict


def test_codes_are_those_of_network_and_sampler(codec: Codec, pictures: Tensor) -> None:
    z = codec.encode(pictures)
    torch.testing.assert_close(z, random_model().encode(pictures))
    noise = codec.invert(pictures, z)
    predict, schedule = predictor(z), NoiseSchedule.linear()
    torch.testing.assert_close(noise, exact_invert(predict, pictures, schedule, 4), rtol=0, atol=2e-3)
    torch.testing.assert_close(codec.render(noise, z), ddim_render(predict, noise, schedule, 4), rtol=0, atol=2e-3)


def test_official_inversion(pictures: Tensor) -> None:
    codec = random_codec(inversion="ddim", steps_invert=10, steps_render=4)
    z = codec.encode(pictures)
    noise = codec.invert(pictures, z)
    expected = ddim_invert(predictor(z), pictures, NoiseSchedule.linear(), 10)
    torch.testing.assert_close(noise, expected, rtol=0, atol=2e-3)
    expected = ddim_render(predictor(z), noise, NoiseSchedule.linear(), 4)
    torch.testing.assert_close(codec.render(noise, z), expected, rtol=0, atol=2e-3)


def test_encoding_by_another_way_is_in_the_same_precision(codec: Codec, pictures: Tensor) -> None:
    assert torch.equal(codec.encode_by(lambda: codec.model.encode(pictures)), codec.encode(pictures))


def test_forwards_are_counted_in_pictures(pictures: Tensor) -> None:
    codec = random_codec(steps_invert=5, steps_render=5)
    z = codec.encode(pictures)
    assert codec.forwards == 0
    noise = codec.invert(pictures, z)
    assert codec.forwards == 3 * 6  # one for the first guess
    codec.render(noise[:2], z[:2])
    assert codec.forwards == 3 * 6 + 2 * 5


@pytest.mark.parametrize(("depth", "forwards"), [(1.0, 11), (0.5, 7), (0.01, 2)])
def test_less_depth_takes_fewer_steps_and_keeps_more_of_the_picture(
    depth: float, forwards: int, pictures: Tensor
) -> None:
    codec = random_codec(depth=depth, steps_invert=10, steps_render=10)
    z = codec.encode(pictures)
    noise = codec.invert(pictures, z)
    assert codec.forwards == 3 * forwards
    left = float(NoiseSchedule.linear().alpha_bar[NoiseSchedule.linear().grid(10)[forwards - 2]])
    assert codec.abar == pytest.approx(left)
    codec.render(noise, z)
    assert codec.forwards == 3 * (2 * forwards - 1)


def test_official_inversion_ends_where_rendering_starts_in_time(pictures: Tensor) -> None:
    """With other counts of steps, half of the one is not half of the other's index."""
    codec = random_codec(inversion="ddim", steps_invert=20, steps_render=10, depth=0.5)
    asked: list[int] = []
    denoise = codec._noise

    def listening(x: Tensor, step: int, *rest: Any) -> Tensor:
        asked.append(step)
        return denoise(x, step, *rest)

    codec._noise = listening  # type: ignore[method-assign]
    z = codec.encode(pictures)
    noise = codec.invert(pictures, z)
    last = asked[-1]
    asked.clear()
    codec.render(noise, z)
    assert asked[0] == last + 50  # inversion's last step leads to the step that rendering starts with


def test_counts_that_do_not_meet_at_a_depth_are_refused() -> None:
    with pytest.raises(RecipeError, match="25 steps of inversion do not pass time step 500, where 10 steps"):
        random_codec(inversion="ddim", steps_invert=25, steps_render=10, depth=0.5)


def test_time_is_embedded_once_for_each_step(pictures: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = random_codec()
    embedded: list[int] = []
    embed = codec.model.condition_time

    def counting(steps: Tensor) -> Any:
        embedded.extend(steps.tolist())
        return embed(steps)

    monkeypatch.setattr(codec.model, "condition_time", counting)
    z = codec.encode(pictures)
    codec.render(codec.invert(pictures, z), z)
    codec.render(codec.invert(pictures, z), z)
    assert sorted(embedded) == [0, 250, 500, 750]


def test_half_precision_is_near_and_comes_back_in_full(pictures: Tensor) -> None:
    full, half = random_codec(), random_codec(precision="bfloat16")
    a, b = full.encode(pictures), half.encode(pictures)
    assert b.dtype == torch.float32 and not torch.equal(a, b)
    torch.testing.assert_close(a, b, rtol=0, atol=0.05 * float(a.abs().max()))
    noise = half.invert(pictures, b)
    assert noise.dtype == torch.float32 and half.render(noise, b).dtype == torch.float32


@pytest.mark.parametrize("name", ["steps_invert", "steps_render"])
def test_step_counts_that_cannot_be_spaced_are_the_recipes_fault(name: str) -> None:
    with pytest.raises(RecipeError, match=rf"{name}.*60 steps.*56, 59, 63, 67"):
        random_codec(inversion="ddim", **{name: 60})


@pytest.mark.parametrize("name", ["gpu", "cuda:x"])
def test_unknown_device_is_the_recipes_fault(name: str) -> None:
    with pytest.raises(RecipeError, match=rf"device.*{name}"):
        random_codec(device=name)


def test_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU and choose_device("cpu") == CPU
    with pytest.raises(RecipeError, match=r"device.*cuda"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == CUDA and choose_device("cpu") == CPU and choose_device("cuda:1") != CPU


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, None)])
def test_precision(native: bool, expected: torch.dtype | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_module, "has_bfloat16", lambda device: native)
    assert choose_precision("auto", CPU) == expected
    assert choose_precision("float32", CPU) is None
    assert choose_precision("bfloat16", CPU) == torch.bfloat16
    assert choose_precision("float16", CUDA) == torch.float16


class Memory:
    """Frames that were run, in a memory that holds two."""

    def __init__(self, holds: int, error: type[RuntimeError] | None = None) -> None:
        self.holds, self.error = holds, error or torch.OutOfMemoryError
        self.tried: list[tuple[int, int]] = []

    def __call__(self, some: slice) -> list[Tensor]:
        self.tried.append((some.start, some.stop))
        if some.stop - some.start > self.holds:
            raise self.error("not enough memory: you tried to allocate 9 GB")
        frames = torch.arange(some.start, some.stop)
        return [frames, 10 * frames]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_batches_are_halved_for_good_when_memory_does_not_suffice(
    error: type[RuntimeError], caplog: pytest.LogCaptureFixture
) -> None:
    codec, run = random_codec(batch=8), Memory(2, error)
    with caplog.at_level(logging.WARNING):
        one, ten = in_batches(codec, 7, run)
    assert one.tolist() == list(range(7)) and ten.tolist() == [10 * i for i in range(7)]
    assert run.tried == [(0, 7), (0, 3), (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)]
    assert codec.batch == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "batches of 3 frames" in caplog.text and "batches of 1 frames" in caplog.text


def test_memory_that_holds_a_power_of_two(caplog: pytest.LogCaptureFixture) -> None:
    codec, run = random_codec(batch=4), Memory(2)
    assert in_batches(codec, 5, run)[0].tolist() == list(range(5))
    assert run.tried == [(0, 4), (0, 2), (2, 4), (4, 5)] and codec.batch == 2


def test_memory_that_does_not_hold_one_frame() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        in_batches(random_codec(batch=4), 4, Memory(0))


def test_other_errors_pass() -> None:
    codec = random_codec(batch=4)

    def broken(some: slice) -> list[Tensor]:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        in_batches(codec, 4, broken)
    assert codec.batch == 4
