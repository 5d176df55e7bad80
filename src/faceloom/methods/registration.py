"""Where a reference's part really lies: the part must be found where the person's own was.

Landmarks of two pictures do not quite mean the same points. The landmark network places all of a face together, and
make-up, light and the shape of the rest move its answer by one to three per cent of the distance between the eyes. A
part that is placed by them sits so much too high, low or aside; and on the result the network moves everything else
too, as if the head had turned. So the part is put into a frame and looked for, and its landmarks in the reference are
moved by what is missing, until it is found in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale, visibility
from faceloom.geometry.similarity import fit_affine, fit_similarity, transform
from faceloom.methods.part_reference import PartReference, at_landmarks
from faceloom.perceive import Perception
from faceloom.types import Face, Image, Part, Points

_TRIES = 3
"""How often a part is put into the frame and looked for, at most."""
_GAIN = 2.0
"""Landmarks are moved by so many times what is missing: the network's answer follows a part only half-way."""
_ENOUGH = 0.004
"""Inter-ocular distances: mean error up to which nothing is corrected. Lips put back into their own picture, teeth
painted over, are already found off by up to 0.0033."""
_MOST = {Part.MOUTH: 0.03, Part.NOSE: 0.03, Part.LEFT_EYEBROW: 0.011, Part.RIGHT_EYEBROW: 0.011}
"""The parts that are registered, and the furthest that any of their landmarks is moved, in inter-ocular distances.

Where thin brows replace bushy ones the network goes by their hair, and further they would look out of place. Eyes are
not registered: their lids and irises lie where the target's are, layer by layer.
"""
_CONFIDENT, _FACING, _CLEAR, _LARGE = 0.8, 0.95, 0.3, 20.0
"""A frame serves if its landmarks are at least so sure, the part faces the camera, no more of it is covered, and the
eyes are so many pixels apart: landmarks of smaller faces err by more than is to be corrected."""

_LIP_LINES = (
    t.UPPER_LIP_OUTER, t.UPPER_LIP_MIDDLE, t.UPPER_LIP_INNER, t.LOWER_LIP_OUTER, t.LOWER_LIP_MIDDLE, t.LOWER_LIP_INNER,
)  # fmt: skip
_POINTS: dict[Part, list[int]] = {
    Part.MOUTH: sorted({index for line in _LIP_LINES for index in line}),
    Part.NOSE: list(t.NOSE_POINTS),
    Part.LEFT_EYEBROW: [*t.LEFT_EYEBROW_UPPER, *t.LEFT_EYEBROW_LOWER],
    Part.RIGHT_EYEBROW: [*t.RIGHT_EYEBROW_UPPER, *t.RIGHT_EYEBROW_LOWER],
}
"""What is looked for of each part."""

Draw = Callable[[PartReference], Image | None]
"""The frame with this part in it, (H, W, 3) uint8; None where it cannot be seen."""


@dataclass(frozen=True, eq=False)
class Registrar:
    """Registers a part of a reference to the people of a clip, each once a shot.

    reference   the part with its landmarks as found in the reference.
    perception  for its landmark network, which is loaded when a part is registered first.
    """

    reference: PartReference
    perception: Perception
    _known: dict[int, PartReference] = field(default_factory=dict)

    def registered(self, image: Image, face: Face, covered: float, draw: Draw) -> PartReference:
        """The reference as it is to be placed on a person in this frame. To be asked frame by frame.

        It is registered in the first frame that shows the person's own part well, and until then placed as it is.

        Args:
            image: (H, W, 3) uint8, the frame.
            face: the person in it.
            covered: how much of the part is hidden, 0 to 1.
            draw: puts the part into this frame.
        """
        person = face.track
        if person not in self._known and self._serves(face, covered):
            found = self._register(image, face, draw)
            if found is not None:
                self._known[person] = found
        return self._known.get(person, self.reference)

    def forget(self, person: int) -> None:
        """Drop what is known of a person: another shot or clip begins."""
        self._known.pop(person, None)

    def _serves(self, face: Face, covered: float) -> bool:
        part = self.reference.part
        sure = face.confidence >= _CONFIDENT and face_scale(face.landmarks) >= _LARGE
        return part in _MOST and sure and visibility(part, face.pose) >= _FACING and covered <= _CLEAR

    def _register(self, image: Image, face: Face, draw: Draw) -> PartReference | None:
        """The reference with the landmarks that brought its part nearest to its place; None if it was not found."""
        find = self.perception.landmarker.from_landmarks
        search = _Search(self.reference.part, self.reference.landmarks)
        before = find(image, face.landmarks).landmarks
        for _ in range(_TRIES):
            picture = draw(replace(self.reference, landmarks=search.tried))
            # In the same region as before, or the network would answer to another crop as well.
            after = None if picture is None else find(picture, face.landmarks)
            if after is None or after.confidence < _CONFIDENT:
                return None
            search.learn(before, after.landmarks)
            if search.done:
                break
        return at_landmarks(self.reference, search.best)


class _Search:
    """The search for the place of one part: steps from the best so far, shorter ones after one that led astray.

    tried  landmarks of the reference to be tried next; best  the best so far; done  True where no more need be tried.
    """

    def __init__(self, part: Part, start: NDArray[np.float64]) -> None:
        self.tried = self.best = self._start = start
        self.done = False
        self._part, self._points = part, _POINTS[part]
        self._least, self._gain = np.inf, _GAIN
        self._missing = np.zeros((len(self._points), 2))

    def learn(self, before: Points, after: Points) -> None:
        """Take in what was found of ``tried``: landmarks of the frame without it and with it, frame pixels."""
        missing = self._missed(before, after)
        error = float(np.hypot(missing[:, 0], missing[:, 1]).mean())
        if error < self._least:
            self.best, self._least, self._missing = self.tried, error, missing
        else:
            self._gain *= 0.5
        self.done = self._least <= _ENOUGH
        self.tried = self.best if self.done else self._moved(self._gain * self._missing)

    def _missed(self, before: Points, after: Points) -> NDArray[np.float64]:
        """How far each landmark is off its place: (K, 2) inter-ocular distances along the axes of the reference."""
        away = (after[self._points, :2] - before[self._points, :2]).astype(np.float64) / face_scale(before)
        # As complex numbers, turning is a product.
        turned = (away[:, 0] + 1j * away[:, 1]) * _across(self._start) / _across(before)
        return np.stack([turned.real, turned.imag], axis=-1)

    def _moved(self, by: NDArray[np.float64]) -> NDArray[np.float64]:
        """The best so far with the landmarks looked for moved by ``by`` (K, 2), inter-ocular distances, as one."""
        points, landmarks, scale = self._points, self._start.copy(), face_scale(self._start)
        # Lips differ in fullness too.
        fit = fit_affine if self._part == Part.MOUTH else fit_similarity
        change = fit(landmarks[points, :2], self.best[points, :2] + scale * by)
        # The skin around comes along, or it would be stretched.
        way = transform(change, landmarks[:, :2]) - landmarks[:, :2]
        furthest = float(np.hypot(way[points, 0], way[points, 1]).max())
        landmarks[:, :2] += way * min(1.0, _MOST[self._part] * scale / max(furthest, 1e-9))
        return landmarks


def _across(landmarks: Points) -> complex:
    """Direction from the right eye to the left one, as a complex number of length 1."""
    (a, b), (c, d) = t.LEFT_EYE_CORNERS, t.RIGHT_EYE_CORNERS
    across = complex(*(landmarks[a, :2] + landmarks[b, :2] - landmarks[c, :2] - landmarks[d, :2]).astype(float))
    return across / max(abs(across), 1e-9)
