"""A gallery of people: a few embeddings of each, by track id."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]
"""``(128,)`` float32 of unit length."""

_NOVEL = 0.8
"""Cosine below which an embedding shows the person in a new way (turned, lit, older) and is kept beside the others."""
_BLEND = 0.2


class Gallery:
    """Remembers how people look. Memory is bounded by ``exemplars`` embeddings for each person in it.

    The likeness of an embedding to a person is the largest cosine with that person's exemplars, so a face seen in
    profile is recognised by the exemplar in profile.
    """

    def __init__(self, exemplars: int = 6) -> None:
        if exemplars < 1:
            raise ValueError(f"exemplars must be >= 1, got {exemplars}")
        self._limit = exemplars
        self._people: dict[int, list[Embedding]] = {}

    def __contains__(self, person: int) -> bool:
        return person in self._people

    def __len__(self) -> int:
        return len(self._people)

    def add(self, person: int, embedding: Embedding) -> None:
        """Remember that ``person`` looks like this: as a new exemplar, or blended into the nearest one."""
        known = self._people.setdefault(person, [])
        likeness = [float(exemplar @ embedding) for exemplar in known]
        if not known or (max(likeness) < _NOVEL and len(known) < self._limit):
            known.append(embedding.astype(np.float32))
            return
        nearest = int(np.argmax(likeness))
        mixed = (1 - _BLEND) * known[nearest] + _BLEND * embedding
        known[nearest] = (mixed / max(1e-6, float(np.linalg.norm(mixed)))).astype(np.float32)

    def forget(self, person: int) -> None:
        """Remove a person; nothing happens if they are not known."""
        self._people.pop(person, None)

    def likeness(self, person: int, embedding: Embedding) -> float:
        """Largest cosine with the person's exemplars, in [-1, 1]; -1 for people not in the gallery."""
        return max((float(exemplar @ embedding) for exemplar in self._people.get(person, ())), default=-1.0)

    def likenesses(self, embeddings: Sequence[Embedding], people: Sequence[int]) -> NDArray[np.float64]:
        """``(len(embeddings), len(people))``: the likeness of each to each."""
        table = [[self.likeness(person, embedding) for person in people] for embedding in embeddings]
        return np.array(table, dtype=np.float64).reshape(len(embeddings), len(people))
