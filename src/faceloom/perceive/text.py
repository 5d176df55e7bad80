"""Sentences to vectors that are alike when they mean the same.

Reimers and Gurevych, Sentence-BERT, EMNLP 2019, with Wang et al., MiniLM, NeurIPS 2020, in 8 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceloomError, WeightsError
from faceloom.weights import Store

_LONGEST = 256
"""Tokens of a sentence that are read, as the model was trained; the rest is cut off."""


class TextEncoder(Protocol):
    """Whatever turns sentences into vectors: MiniLM, or CLIP's text tower (``clip_text``).

    ``name``       written into what is trained with it; vectors of two encoders cannot be compared.
    ``dimension``  length of a vector.
    """

    name: str
    dimension: int

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """(N, dimension) float32, rows of unit length, so that their products are cosines."""


class MiniLM:
    """all-MiniLM-L6-v2 with the weights ``minilm_int8`` and ``minilm_tokenizer``; 384 numbers, 2 ms a sentence.

    store    where the weights are.
    threads  CPU threads.

    Raises ``FaceloomError`` when the library ``tokenizers`` is not installed, ``WeightsError`` when a weight is missing
    or damaged.
    """

    weights = ("minilm_int8", "minilm_tokenizer")
    name = "minilm_int8"
    dimension = 384

    def __init__(self, store: Store, *, threads: int = 1) -> None:
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise FaceloomError(
                f"understanding words needs a library that is not installed ({error.name}); install it with: "
                "pip install 'faceloom[retouch]'"
            ) from error
        model, tokens = (store.path(weight) for weight in self.weights)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._model = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_file(str(tokens))
        except Exception as error:  # both libraries raise bare classes of their own
            raise WeightsError(f"{model} or {tokens} cannot be loaded: {error}; pull them again") from error
        self._tokenizer.enable_truncation(_LONGEST)
        # One sentence at a time below: an 8-bit model scales its numbers by the batch, which padding would change.
        self._tokenizer.no_padding()
        self._inputs = {entry.name for entry in self._model.get_inputs()}

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """(N, 384) float32 of unit length: means of the token states. Case does not matter."""
        rows = [self._encode(sentence) for sentence in sentences]
        return np.stack(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def _encode(self, sentence: str) -> NDArray[np.float32]:
        ids = np.array([self._tokenizer.encode(sentence).ids], np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states = self._model.run(None, {name: given[name] for name in self._inputs})[0]
        mean = states[0].mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)
