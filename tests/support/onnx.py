"""A model of one operation, written by hand in the ONNX format."""

from __future__ import annotations

from pathlib import Path


def field(number: int, content: bytes | str | int) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    data = content.encode() if isinstance(content, str) else content
    assert len(data) < 1 << 14
    size = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
    return bytes([number << 3 | 2]) + size + data


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(field(1, field(1, side)) for side in shape)
    tensor = field(1, 1) + field(2, dimensions)
    return field(1, name) + field(2, field(1, tensor))


def channel_means(path: Path) -> Path:
    """Write a model of ArcFace's shape that gives the mean of each colour: (1, 3, 112, 112) to (1, 3, 1, 1)."""
    node = field(1, "x") + field(2, "y") + field(4, "GlobalAveragePool")
    ends = field(11, _value("x", (1, 3, 112, 112))) + field(12, _value("y", (1, 3, 1, 1)))
    graph = field(1, node) + field(2, "g") + ends
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)))
    return path
