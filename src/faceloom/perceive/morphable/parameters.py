"""The parameters of one face in one frame, as a value."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import MediaError
from faceloom.perceive.morphable.camera import Camera

SHAPE_SIZE, EXPRESSION_SIZE = 40, 10

_FORMAT, _VERSION = "faceloom morphable parameters", 1


@dataclass(frozen=True, eq=False)
class MorphableParameters:
    """One face of one frame in 62 numbers.

    Guo et al., Towards Fast, Accurate and Stable 3D Dense Face Alignment, ECCV 2020.

    camera      (3, 4) float64, from the model to frame pixels, see ``camera``: where the head is and where it looks.
    shape       (40,) float32, coefficients of the identity basis: whose head it is.
    expression  (10,) float32, coefficients of the expression basis: what it does.

    Raises ``ValueError`` for other shapes and for numbers that are not finite.
    """

    camera: Camera
    shape: NDArray[np.float32]
    expression: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, array, wanted in (
            ("camera", self.camera, (3, 4)),
            ("shape", self.shape, (SHAPE_SIZE,)),
            ("expression", self.expression, (EXPRESSION_SIZE,)),
        ):
            if array.shape != wanted or not np.isfinite(array).all():
                raise ValueError(f"{name} must be {wanted} finite numbers, got {array.shape}")

    def save(self, path: Path) -> None:
        """Write to ``path`` as JSON. Raises ``MediaError`` when that cannot be done."""
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            "camera": self.camera.tolist(),
            "shape": self.shape.tolist(),
            "expression": self.expression.tolist(),
        }
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_text(json.dumps(content), "utf-8")
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise MediaError(f"cannot write the face parameters {path}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> MorphableParameters:
        """What ``save`` wrote to ``path``. Raises ``MediaError`` when it is missing or something else."""
        try:
            content: Any = json.loads(path.read_text("utf-8"))
            if content["format"] != _FORMAT or content["version"] != _VERSION:
                raise ValueError(f"it is '{content['format']}' version {content['version']}, not version {_VERSION}")
            return cls(
                np.array(content["camera"], np.float64),
                np.array(content["shape"], np.float32),
                np.array(content["expression"], np.float32),
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise MediaError(
                f"{path} cannot be read as face parameters: {type(error).__name__}: {error}; save them again"
            ) from error


def recombine(
    identity: MorphableParameters, expression: MorphableParameters, pose: MorphableParameters
) -> MorphableParameters:
    """The face of ``identity`` doing what ``expression`` does where ``pose`` is (UniFaceGAN, eq. 4)."""
    return replace(pose, shape=identity.shape, expression=expression.expression)
