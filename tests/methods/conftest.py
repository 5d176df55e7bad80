"""Clips and references, see ``support.fixtures``."""

from support.fixtures import footage, references

__all__ = ["footage", "references"]
