"""Parameters out of a TorchScript archive, without loading the program inside it.

``torch.jit.load`` compiles what the archive brings along. Here only its tree of attributes is read, by an unpickler
that admits tensors, and its numbers are taken from the storage files.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import OrderedDict
from typing import IO, Any

import torch
from torch import Tensor

from faceloom.errors import WeightsError


def read_parameters(stream: IO[bytes]) -> dict[str, Tensor]:
    """The float32 tensors of a scripted module by attribute path, joined with dots, as its ``state_dict`` names them.

    Args:
        stream: the archive (``torch.jit.save``), open for reading in binary mode.

    Raises:
        WeightsError: not such an archive, broken, or its attributes are more than modules, numbers and tensors.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            (index,) = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
            with archive.open(index) as pickled:
                root = _TensorUnpickler(pickled, archive, index.removesuffix(".pkl")).load()
    except WeightsError:
        raise
    except Exception as error:  # a broken archive fails with whatever its bytes happen to mean
        raise WeightsError(f"the TorchScript archive cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(root, _Module):
        raise WeightsError(f"the TorchScript archive should hold a module, it holds {type(root).__name__}")
    return dict(_tensors(root, ""))


class _Module:
    """Stands for every scripted class: attributes, no behaviour."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise WeightsError("a module of the TorchScript archive has no plain attributes")
        self.attributes = state


def _rebuild(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: Any) -> Tensor:
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if offset < 0 or math.prod(size) < 1 or min(stride, default=0) < 0 or last >= storage.numel():
        raise WeightsError("a tensor of the TorchScript archive reaches beyond its storage")
    return storage.as_strided(size, stride, offset).clone()


def _integers(values: Any) -> list[int]:
    return [int(value) for value in values]


class _Float:
    """Marks storages of float32."""


_ADMITTED = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch.jit._pickle", "build_intlist"): _integers,
    ("torch", "FloatStorage"): _Float,
    ("collections", "OrderedDict"): OrderedDict,
}


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(stream)
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            return _Module
        found = _ADMITTED.get((module, name))
        if found is None:
            raise WeightsError(f"the TorchScript archive asks for {module}.{name}; only float32 tensors are read")
        return found

    def persistent_load(self, pid: Any) -> Tensor:
        word, kind, key, _, count = pid
        if word != "storage" or kind is not _Float:
            raise WeightsError(f"the TorchScript archive has a storage of another kind: {pid!r}")
        data = bytearray(self._archive.read(f"{self._folder}/{key}"))
        if len(data) != 4 * int(count):
            raise WeightsError(f"storage {key} of the TorchScript archive has {len(data)} bytes, expected {4 * count}")
        return torch.frombuffer(data, dtype=torch.float32)


def _tensors(module: _Module, prefix: str) -> list[tuple[str, Tensor]]:
    found = []
    for name, value in module.attributes.items():
        if isinstance(value, _Module):
            found += _tensors(value, f"{prefix}{name}.")
        elif isinstance(value, Tensor):
            found.append((f"{prefix}{name}", value))
    return found
