"""Which weights scored: names and SHA-256, for reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from faceloom.evaluate.benchmark.files import sha256_of
from faceloom.evaluate.benchmark.scores import Scoring
from faceloom.evaluate.metrics.registry import chosen
from faceloom.weights import Store

_FACES = ("face_landmarker", "yunet", "sface")


def scoring_weights(scoring: Scoring, absent: Iterable[str]) -> dict[str, str]:
    """Name -> SHA-256 of every weight that the metrics, the flow and the finding of faces look through."""
    store, files, missing = Store(), dict(scoring.files), set(absent)
    names = [name for spec in chosen(scoring.metrics) if spec.name not in missing for name in spec.needs]
    names += ["raft_things"] if scoring.flow == "raft" else []
    return {name: _hash(name, store, files) for name in sorted({*_FACES, *names})}


def _hash(name: str, store: Store, files: Mapping[str, Path]) -> str:
    return sha256_of(files[name]) if name in files else store.record(name).sha256
