"""Run the small networks of the face bundle with LiteRT on the CPU."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from faceloom.errors import WeightsError


def read_bundle(path: Path) -> Mapping[str, bytes]:
    """The files inside a ``.task`` bundle (a zip archive), by name. Raises ``WeightsError`` if it is not one."""
    try:
        with zipfile.ZipFile(path) as bundle:
            return {name: bundle.read(name) for name in bundle.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is not a readable model bundle: {error}") from error


class LiteRtModel:
    """One network with one input and fixed shapes. Not safe to share between threads.

    model    contents of a ``.tflite`` file.
    threads  CPU threads; one is enough for networks of a millisecond.
    """

    def __init__(self, model: bytes, threads: int = 1) -> None:
        self._interpreter = Interpreter(model_content=model, num_threads=threads)
        self._interpreter.allocate_tensors()
        tensor = self._interpreter.tensor
        self._input = tensor(self._interpreter.get_input_details()[0]["index"])
        self._outputs = {entry["name"]: tensor(entry["index"]) for entry in self._interpreter.get_output_details()}

    @property
    def input(self) -> NDArray[np.float32]:
        """The input tensor itself, to be written before ``run``. Take it anew for each run and do not keep it."""
        return self._input()

    def run(self) -> dict[str, NDArray[np.float32]]:
        """Run the network on what ``input`` holds; copies of the outputs by tensor name."""
        self._interpreter.invoke()
        return {name: tensor().copy() for name, tensor in self._outputs.items()}
