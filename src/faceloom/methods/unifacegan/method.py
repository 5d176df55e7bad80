"""unifacegan: faces swapped and driven through a 3D morphable model.

UniFaceGAN: A Unified Framework for Temporally Consistent Facial Video Editing. The recombined face is drawn and
blended in, or drawn and handed to a trained generator, where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from faceloom.methods.eyeball import IRIS_RADIUS, TRUST_RADIUS
from faceloom.methods.light import SMOOTHING_RADIUS
from faceloom.methods.unifacegan.driver import read_driver
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.generator import FaceGenerator
from faceloom.methods.unifacegan.identity import read_identity
from faceloom.methods.unifacegan.options import GENERATOR, Options, generator_file, read_options
from faceloom.methods.unifacegan.prepared import Prepared
from faceloom.perceive.morphable import MORPHABLE_WEIGHTS, MOTION_SUPPORT, MorphableRegressor, read_morphable_model
from faceloom.types import Attribute, Face, Patch, Source, Window
from faceloom.weights import Store


class UniFaceGAN:
    """Swap and reenactment by a morphable model, colour gains and Laplacian pyramids."""

    name: ClassVar[str] = "unifacegan"
    summary: ClassVar[str] = "draws a face with the expression, pose and gaze of others, by a 3D model; numba"
    takes: ClassVar[frozenset[Attribute]] = frozenset(
        {Attribute.IDENTITY, Attribute.EXPRESSION, Attribute.POSE, Attribute.GAZE}
    )
    needs: ClassVar[tuple[str, ...]] = MORPHABLE_WEIGHTS
    context: ClassVar[int] = max(SMOOTHING_RADIUS, IRIS_RADIUS, TRUST_RADIUS, MOTION_SUPPORT)

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.options = read_options(options or {})
        self.store = Store()

    @classmethod
    def status(cls) -> str:
        """Which of its two ways of drawing a run takes, for ``faceloom methods``."""
        found = generator_file(Options())
        if found is None:
            return f"runs as a blend; no trained generator {GENERATOR} among the weights"
        return f"runs with the trained generator {found}"

    def prepare(self, sources: Mapping[Attribute, Source]) -> Prepared:
        """Fit the model to the sources and take the texture of the one whose face is put on."""
        trained = generator_file(self.options)
        fitter = FaceFitter(read_morphable_model(self.store), MorphableRegressor(self.store))
        identity = sources.get(Attribute.IDENTITY)
        driving = [sources.get(attribute) for attribute in (Attribute.EXPRESSION, Attribute.POSE, Attribute.GAZE)]
        # One clip often drives several; it is fitted once.
        drivers = {source: read_driver(source, fitter) for source in dict.fromkeys(driving) if source is not None}
        expression, pose, gaze = (None if source is None else drivers[source] for source in driving)
        return Prepared(
            fitter,
            None if identity is None else read_identity(identity, fitter),
            expression,
            pose,
            gaze,
            self.options,
            None if trained is None else FaceGenerator.load(trained),
        )

    def apply(self, window: Window, faces: Sequence[Face | None], prepared: Prepared) -> list[list[Patch]]:
        """See ``Method.apply``."""
        for person in {face.track for face in faces if face is not None}:
            prepared.meet(person, window)
        plans = prepared.plans(window, faces)
        return [prepared.edit(window.frames[i], plans[i]) for i in range(*window.core.indices(len(window.frames)))]
