"""Tensors out of a safetensors file and into one: a JSON index and raw numbers, nothing that could run."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from faceloom.errors import WeightsError

_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
}
_LONGEST_INDEX = 100_000_000


def read_tensors(stream: IO[bytes]) -> dict[str, Tensor]:
    """The tensors of a file by name.

    Layout: 8 bytes, little-endian, length of the index; the index, JSON ``{name: {dtype, shape, data_offsets}}``; the
    numbers, offsets counted from the end of the index.

    Raises:
        WeightsError: not such a file, broken or cut off, or a number type that is not known here.
    """
    try:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= _LONGEST_INDEX:
            raise WeightsError("this is no safetensors file: its index has an impossible length")
        index = json.loads(stream.read(length))
        data = bytearray(stream.read())
        return {name: _tensor(name, entry, data) for name, entry in index.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"the safetensors file cannot be read: {type(error).__name__}: {error}") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write contiguous tensors and strings; the file gets its name only when it is complete. OSError as it comes."""
    from safetensors.torch import save

    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        part = Path(folder) / path.name
        # Not save_file, whose files only their owner may read.
        part.write_bytes(save(dict(tensors), dict(metadata)))
        part.replace(path)


def _tensor(name: str, entry: dict[str, Any], data: bytearray) -> Tensor:
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if kind not in _TYPES:
        raise WeightsError(f"tensor '{name}' is of type {kind}, which is not read here")
    (start, end), dtype = offsets, _TYPES[kind]
    if not 0 <= start <= end <= len(data) or end - start != math.prod(shape) * dtype.itemsize:
        raise WeightsError(f"tensor '{name}' does not lie within the file or has another size than its shape says")
    if start == end:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(data, dtype=dtype, count=math.prod(shape), offset=start).view(shape)
