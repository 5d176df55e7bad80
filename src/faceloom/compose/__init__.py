"""Patches to frames."""

from faceloom.compose.occlusion import behind
from faceloom.compose.paste import paste

__all__ = ["behind", "paste"]
