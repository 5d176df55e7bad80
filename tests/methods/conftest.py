"""Clips and references, see ``support.fixtures``."""

from support.fixtures import footage, real_clip, references

__all__ = ["footage", "real_clip", "references"]
