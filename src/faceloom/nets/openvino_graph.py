"""Feed-forward graphs in OpenVINO's intermediate representation, run by torch.

The format is an XML file with layers and edges and a file with the constants one after another. Only the operations
that the generators in the weight manifest use are known; any other is refused when the graph is read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceloom.errors import WeightsError

_DTYPES = {"f32": torch.float32, "i64": torch.int64, "i32": torch.int32}
_Source = tuple[str, str]
"""Layer and output port."""


@dataclass(frozen=True)
class _Layer:
    """One operation: what it is, its settings, where its inputs come from and the names of its output ports."""

    id: str
    kind: str
    settings: Mapping[str, str]
    inputs: tuple[_Source, ...]
    outputs: tuple[str, ...]


class OpenVinoGraph(nn.Module):
    """A graph with one input and one output.

    Args:
        xml: content of the .xml file.
        constants: content of the .bin file.

    Raises:
        WeightsError: the XML is damaged, an operation is unknown, or the constants end too early.
    """

    def __init__(self, xml: bytes, constants: bytes) -> None:
        super().__init__()
        try:
            root = ElementTree.fromstring(xml)
            layers, edges = root.find("layers"), root.find("edges")
        except ElementTree.ParseError as error:
            raise WeightsError(f"this is not an OpenVINO graph: {error}") from error
        if layers is None or edges is None:
            raise WeightsError("this is not an OpenVINO graph: there are no layers and edges in it")
        incoming: dict[str, dict[str, _Source]] = defaultdict(dict)
        for edge in edges:
            source = edge.attrib["from-layer"], edge.attrib["from-port"]
            incoming[edge.attrib["to-layer"]][edge.attrib["to-port"]] = source
        operations = []
        for element in layers:
            layer = _read_layer(element, incoming[element.attrib["id"]])
            if layer.kind == "Const":
                self.register_buffer(_name((layer.id, layer.outputs[0])), _constant(layer, constants))
            else:
                operations.append(layer)
        self._layers = tuple(_in_order(operations))

    def forward(self, x: Tensor) -> Tensor:
        """The graph's output for its input ``x``."""
        values: dict[_Source, Tensor] = {}
        for layer in self._layers:
            if layer.kind == "Parameter":
                values[layer.id, layer.outputs[0]] = x
                continue
            given = [values[source] if source in values else self.get_buffer(_name(source)) for source in layer.inputs]
            if layer.kind == "Result":
                return given[0]
            values.update(
                zip(((layer.id, port) for port in layer.outputs), _RUN[layer.kind](layer, given), strict=True)
            )
        raise WeightsError("this graph has no result")


def _name(source: _Source) -> str:
    return f"constant_{source[0]}_{source[1]}"


def _read_layer(element: ElementTree.Element, incoming: Mapping[str, _Source]) -> _Layer:
    kind, data = element.attrib["type"], element.find("data")
    if kind not in _RUN and kind not in ("Const", "Parameter", "Result"):
        raise WeightsError(f"the graph holds the operation {kind} (layer {element.attrib.get('name')}), unknown here")
    outputs = tuple(port.attrib["id"] for port in element.findall("output/port"))
    inputs = tuple(incoming[port.attrib["id"]] for port in element.findall("input/port"))
    return _Layer(element.attrib["id"], kind, {} if data is None else data.attrib, inputs, outputs)


def _constant(layer: _Layer, constants: bytes) -> Tensor:
    """A tensor cut out of the constants, converted to its stated type."""
    dtype = _DTYPES.get(layer.settings["element_type"])
    if dtype is None:
        raise WeightsError(f"constants of type {layer.settings['element_type']} are unknown here")
    begin, size = int(layer.settings["offset"]), int(layer.settings["size"])
    if begin + size > len(constants):
        raise WeightsError(f"the constants end after {len(constants)} bytes; the graph wants {begin + size}")
    shape = [int(side) for side in layer.settings["shape"].split(",") if side.strip()]
    return torch.frombuffer(bytearray(constants[begin : begin + size]), dtype=dtype).reshape(shape)


def _in_order(layers: Sequence[_Layer]) -> list[_Layer]:
    """The layers, each after those it needs."""
    by_id, done, ordered = {layer.id: layer for layer in layers}, set(), list[_Layer]()
    for root in layers:
        stack = [root.id]
        while stack:
            layer = by_id[stack[-1]]
            missing = [source for source, _ in layer.inputs if source in by_id and source not in done]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if layer.id not in done:
                done.add(layer.id)
                ordered.append(layer)
    # The result last, whatever else nobody reads.
    return sorted(ordered, key=lambda layer: layer.kind == "Result")


def _pair(text: str) -> tuple[int, int]:
    first, second = (int(part) for part in text.split(","))
    return first, second


def _integers(values: Tensor) -> list[int]:
    return [int(value) for value in values.reshape(-1).tolist()]


def _convolution(layer: _Layer, given: Sequence[Tensor]) -> list[Tensor]:
    x, weight = given
    groups = 1
    if layer.kind == "GroupConvolution":  # weights (groups, out, in, h, w)
        groups, weight = weight.shape[0], weight.flatten(0, 1)
    settings = layer.settings
    if settings["pads_begin"] != settings["pads_end"]:
        raise WeightsError("a convolution padded on one side only is unknown here")
    strides, padding = _pair(settings["strides"]), _pair(settings["pads_begin"])
    return [functional.conv2d(x, weight, None, strides, padding, _pair(settings["dilations"]), groups)]


def _transposed_convolution(layer: _Layer, given: Sequence[Tensor]) -> list[Tensor]:
    """Transposed depth-wise convolution whose kernel is as large as its stride: each value becomes one small tile."""
    x, weight = given  # (B, C, H, W), (C, 1, 1, h, w)
    height, width = weight.shape[3:]
    plain = layer.settings["pads_begin"] == layer.settings["pads_end"] == layer.settings["output_padding"] == "0, 0"
    if (height, width) != _pair(layer.settings["strides"]) or weight.shape[1:3] != (1, 1) or not plain:
        raise WeightsError("a transposed convolution with overlapping tiles is unknown here")
    tiles = x[:, :, :, None, :, None] * weight.reshape(1, -1, 1, height, 1, width)
    return [tiles.reshape(*x.shape[:2], x.shape[2] * height, x.shape[3] * width)]


def _reshape(layer: _Layer, given: Sequence[Tensor]) -> list[Tensor]:
    x, shape = given[0], _integers(given[1])
    if layer.settings.get("special_zero") == "true":
        shape = [x.shape[index] if side == 0 else side for index, side in enumerate(shape)]
    return [x.reshape(shape)]


def _broadcast(layer: _Layer, given: Sequence[Tensor]) -> list[Tensor]:
    shape = _integers(given[1])
    if layer.settings["mode"] == "bidirectional":
        shape = list(torch.broadcast_shapes(given[0].shape, torch.Size(shape)))
    return [given[0].expand(shape)]


def _squeeze(layer: _Layer, given: Sequence[Tensor]) -> list[Tensor]:
    return [given[0].squeeze(tuple(_integers(given[1])) if len(given) > 1 else tuple(range(given[0].dim())))]


def _unsqueeze(layer: _Layer, given: Sequence[Tensor]) -> list[Tensor]:
    x = given[0]
    for axis in sorted(_integers(given[1])):
        x = x.unsqueeze(axis)
    return [x]


def _split(layer: _Layer, given: Sequence[Tensor]) -> list[Tensor]:
    x, axis, lengths = given[0], int(given[1]), _integers(given[2])
    rest = x.shape[axis] - sum(length for length in lengths if length >= 0)
    return list(x.split([rest if length < 0 else length for length in lengths], axis))


def _matmul(layer: _Layer, given: Sequence[Tensor]) -> list[Tensor]:
    a, b = given
    a = a.transpose(-1, -2) if layer.settings.get("transpose_a") == "true" else a
    b = b.transpose(-1, -2) if layer.settings.get("transpose_b") == "true" else b
    return [a @ b]


def _gather(layer: _Layer, given: Sequence[Tensor]) -> list[Tensor]:
    x, index, axis = given[0], given[1].long(), int(given[2])
    taken = x.index_select(axis, index.reshape(-1))
    return [taken.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])]


def _mean(layer: _Layer, given: Sequence[Tensor]) -> list[Tensor]:
    return [given[0].mean(dim=_integers(given[1]), keepdim=layer.settings.get("keep_dims") == "true")]


_RUN: dict[str, Callable[[_Layer, Sequence[Tensor]], list[Tensor]]] = {
    "Add": lambda layer, given: [given[0] + given[1]],
    "Broadcast": _broadcast,
    "Concat": lambda layer, given: [torch.cat(list(given), int(layer.settings["axis"]))],
    "Convolution": _convolution,
    "Gather": _gather,
    "GroupConvolution": _convolution,
    "GroupConvolutionBackpropData": _transposed_convolution,
    "MatMul": _matmul,
    "Multiply": lambda layer, given: [given[0] * given[1]],
    "PReLU": lambda layer, given: [functional.prelu(given[0], given[1].reshape(-1))],
    "Power": lambda layer, given: [given[0] ** given[1]],
    "ReduceMean": _mean,
    "Reshape": _reshape,
    "ShapeOf": lambda layer, given: [torch.tensor(given[0].shape, device=given[0].device)],
    "Squeeze": _squeeze,
    "Tile": lambda layer, given: [given[0].repeat(_integers(given[1]))],
    "Unsqueeze": _unsqueeze,
    "VariadicSplit": _split,
}
