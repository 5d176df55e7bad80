from __future__ import annotations

import io

import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from faceloom.nets.hopenet import BINS, HopeNet, hopenet_state  # noqa: E402


def tiny() -> HopeNet:
    return HopeNet(width=2, blocks=(1, 1, 1, 1)).eval()


def test_parameters_are_those_of_the_authors_network() -> None:
    state = HopeNet().state_dict()
    heads = {name: tuple(value.shape) for name, value in state.items() if name.startswith("fc_")}
    assert heads == {
        f"fc_{angle}.{kind}": shape
        for angle in ("yaw", "pitch", "roll")
        for kind, shape in (("weight", (66, 2048)), ("bias", (66,)))
    }
    assert "conv1.weight" in state and "layer4.2.bn3.weight" in state
    count = sum(parameter.numel() for parameter in HopeNet().parameters())
    assert count == 23_508_032 + 3 * (2048 + 1) * 66
    # With the unused layer, means and variances: the 95.9 MB of the published file.
    assert 4 * (count + 3 * (2051 + 1) + 2 * 26_560) == pytest.approx(95.9e6, rel=1e-3)


@pytest.mark.parametrize(("place", "degrees"), [(0, -99), (33, 0), (65, 96)])
def test_an_angle_is_the_expected_bin(place: int, degrees: float) -> None:
    net = tiny()
    with torch.inference_mode():
        for head, bin_ in ((net.fc_yaw, place), (net.fc_pitch, 33), (net.fc_roll, 43)):
            head.weight.zero_()
            head.bias.fill_(-50)
            head.bias[bin_] = 50
        assert net(torch.zeros(1, 3, 64, 64))[0].tolist() == pytest.approx([degrees, 0, 30], abs=1e-3)
        net.fc_roll.bias[44] = 50  # half in one bin, half in the next
        assert net(torch.zeros(1, 3, 64, 64))[0, 2] == pytest.approx(31.5, abs=1e-3)


def test_without_knowledge_all_bins_count_alike() -> None:
    net = tiny()
    with torch.inference_mode():
        for head in (net.fc_yaw, net.fc_pitch, net.fc_roll):
            head.weight.zero_()
            head.bias.zero_()
        assert net(torch.ones(2, 3, 64, 64)).tolist() == [[pytest.approx(3 * (BINS - 1) / 2 - 99, abs=1e-3)] * 3] * 2


def test_the_authors_checkpoint_fits() -> None:
    # Theirs are of an old PyTorch: no zip archive, no counters of batches, and a layer that is never asked.
    source = tiny()
    state = {name: value for name, value in source.state_dict().items() if not name.endswith("num_batches_tracked")}
    state |= {"fc_finetune.weight": torch.zeros(3, 67), "fc_finetune.bias": torch.zeros(3)}
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=False)
    file.seek(0)
    net = tiny()
    net.load_state_dict(hopenet_state(torch.load(file, weights_only=True)), strict=True)
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(net(image), source(image))
