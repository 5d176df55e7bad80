"""What the codec tells of its work, and how many pictures pass through the network at once."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from support.diffae import TINY, random_codec  # noqa: E402
from torch import Tensor  # noqa: E402

from faceloom.evaluate.compute import networks  # noqa: E402
from faceloom.methods.timing import recording  # noqa: E402
from faceloom.methods.vpartswap.codec import _pictures_at_once  # noqa: E402
from faceloom.nets.diffae import DiffAEConfig  # noqa: E402


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8


def test_pictures_through_the_networks_are_counted(pictures: Tensor) -> None:
    codec = random_codec()
    with recording() as stages:
        z = codec.encode(pictures)
        codec.encode_by(lambda: codec.model.encode(codec.model.encode(pictures[:2]).new_zeros(3, 3, 32, 32)))
        noise = codec.invert(pictures, z)
        codec.render(noise[:3], z[:3])
    assert stages["encode"].pictures == 5 + 2 + 3
    assert stages["UNet"].pictures == codec.forwards == 5 * 5 + 3 * 4
    assert {name: own.calls for name, own in stages.items()} == {"encode": 2, "invert": 1, "render": 1, "UNet": 9}
    found = networks(stages)
    assert set(found) == {"encode", "UNet"}
    assert found["UNet"].precision == "float32" and (found["UNet"].flops or 0) > 1e6


def test_attention_between_frames_is_not_the_networks_time(pictures: Tensor) -> None:
    codec, seen = random_codec(), []

    def mixer(q: Tensor, k: Tensor, h: Tensor) -> Tensor:
        seen.append(len(q))
        return h

    z = codec.encode(pictures)
    codec.render(pictures, z, mixer)
    unheard = len(seen)
    with recording() as stages:
        codec.render(pictures, z, mixer)
    assert stages["attention"].calls == len(seen) - unheard == unheard
    total = stages["UNet"].seconds + stages["attention"].seconds
    assert 0 < stages["UNet"].seconds < total <= stages["render"].seconds


@pytest.mark.parametrize("together", [1, 2, 5])
def test_pictures_in_smaller_numbers_give_the_same(together: int, pictures: Tensor) -> None:
    whole, parts = random_codec(), random_codec()
    whole._together, parts._together = None, together
    z = whole.encode(pictures)
    noise = whole.invert(pictures, z)
    torch.testing.assert_close(parts.invert(pictures, z), noise, rtol=0, atol=2e-3)
    torch.testing.assert_close(parts.render(noise, z), whole.render(noise, z), rtol=0, atol=2e-3)
    assert parts.forwards == whole.forwards


def test_frames_that_attend_to_each_other_pass_together(pictures: Tensor) -> None:
    codec, seen = random_codec(), set()
    codec._together = 2

    def mixer(q: Tensor, k: Tensor, h: Tensor) -> Tensor:
        seen.add(len(q))
        return h

    codec.render(pictures, codec.encode(pictures), mixer)
    assert seen == {5}


def test_pictures_at_once_by_memory() -> None:
    small = DiffAEConfig(image_size=128, model_channels=32, channel_mult=(1, 2, 3, 4))
    assert _pictures_at_once(small, torch.bfloat16) == 10  # 96 channels of 128 x 128, 3 MiB
    assert _pictures_at_once(small, None) == 5
    assert _pictures_at_once(DiffAEConfig(), None) == 1  # the public model: 64 MiB a picture
    assert _pictures_at_once(TINY, None) > 100
    assert _pictures_at_once(DiffAEConfig(image_size=32, channel_mult=(1,), enc_channel_mult=(1,)), None) == 32
