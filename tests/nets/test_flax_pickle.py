from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceloom.errors import WeightsError
from faceloom.nets.flax_pickle import read_array, read_arrays


def reading(value: Any, protocol: int = 4) -> dict[str, np.ndarray]:
    return read_arrays(io.BytesIO(pickle.dumps(value, protocol)))


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_come_back_by_path(protocol: int) -> None:
    tree = {"params": {"Conv_0": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.ones(3)}}}
    found = reading(tree, protocol)
    assert list(found) == ["params/Conv_0/kernel", "params/Conv_0/bias"]
    np.testing.assert_array_equal(found["params/Conv_0/kernel"], tree["params"]["Conv_0"]["kernel"])
    assert found["params/Conv_0/bias"].dtype == np.float64


def test_a_pickle_that_runs_a_command_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    for attack in (Calls(os.system, f"touch {witness}"), Calls(eval, f"open({str(witness)!r}, 'w')")):
        with pytest.raises(WeightsError, match="only numpy arrays"):
            reading({"kernel": attack})
    assert not witness.exists()


@pytest.mark.parametrize(
    "name", [b"cnumpy.testing._private.utils\nrunstring\n", b"cbuiltins\ngetattr\n", b"cnumpy\nload\n"]
)
def test_other_names_of_numpy_and_builtins_are_refused(name: bytes) -> None:
    with pytest.raises(WeightsError, match="only numpy arrays"):
        read_arrays(io.BytesIO(name + b"."))


def test_arrays_of_objects_are_refused() -> None:
    with pytest.raises(WeightsError, match="only numbers"):
        reading({"kernel": np.array([{"a": 1}], dtype=object)})


def test_a_dtype_with_fields_of_objects_is_refused() -> None:
    with pytest.raises(WeightsError):
        reading({"kernel": np.zeros(2, dtype=[("a", object)])})


def test_references_outside_the_file_are_refused() -> None:
    with pytest.raises(WeightsError, match="outside itself"):
        read_arrays(io.BytesIO(b"Psomewhere\n."))


@pytest.mark.parametrize("value", [[np.zeros(2)], np.zeros(2), {"a": {"b": "text"}}, {"a": [np.zeros(2)]}])
def test_anything_but_a_dictionary_of_arrays_is_refused(value: Any) -> None:
    with pytest.raises(WeightsError):
        reading(value)


def test_a_file_that_is_cut_off_is_refused() -> None:
    whole = pickle.dumps({"kernel": np.arange(100.0)})
    for length in (0, 1, 20, len(whole) - 30):
        with pytest.raises(WeightsError):
            read_arrays(io.BytesIO(whole[:length]))


def test_a_single_array_is_read_and_nothing_else() -> None:
    stored = np.arange(12, dtype=np.int32).reshape(3, 4)
    np.testing.assert_array_equal(read_array(io.BytesIO(pickle.dumps(stored.T))), stored.T)
    for value in ({"a": stored}, [stored], 3, np.array(["text"])):
        with pytest.raises(WeightsError):
            read_array(io.BytesIO(pickle.dumps(value)))
