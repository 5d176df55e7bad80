"""Graphs in OpenVINO's representation: written by hand, and a real one against OpenVINO itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
import torch
from torch.nn import functional

from faceloom.errors import WeightsError
from faceloom.nets.openvino_graph import OpenVinoGraph
from faceloom.weights import Status, Store

GOLDEN = Path(__file__).parents[1] / "data" / "nets" / "mobilestylegan.npz"


class Writer:
    """Builds the two files of a graph, one layer after the other."""

    def __init__(self, shape: Sequence[int]) -> None:
        self._layers, self._edges, self.constants = list[str](), list[str](), b""
        self.input = self.add("Parameter", [], shape=", ".join(map(str, shape)), element_type="f32")

    def constant(self, values: np.ndarray) -> tuple[int, int]:
        kind = {"f": "f32", "i": "i64"}[values.dtype.kind]
        data = values.astype({"f32": "<f4", "i64": "<i8"}[kind]).tobytes()
        settings = {"offset": str(len(self.constants)), "size": str(len(data)), "element_type": kind}
        self.constants += data
        return self.add("Const", [], shape=", ".join(map(str, values.shape)), **settings)

    def add(self, kind: str, inputs: Sequence[tuple[int, int]], outputs: int = 1, **settings: str) -> tuple[int, int]:
        """A layer; returns its first output as (layer, port), the others follow by port."""
        number, taken = len(self._layers), range(len(inputs))
        ports = "".join(f'<port id="{port}"/>' for port in taken)
        given = "".join(f'<port id="{len(inputs) + port}"/>' for port in range(outputs))
        data = " ".join(f"{name}={quoteattr(value)}" for name, value in settings.items())
        self._layers.append(
            f'<layer id="{number}" name="{kind}_{number}" type="{kind}"><data {data}/>'
            f"<input>{ports}</input><output>{given}</output></layer>"
        )
        for port, (layer, output) in zip(taken, inputs, strict=True):
            self._edges.append(
                f'<edge from-layer="{layer}" from-port="{output}" to-layer="{number}" to-port="{port}"/>'
            )
        return number, len(inputs)

    def finish(self, last: tuple[int, int]) -> bytes:
        self.add("Result", [last], outputs=0)
        content = f"<layers>{''.join(self._layers)}</layers><edges>{''.join(self._edges)}</edges>"
        return f'<net name="test" version="10">{content}</net>'.encode()


CONVOLUTION = {"strides": "1, 1", "dilations": "1, 1", "pads_begin": "1, 1", "pads_end": "1, 1"}
TRANSPOSED = {
    "strides": "2, 1", "pads_begin": "0, 0", "pads_end": "0, 0", "dilations": "1, 1", "output_padding": "0, 0",
}  # fmt: skip


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_convolutions_and_shapes() -> None:
    random = np.random.default_rng(0)
    full, grouped = random.normal(size=(4, 2, 3, 3)), random.normal(size=(4, 1, 1, 3, 3))
    tiles, slope = random.normal(size=(4, 1, 1, 2, 1)), np.array([0.2])
    graph = Writer((1, 2, 5, 6))
    h = graph.add("Convolution", [graph.input, graph.constant(full)], **CONVOLUTION)
    h = graph.add("PReLU", [h, graph.constant(slope)])
    h = graph.add("GroupConvolution", [h, graph.constant(grouped)], **CONVOLUTION)
    h = graph.add("GroupConvolutionBackpropData", [h, graph.constant(tiles)], **TRANSPOSED)
    axis, lengths = graph.constant(np.int64(1).reshape(())), graph.constant(integers(1, -1))
    layer, port = graph.add("VariadicSplit", [h, axis, lengths], outputs=2)
    batch = graph.add("Gather", [graph.add("ShapeOf", [h]), graph.constant(integers(0)), graph.constant(integers(0))])
    shape = graph.add("Concat", [batch, graph.constant(integers(-1))], axis="0")
    flat = graph.add("Reshape", [(layer, port + 1), shape], special_zero="true")
    xml = graph.finish(flat)

    x = torch.from_numpy(random.normal(size=(3, 2, 5, 6)).astype(np.float32))
    wanted = functional.prelu(functional.conv2d(x, torch.tensor(full).float(), padding=1), torch.tensor([0.2]))
    wanted = functional.conv2d(wanted, torch.tensor(grouped[:, 0]).float(), padding=1, groups=4)
    wanted = functional.conv_transpose2d(wanted, torch.tensor(tiles[:, 0]).float(), stride=(2, 1), groups=4)
    found = OpenVinoGraph(xml, graph.constants)(x)
    assert torch.allclose(found, wanted[:, 1:].flatten(1), atol=1e-5)


def test_arithmetic() -> None:
    matrix = np.arange(12, dtype=np.float64).reshape(4, 3) / 10
    graph = Writer((2, 3))
    h = graph.add("MatMul", [graph.input, graph.constant(matrix)], transpose_a="false", transpose_b="true")
    square = graph.add("Power", [h, graph.constant(np.array([2.0]))])
    mean = graph.add("ReduceMean", [square, graph.constant(integers(1))], keep_dims="true")
    h = graph.add("Multiply", [h, graph.add("Add", [mean, graph.constant(np.array([1.0]))])])
    h = graph.add("Unsqueeze", [h, graph.constant(integers(1, 3))])
    h = graph.add("Tile", [h, graph.constant(integers(1, 2, 1, 1))])
    h = graph.add("Broadcast", [h, graph.constant(integers(1, 1, 1, 5))], mode="bidirectional")
    h = graph.add("Squeeze", [graph.add("Reshape", [h, graph.constant(integers(0, 1, -1))], special_zero="true"),
                              graph.constant(integers(1))])  # fmt: skip
    x = torch.tensor([[1.0, 2, 3], [-1, 0, 1]])
    wanted = x @ torch.tensor(matrix).float().T
    wanted = wanted * (wanted.square().mean(1, keepdim=True) + 1)
    wanted = wanted[:, None, :, None].repeat(1, 2, 1, 5).flatten(1)
    assert torch.allclose(OpenVinoGraph(graph.finish(h), graph.constants)(x), wanted)


def test_graphs_that_cannot_be_run() -> None:
    with pytest.raises(WeightsError, match="not an OpenVINO graph"):
        OpenVinoGraph(b"<net>", b"")
    with pytest.raises(WeightsError, match="no layers"):
        OpenVinoGraph(b"<net/>", b"")
    graph = Writer((1, 2))
    with pytest.raises(WeightsError, match="holds the operation Softplus"):
        OpenVinoGraph(graph.finish(graph.add("Softplus", [graph.input])), b"")
    graph = Writer((1, 2))
    xml = graph.finish(graph.add("Add", [graph.input, graph.constant(np.ones(2))]))
    with pytest.raises(WeightsError, match="end after 7 bytes; the graph wants 8"):
        OpenVinoGraph(xml, graph.constants[:-1])


def test_a_real_generator_equals_openvino() -> None:
    """Style, and the picture reduced to 32×32 and along one row, as OpenVINO computed them in float32."""
    store = Store()
    names = [f"mobilestylegan_{net}_{kind}" for net in ("mapping", "synthesis") for kind in ("xml", "bin")]
    absent = [name for name in names if store.status(name) is not Status.PRESENT]
    if absent:
        pytest.skip(f"weights are not here; get them with: faceloom weights pull {' '.join(absent)}")
    mapping_xml, mapping_bin, synthesis_xml, synthesis_bin = (store.path(name).read_bytes() for name in names)
    latent = np.random.default_rng(900_000).standard_normal((1, 512)).astype(np.float32)
    with np.load(GOLDEN) as golden, torch.inference_mode():
        style = OpenVinoGraph(mapping_xml, mapping_bin)(torch.from_numpy(latent))
        assert np.abs(style.numpy() - golden["style"]).max() < 1e-4
        picture = OpenVinoGraph(synthesis_xml, synthesis_bin)(style)[0].numpy()
        assert picture.shape == (3, 1024, 1024)
        assert np.abs(picture.reshape(3, 32, 32, 32, 32).mean((2, 4)) - golden["reduced"]).max() < 1e-3
        assert np.abs(picture[:, 512, ::32] - golden["pixels"]).max() < 1e-3
