"""Clips and references, see ``support.fixtures`` and ``support.perceived``."""

from support.fixtures import footage, real_clip, references
from support.perceived import perceived

__all__ = ["footage", "perceived", "real_clip", "references"]
