"""The example clip with the faces in it, see ``support.perceived``."""

from support.perceived import perceived

__all__ = ["perceived"]
