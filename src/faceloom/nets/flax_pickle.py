"""Parameters out of a pickle that is not trusted: dictionaries of numpy arrays, and nothing else.

A pickle is a program. This reader admits the three functions that rebuild a numpy array and refuses every other name
before it is looked up, so a file can hold wrong numbers but cannot run code.
"""

from __future__ import annotations

import pickle
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import WeightsError

Arrays = dict[str, NDArray[Any]]
"""Arrays by the path of keys that leads to them, joined with ``/``."""


def read_arrays(stream: IO[bytes]) -> Arrays:
    """The arrays of a nested dictionary, by path; the layout in which flax keeps parameters.

    Args:
        stream: the pickle, open for reading in binary mode.

    Raises:
        WeightsError: the pickle names anything but numpy arrays, is broken, or is no dictionary of numeric arrays.
    """
    tree = _load(stream)
    if not isinstance(tree, dict):
        raise WeightsError(f"the pickle should hold a dictionary of arrays, it holds {type(tree).__name__}")
    return dict(_leaves(tree, ""))


def read_array(stream: IO[bytes]) -> NDArray[Any]:
    """The one array of numbers in a pickle that holds nothing else. Raises ``WeightsError`` as ``read_arrays`` does."""
    array = _load(stream)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise WeightsError(f"the pickle should hold an array of numbers, it holds {type(array).__name__}")
    return array


def _load(stream: IO[bytes]) -> Any:
    try:
        return _ArrayUnpickler(stream).load()
    except WeightsError:
        raise
    except Exception as error:  # a broken pickle fails with whatever its bytes happen to mean
        raise WeightsError(f"the pickle cannot be read: {type(error).__name__}: {error}") from error


def _reconstruct(kind: type, shape: tuple[int, ...], code: bytes) -> NDArray[Any]:
    """What numpy's own function of this name is called for: an empty array, filled by ``__setstate__`` after."""
    if kind is not np.ndarray or shape != (0,) or code != b"b":
        raise WeightsError("the pickle makes an array in a way that numpy does not")
    return np.empty(0, np.int8)


def _dtype(code: str, align: bool = False, copy: bool = False) -> np.dtype[Any]:
    """Numbers and booleans only: objects inside an array would be pickles again."""
    found = np.dtype(code)
    if found.kind not in "fiub":
        raise WeightsError(f"the pickle holds an array of '{code}'; only numbers are read")
    return found


_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = _ADMITTED.get((module, name))
        if found is None:
            raise WeightsError(f"the pickle asks for {module}.{name}; only numpy arrays are read")
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise WeightsError("the pickle refers to something outside itself; only numpy arrays are read")


def _leaves(tree: dict[Any, Any], prefix: str) -> list[tuple[str, NDArray[Any]]]:
    found = []
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            found += _leaves(value, f"{path}/")
        elif isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            found.append((path, value))
        else:
            raise WeightsError(f"the pickle holds {type(value).__name__} at '{path}'; only arrays of numbers are read")
    return found
