"""The morphable model on the faces of a clip: fitted once a frame, smooth in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from faceloom.methods.memo import FrameMemo
from faceloom.perceive.morphable import (
    MorphableModel,
    MorphableParameters,
    MorphableRegressor,
    MotionTemplate,
    adjust_to_landmarks,
    smooth_motion,
)
from faceloom.types import Face, Frame, Image, Points


@dataclass(frozen=True, eq=False)
class FaceFitter:
    """Fits the model to faces and remembers the last frames of each person."""

    model: MorphableModel
    regressor: MorphableRegressor
    _memo: FrameMemo[MorphableParameters] = field(default_factory=FrameMemo)

    @property
    def deviation(self) -> NDArray[np.float32]:
        """(10,) how much each coefficient of the expression varies."""
        return self.regressor.expression_deviation

    def fit(self, image: Image, landmarks: Points) -> MorphableParameters:
        """The face at ``landmarks`` ((478, 2 or 3) pixels) of ``image`` ((H, W, 3) uint8), in pixels of that image."""
        found = self.regressor.from_landmarks(image, landmarks)
        return adjust_to_landmarks(self.model, found, landmarks, self.deviation)

    def track(
        self, frames: Sequence[Frame], faces: Sequence[Face | None], identity: NDArray[np.float32]
    ) -> MotionTemplate:
        """The faces of consecutive frames without jitter, all with the shape ``identity`` (40,).

        A frame comes out the same in every window that has ``MOTION_SUPPORT`` frames of context around it.
        """
        self._memo.forget_before(frames[0].index)
        found = [
            None
            if face is None
            else self._memo.get(face.track, frame.index, partial(self.fit, frame.image, face.landmarks))
            for frame, face in zip(frames, faces, strict=True)
        ]
        motion = MotionTemplate.of(found, [frame.time for frame in frames], frames[0].width, frames[0].height)
        return smooth_motion(motion, identity=identity)

    def forget(self, person: int) -> None:
        """Drop everything of a person: another clip begins."""
        self._memo.forget(person)
