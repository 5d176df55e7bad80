"""Names for faces: embeddings against a gallery, one person for each face and one face for each person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceloom.perceive.association import best_assignment
from faceloom.perceive.gallery import Embedding, Gallery

SAME_PERSON = 0.4
"""Cosine from which two embeddings are one person (SFace: 0.363 by its authors; same people 0.7, others below 0.3)."""
DOUBT = 0.25
"""Cosine below which a face that was followed in one go may have become someone else's."""
STRANGER = 0.15
"""Cosine below which it has."""
_STAY = 0.1
"""What keeping the name counts, in cosine, when names are exchanged."""


class Identifier:
    """Gives out track ids: old ones to people who are recognised, new ones to the others."""

    def __init__(self) -> None:
        self.gallery = Gallery()
        self._next = 1

    def name(
        self,
        embeddings: Sequence[Embedding],
        people: Sequence[int],
        bonus: NDArray[np.float64],
        hidden: Sequence[bool],
    ) -> list[int | None]:
        """Ids of new faces. Known ``people`` are those who may be among them.

        bonus   (len(embeddings), len(people)): what the place in the picture adds to the cosine.
        hidden  faces that someone may stand in front of: recognised or None, never a new person, and nothing is
                learnt from how they look.
        """
        scores = self.gallery.likenesses(embeddings, people) + bonus
        known = {row: people[column] for row, column in best_assignment(scores, SAME_PERSON)}
        names: list[int | None] = []
        for row, (embedding, covered) in enumerate(zip(embeddings, hidden, strict=True)):
            name = known.get(row) or (None if covered else self._new())
            if name is not None and not covered:
                self.gallery.add(name, embedding)
            names.append(name)
        return names

    def exchange(self, embeddings: Sequence[Embedding], people: Sequence[int], away: Sequence[int]) -> list[int]:
        """Ids of faces whose names ``people`` are in doubt, among themselves and those who are ``away``.

        A face that is nobody's in particular keeps its name, unless someone else took it or it is a stranger's.
        """
        scores = self.gallery.likenesses(embeddings, [*people, *away])
        scores[:, : len(people)] += _STAY * np.eye(len(people))
        known = {row: [*people, *away][column] for row, column in best_assignment(scores, SAME_PERSON)}
        taken = set(known.values())
        names = []
        for row, person in enumerate(people):
            stays = person not in taken and scores[row, row] - _STAY >= STRANGER
            names.append(known.get(row) or (person if stays else self._new()))
        return names

    def _new(self) -> int:
        self._next += 1
        return self._next - 1
