"""Names for faces: embeddings against a gallery, one person for each face and one face for each person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceloom.perceive.association import best_assignment
from faceloom.perceive.gallery import Embedding, Gallery

RECOGNISED = 0.52
"""Cosine from which a face is taken for a known person. Stricter than the 0.363 of SFace's authors, for it decides
among all people of a clip: within real clips one person stays above 0.63, look-alikes reach 0.5."""
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

    def assign(
        self,
        embeddings: Sequence[Embedding],
        current: Sequence[int | None],
        people: Sequence[int],
        bonus: NDArray[np.float64],
        hidden: Sequence[bool],
    ) -> list[int | None]:
        """One id for each of F faces, no id twice.

        current  the name a face has so far, one of ``people``; None for a face just found.
        people   those who may be among the faces; nobody else in the gallery is.
        bonus    (F, len(people)): what the place in the picture adds to the cosine.
        hidden   faces that someone may stand in front of: recognised or None, never a new person.

        A named face that nobody is recognised in keeps its name, unless someone else took it or it is a stranger's.
        """
        scores = self.gallery.likenesses(embeddings, people)
        stays = np.array([[name == person for person in people] for name in current], dtype=bool).reshape(scores.shape)
        known = {r: people[c] for r, c in best_assignment(scores + bonus + _STAY * stays, RECOGNISED)}
        taken = set(known.values())
        names: list[int | None] = []
        for row, name in enumerate(current):
            if row in known:
                names.append(known[row])
            elif name is not None and name not in taken and scores[row][stays[row]].max() >= STRANGER:
                names.append(name)
            else:
                names.append(None if hidden[row] else self._new())
        return names

    def _new(self) -> int:
        self._next += 1
        return self._next - 1
