"""The example media, wherever faceloom was installed from."""

from __future__ import annotations

from pathlib import Path

import faceloom
from faceloom.errors import MediaError

TARGET = "target.mp4"
"""The example clip: a synthetic person who turns the head, blinks and talks."""
MOUTH = "portraits/person_17.jpg"
EYES = "portraits/person_04.jpg"
"""References that differ clearly from the person in the clip; see examples/README.md."""


def example(name: str) -> Path:
    """Path of an example file, for instance ``example("target.mp4")``.

    Looked for inside the installed package, then in ``examples/`` of the source tree that the package runs from.

    Raises:
        MediaError: it is in neither place.
    """
    package = Path(faceloom.__file__).resolve().parent
    places = [package / "examples" / name, package.parents[1] / "examples" / name]
    for place in places:
        if place.is_file():
            return place
    looked = " and ".join(str(place) for place in places)
    raise MediaError(f"{name}: the example file is missing; looked for {looked}. Install faceloom again.")
