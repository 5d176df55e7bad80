"""Edit faces in images and video: say which attribute comes from where, and faceloom weaves it in.

>>> import faceloom
>>> faceloom.edit("target.mp4", "out.mp4", take={"mouth": "ref.jpg"})  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faceloom.media import open_clip
    from faceloom.perceive import Perception
    from faceloom.run import Report, edit
    from faceloom.types import Recipe

__version__ = "0.1.0"
__all__ = ["Perception", "Recipe", "Report", "__version__", "edit", "open_clip"]

# Loaded on first use, so that `import faceloom` is instant and a layer can import the package without a cycle.
_HOMES = {
    "edit": "faceloom.run",
    "Report": "faceloom.run",
    "open_clip": "faceloom.media",
    "Perception": "faceloom.perceive",
    "Recipe": "faceloom.types",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'faceloom' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
