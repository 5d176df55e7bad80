"""vpartswap: facial part transfer by a diffusion autoencoder.

V-PartSwap: Motion-Consistent Facial Part Transfer in Videos via Alignment-Aware Diffusion. Needs no training for a
target or a reference. torch is imported when a recipe is prepared, not before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from faceloom.errors import FaceloomError
from faceloom.methods.eyeball import steady_irises
from faceloom.methods.multiband import Multiband
from faceloom.methods.timing import stage
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
        # A checkpoint of the user's own is a file, or a name that the store will not know.
        self.store = Store()
        own = self.options.checkpoint not in self.store.records
        self.weights = (() if own else (self.options.checkpoint,)) + (
            ("raft_things",) if self.options.attention == "raft" else ()
        )
        self._multiband = Multiband({})

    def prepare(self, sources: Mapping[Attribute, Source]) -> Prepared:
        """Load the network and cut the parts out of their references."""
        try:
            import safetensors  # noqa: F401
            import torch  # noqa: F401
        except ImportError as error:
            raise FaceloomError(
                f"method 'vpartswap' needs torch, and it cannot be imported ({error}); install it with: "
                "pip install 'faceloom[torch]'"
            ) from error
        from faceloom.methods.vpartswap.prepared import Prepared, load_codec, make_flow, read_references

        self._multiband.store = self.store
        codec = load_codec(self.options, self.store)
        references = read_references(sources, codec)
        return Prepared(codec, references, make_flow(self.options, self.store), self._multiband.prepare(sources))

    def apply(self, window: Window, faces: Sequence[Face | None], prepared: Prepared) -> list[list[Patch]]:
        """See ``Method.apply``."""
        from faceloom.methods.vpartswap.finish import Work

        with stage("multiband base"):
            base = self._multiband.apply(window, faces, prepared.multiband)
        for person in {face.track for face in faces if face is not None}:
            prepared.meet(person, window)
        placed = steady_irises(faces)
        work = []
        for i, patches in zip(range(*window.core.indices(len(window.frames))), base, strict=True):
            face = placed[i]
            if patches and face is not None:
                work.append(Work.of(window.frames[i], face, patches[0], prepared.codec))
        edited = iter(prepared.edit(work, window, faces))
        return [[next(edited)] if patches else [] for patches in base]
