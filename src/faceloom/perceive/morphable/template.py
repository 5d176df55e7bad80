"""The motion of a face through a clip, in a small file: it drives another face without the footage."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError, MediaError
from faceloom.perceive.morphable.parameters import EXPRESSION_SIZE, SHAPE_SIZE, MorphableParameters
from faceloom.types import Glimpse

_FORMAT, _VERSION, _OLDEST = "faceloom motion template", 2, 1
_LANDMARKS = 478
_STEPS = 16
"""Landmarks are kept to a sixteenth of a pixel, a fraction of what they err by."""
_LONGEST_FILE = 1 << 30
"""Bytes of arrays in one file; two days of video have fewer."""
_DAMAGE = (
    OSError, ValueError, TypeError, KeyError, EOFError, ArithmeticError, MemoryError, RuntimeError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip
"""What zipfile and NumPy raise over damaged archives."""


@dataclass(frozen=True, eq=False)
class MotionTemplate:
    """Parameters of one face for each of T frames of a clip.

    times        presentation times of the frames, seconds.
    present      (T,) bool, False where the face was not found; the numbers of such a frame mean nothing.
    cameras      (T, 3, 4) float64, see ``camera``.
    shapes       (T, 40) float32.
    expressions  (T, 10) float32.
    width        columns of the clip, the frame of reference of the cameras.
    height       rows of it.
    landmarks    (T, 478, 3) float32 pixels of the clip, what the model does not know: lids, lips, gaze. None without.

    Raises ``ValueError`` when the arrays do not belong together or the parameters of a present frame are not finite.
    """

    times: tuple[Fraction, ...]
    present: NDArray[np.bool_]
    cameras: NDArray[np.float64]
    shapes: NDArray[np.float32]
    expressions: NDArray[np.float32]
    width: int
    height: int
    landmarks: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        count = len(self.times)
        for name, array, wanted in (
            ("present", self.present, (count,)),
            ("cameras", self.cameras, (count, 3, 4)),
            ("shapes", self.shapes, (count, SHAPE_SIZE)),
            ("expressions", self.expressions, (count, EXPRESSION_SIZE)),
            ("landmarks", self.landmarks, (count, _LANDMARKS, 3)),
        ):
            if array is None:
                continue
            if array.shape != wanted:
                raise ValueError(f"{name} must be {wanted} for {count} times, got {array.shape}")
            if array.dtype != np.bool_ and not np.isfinite(array[self.present]).all():
                raise ValueError(f"{name} has numbers that are not finite")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"the size must be positive, got {self.width} x {self.height}")

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(
        cls,
        frames: Sequence[MorphableParameters | None],
        times: Sequence[Fraction],
        width: int,
        height: int,
        landmarks: Sequence[NDArray[np.floating] | None] | None = None,
    ) -> MotionTemplate:
        """The template of ``frames``, None where there is no face, at ``times``, of a clip of this size.

        landmarks  (478, 3) for each frame with a face.
        """
        count = len(frames)
        cameras, shapes = np.zeros((count, 3, 4)), np.zeros((count, SHAPE_SIZE), np.float32)
        expressions = np.zeros((count, EXPRESSION_SIZE), np.float32)
        for index, frame in enumerate(frames):
            if frame is not None:
                cameras[index], shapes[index], expressions[index] = frame.camera, frame.shape, frame.expression
        present = np.array([frame is not None for frame in frames], bool)
        placed = None
        if landmarks is not None:
            nowhere = np.zeros((_LANDMARKS, 3), np.float32)
            placed = np.stack([nowhere if points is None else points for points in landmarks]).astype(np.float32)
        return cls(tuple(times), present, cameras, shapes, expressions, width, height, placed)

    def parameters(self, index: int) -> MorphableParameters | None:
        """The face of frame ``index``, or None where there is none."""
        if not self.present[index]:
            return None
        return MorphableParameters(self.cameras[index], self.shapes[index], self.expressions[index])

    def points(self, index: int) -> NDArray[np.float64] | None:
        """(478, 3) landmarks of frame ``index``, or None where there are none."""
        if self.landmarks is None or not self.present[index]:
            return None
        return self.landmarks[index].astype(np.float64)

    def identity(self) -> NDArray[np.float32]:
        """(40,) float32: the median shape over the frames with a face; one head for the whole clip.

        Raises ``FaceError`` when no frame has a face.
        """
        if not self.present.any():
            raise FaceError("the motion template has no frame with a face; use a clip that shows one")
        return np.median(self.shapes[self.present], axis=0).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write to ``path`` (compressed archive, 0.3 kB a frame, 3 kB with landmarks). Raises ``MediaError``."""
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("wb") as sink:
                np.savez_compressed(sink, **self._arrays())
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise MediaError(f"cannot write the motion template {path}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> MotionTemplate:
        """What ``save`` wrote to ``path``. Raises ``MediaError`` when it is missing, damaged or something else."""
        try:
            with zipfile.ZipFile(path) as archive:
                total = sum(entry.file_size for entry in archive.infolist())
            if total > _LONGEST_FILE:
                raise ValueError(f"it unpacks to {total} bytes")
            with np.load(path, allow_pickle=False) as arrays:
                return cls._from_arrays({name: arrays[name] for name in arrays.files})
        except _DAMAGE as error:
            raise MediaError(
                f"{path} cannot be read as a motion template: {type(error).__name__}: {error}; make it again"
            ) from error

    def _arrays(self) -> dict[str, Any]:
        return {
            "format": np.array(_FORMAT),
            "version": np.array(_VERSION),
            "times": np.array([(time.numerator, time.denominator) for time in self.times], np.int64).reshape(-1, 2),
            "present": self.present,
            "cameras": self.cameras,
            "shapes": self.shapes,
            "expressions": self.expressions,
            "size": np.array([self.width, self.height]),
            **({} if self.landmarks is None else {"landmarks": np.rint(self.landmarks * _STEPS).astype(np.int32)}),
        }

    @classmethod
    def _from_arrays(cls, arrays: dict[str, Any]) -> MotionTemplate:
        if str(arrays["format"]) != _FORMAT or not _OLDEST <= int(arrays["version"]) <= _VERSION:
            raise ValueError(f"it is '{arrays['format']}' version {arrays['version']}, not version {_VERSION}")
        width, height = (int(value) for value in arrays["size"])
        return cls(
            tuple(Fraction(int(over), int(under)) for over, under in arrays["times"]),
            arrays["present"].astype(bool),
            arrays["cameras"].astype(np.float64),
            arrays["shapes"].astype(np.float32),
            arrays["expressions"].astype(np.float32),
            width,
            height,
            (arrays["landmarks"] / np.float32(_STEPS)).astype(np.float32) if "landmarks" in arrays else None,
        )


@dataclass(frozen=True, eq=False)
class RecordedMotion:
    """A motion template as what a face does through a clip (``types.Performance``), of which no picture is known."""

    template: MotionTemplate

    @property
    def times(self) -> Sequence[Fraction]:
        """Presentation times of the frames, seconds."""
        return self.template.times

    @property
    def lost(self) -> int:
        """Frames that do not show the face."""
        return int(np.count_nonzero(~self.template.present))

    def glimpse(self, index: int) -> Glimpse | None:
        """Nothing: the footage was not kept."""
        return None
