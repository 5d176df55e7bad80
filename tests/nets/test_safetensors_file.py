from __future__ import annotations

import io
import json

import pytest

torch = pytest.importorskip("torch", reason="nets need torch: pip install 'faceloom[torch]'")

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.nets.safetensors_file import read_tensors  # noqa: E402


def file(index: dict, data: bytes) -> io.BytesIO:
    text = json.dumps(index).encode()
    return io.BytesIO(len(text).to_bytes(8, "little") + text + data)


def test_tensors_come_back_with_type_shape_and_values() -> None:
    first, second = torch.arange(6.0).reshape(2, 3), torch.tensor([1.5, -2.0], dtype=torch.float16)
    data = first.numpy().tobytes() + second.numpy().tobytes()
    index = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "F16", "shape": [2], "data_offsets": [24, 28]},
        "none": {"dtype": "F32", "shape": [0], "data_offsets": [28, 28]},
    }
    found = read_tensors(file(index, data))
    assert found.keys() == {"a", "b", "none"}
    assert torch.equal(found["a"], first)
    assert torch.equal(found["b"], second)
    assert found["none"].shape == (0,)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "Q4", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2]},
        "text",
    ],
)
def test_entries_that_do_not_fit_are_refused(entry: object) -> None:
    with pytest.raises(WeightsError):
        read_tensors(file({"a": entry}, bytes(8)))


@pytest.mark.parametrize(
    "content", [b"", b"short", (10**12).to_bytes(8, "little"), (4).to_bytes(8, "little") + b"nope"]
)
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    with pytest.raises(WeightsError):
        read_tensors(io.BytesIO(content))
