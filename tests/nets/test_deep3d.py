from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.nets.deep3d import EXPRESSION, SIZES, Deep3DFaceRecon, deep3d_state  # noqa: E402


def tiny() -> Deep3DFaceRecon:
    return Deep3DFaceRecon(width=2, blocks=(1, 1, 1, 1)).eval()


def test_parameters_are_those_of_the_authors_network() -> None:
    net = Deep3DFaceRecon()
    state = net.state_dict()
    heads = [state[f"final_layers.{index}.weight"].shape for index in range(7)]
    assert heads == [(size, 2048, 1, 1) for size in (80, 64, 80, 3, 27, 2, 1)]
    assert {name.split(".")[0] for name in state} == {"backbone", "final_layers"}
    assert "backbone.layer4.2.bn3.weight" in state and not any(".fc." in name for name in state)
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == 23_508_032 + 257 * (2048 + 1)


def test_the_expression_lies_behind_the_identity() -> None:
    net = tiny()
    with torch.inference_mode():
        for number, layer in enumerate(net.final_layers):
            layer.weight.zero_()
            layer.bias.fill_(number)
        found = net(torch.zeros(2, 3, 64, 64))
    assert found.shape == (2, sum(SIZES)) == (2, 257)
    assert found[:, EXPRESSION].shape == (2, 64) and set(found[0, EXPRESSION].tolist()) == {1}
    assert found[0, EXPRESSION.start - 1] == 0 and found[0, EXPRESSION.stop] == 2


def test_parameters_come_from_the_authors_checkpoint_or_a_file_of_their_own() -> None:
    source = tiny()
    checkpoint = {"net_recon": source.state_dict(), "opt_00": {"state": {}, "param_groups": [{"lr": 1e-4}]}}
    for given in (checkpoint, source.state_dict()):
        net = tiny()
        net.load_state_dict(deep3d_state(given), strict=True)
        image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            torch.testing.assert_close(net(image), source(image))


@pytest.mark.parametrize("given", [{"net_recon": 3}, {"opt_00": {"lr": 1e-4}}])
def test_another_checkpoint_is_refused(given: dict) -> None:
    with pytest.raises(WeightsError, match="no parameters of Deep3DFaceRecon"):
        deep3d_state(given)
