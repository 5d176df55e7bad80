"""Pretrained weights: what exists, where it is, and whether it is what it claims to be."""

from faceloom.weights.progress import progress_bars
from faceloom.weights.records import WeightRecord, builtin_records, read_manifest
from faceloom.weights.store import Progress, Status, Store, default_home

__all__ = [
    "Progress",
    "Status",
    "Store",
    "WeightRecord",
    "builtin_records",
    "default_home",
    "progress_bars",
    "read_manifest",
]
