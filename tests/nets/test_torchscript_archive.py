from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from torch import nn  # noqa: E402

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.nets.torchscript_archive import read_parameters  # noqa: E402


def archive(module: nn.Module) -> io.BytesIO:
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(module), stream)
    stream.seek(0)
    return stream


def test_parameters_are_those_of_the_module() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Sequential(nn.Linear(4, 2)))
    found = read_parameters(archive(module))
    expected = module.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0)


def test_a_tensor_that_is_a_view_keeps_its_strides() -> None:
    module = nn.Linear(3, 5)
    module.weight = nn.Parameter(torch.arange(15.0).reshape(3, 5).T)
    torch.testing.assert_close(read_parameters(archive(module))["weight"], module.weight.detach())


class Attack:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_an_index_that_runs_a_command_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    stream, witness = io.BytesIO(), tmp_path / "witness"
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("module/data.pkl", pickle.dumps(Attack(f"touch {witness}")))
    stream.seek(0)
    with pytest.raises(WeightsError, match="asks for"):
        read_parameters(stream)
    assert not witness.exists()


def test_numbers_of_another_type_are_refused() -> None:
    with pytest.raises(WeightsError, match="only float32"):
        read_parameters(archive(nn.Linear(2, 2).double()))


def test_a_tensor_beyond_its_storage_is_refused() -> None:
    from faceloom.nets.torchscript_archive import _rebuild

    storage = torch.zeros(4)
    assert _rebuild(storage, 0, (2, 2), (2, 1)).shape == (2, 2)
    for offset, size, stride in ((1, (2, 2), (2, 1)), (-1, (2,), (1,)), (0, (5,), (1,)), (0, (2,), (-1,))):
        with pytest.raises(WeightsError, match="beyond"):
            _rebuild(storage, offset, size, stride)


@pytest.mark.parametrize("content", [b"", b"no zip file", pickle.dumps({})])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        read_parameters(io.BytesIO(content))
