"""Patches to frames."""

from faceloom.compose.paste import paste

__all__ = ["paste"]
