"""langbrt: retouching by words.

Hunting Blemishes: Language-guided High-fidelity Face Retouching Transformer with Limited Paired Data, ACM Multimedia
2024. torch is imported when a recipe is prepared, not before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from faceloom.errors import FaceloomError
from faceloom.methods.langbrt.options import WEIGHT, read_options
from faceloom.methods.langbrt.temporal import PARSED_EVERY, RADIUS
from faceloom.perceive.text import MiniLM
from faceloom.types import Attribute, Face, Frame, Patch, PromptMap, Source, Window
from faceloom.weights import Store

if TYPE_CHECKING:
    from faceloom.methods.langbrt.prepared import Prepared

_LIBRARIES = ("torch", "safetensors", "tokenizers")


class LangBRTMethod:
    """Text-prompted detection and removal of blemishes."""

    name: ClassVar[str] = "langbrt"
    summary: ClassVar[str] = "finds blemishes that words name, by a transformer, and takes them away; torch"
    takes: ClassVar[frozenset[Attribute]] = frozenset()
    retouches: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = (WEIGHT, *MiniLM.weights)
    context: ClassVar[int] = RADIUS + PARSED_EVERY - 1

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.options = read_options(options or {})
        self.store = Store()
        own = self.options.checkpoint not in self.store.records
        self.weights = (() if own else (self.options.checkpoint,)) + MiniLM.weights

    @classmethod
    def status(cls) -> str:
        """What a run would use, for ``faceloom methods``."""
        missing = [library for library in _LIBRARIES if find_spec(library) is None]
        if missing:
            return f"cannot run: {', '.join(missing)} not installed, pip install 'faceloom[retouch]'"
        if WEIGHT not in Store().records:
            return "runs with weights of your own, --option checkpoint=FILE; none come with this version"
        return f"runs with {WEIGHT}"

    def prepare(self, sources: Mapping[Attribute, Source]) -> Prepared:
        """Load the networks and understand what was asked for."""
        for library in _LIBRARIES:
            try:
                import_module(library)
            except ImportError as error:
                raise FaceloomError(
                    f"method 'langbrt' needs {library}, which cannot be imported ({error}); install it with: "
                    "pip install 'faceloom[retouch]'"
                ) from error
        from faceloom.methods.langbrt.prepared import prepare

        return prepare(self.options, self.store)

    def apply(self, window: Window, faces: Sequence[Face | None], prepared: Prepared) -> list[list[Patch]]:
        """See ``Method.apply``."""
        return prepared.edit(window, faces)

    def understood(self, prepared: Prepared) -> Sequence[str]:
        """See ``Retoucher.understood``."""
        return prepared.asked.names

    def maps(self, frame: Frame, face: Face, prepared: Prepared) -> list[PromptMap]:
        """See ``Retoucher.maps``."""
        return prepared.maps(frame, face)

    def conclude(self, prepared: Prepared, where: str) -> list[str]:
        """See ``Retoucher.conclude``."""
        return prepared.conclude(where)
