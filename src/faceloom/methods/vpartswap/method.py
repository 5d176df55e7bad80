"""vpartswap: facial part transfer by a diffusion autoencoder.

V-PartSwap: Motion-Consistent Facial Part Transfer in Videos via Alignment-Aware Diffusion. Needs no training for a
target or a reference. torch is imported when a recipe is prepared, not before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from faceloom.errors import FaceloomError
from faceloom.methods.multiband import Multiband
from faceloom.methods.vpartswap.options import read_options
from faceloom.types import Attribute, Face, Patch, Source, Window
from faceloom.weights import Store

if TYPE_CHECKING:
    from faceloom.methods.vpartswap.prepared import Prepared


class VPartSwap:
    """Part transfer by semantic feature injection in a diffusion autoencoder."""

    name: ClassVar[str] = "vpartswap"
    summary: ClassVar[str] = "injects the part's features into a diffusion autoencoder and renders the face anew; torch"
    takes: ClassVar[frozenset[Attribute]] = Multiband.takes
    needs: ClassVar[tuple[str, ...]] = ("diffae_small128",)
    context: ClassVar[int] = Multiband.context

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.options = read_options(options or {})
        self._multiband = Multiband({})

    def prepare(self, sources: Mapping[Attribute, Source]) -> Prepared:
        """Load the network and cut the parts out of their references."""
        try:
            import torch  # noqa: F401
        except ImportError as error:
            raise FaceloomError(
                "method 'vpartswap' needs torch, which is not installed: pip install 'faceloom[torch]'"
            ) from error
        from faceloom.methods.vpartswap.prepared import Prepared, load_codec, make_flow, read_references

        store = Store()
        codec = load_codec(self.options, store)
        references = read_references(sources, codec)
        return Prepared(codec, references, make_flow(self.options, store), self._multiband.prepare(sources))

    def apply(self, window: Window, faces: Sequence[Face | None], prepared: Prepared) -> list[list[Patch]]:
        """See ``Method.apply``."""
        from faceloom.methods.vpartswap.finish import Work

        base = self._multiband.apply(window, faces, prepared.multiband)
        core = range(*window.core.indices(len(window.frames)))
        work = []
        for i, patches in zip(core, base, strict=True):
            face = faces[i]
            if patches and face is not None:
                work.append(Work.of(window.frames[i], face, patches[0], prepared.codec))
        edited = iter(prepared.edit(work, window, faces))
        return [[next(edited)] if patches else [] for patches in base]
