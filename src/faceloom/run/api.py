"""One function for Python users."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from faceloom.media.reader import Seconds
from faceloom.run.pipeline import Output, Progress, edit_clip
from faceloom.run.recipe import build_recipe
from faceloom.run.report import Report
from faceloom.weights import Store

PathLike = str | os.PathLike[str]


def edit(
    target: PathLike,
    out: PathLike,
    *,
    take: Mapping[str, PathLike] | None = None,
    retouch: str | Sequence[str] = (),
    method: str | None = None,
    strength: float = 1.0,
    face: str | int = "largest",
    reference_face: int | None = None,
    occlusion: str = "colour",
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    codec: str = "h264",
    crf: int | None = None,
    preset: str | None = None,
    overwrite: bool = False,
    start: Seconds | None = None,
    end: Seconds | None = None,
    allow_partial: bool = False,
    audio: Literal["target", "driver"] = "target",
    show_mask: PathLike | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Report:
    """Edit a video or picture: ``edit("t.mp4", "o.mp4", take={"mouth": "ref.jpg"})`` or ``retouch="acne"``.

    Args:
        target: video or picture to edit.
        out: file to write; a video for a video, a picture for a picture.
        take: attribute (``mouth``, ``eyes``, ``left_eye``, ``nose``, ``eyebrows``, ...) -> reference picture.
        retouch: what is to go, in English words, such as "acne on the right cheek"; or "all". Instead of ``take``.
        method: name of the method, or None for the first that can do this.
        strength: 0 keeps the target, 1 applies the edit in full.
        face: "largest", "all", or a track id as shown by ``faceloom inspect``.
        reference_face: which face of a reference with several, counted from the left, starting at 1.
        occlusion: "colour", or "parser" to also ask a face parsing network (needs torch) what covers the face.
        seed: seed of every stochastic step.
        options: settings of the method.
        codec, crf, preset, overwrite, start, end, allow_partial, audio, show_mask: see ``Output``.
        store: where weights are; None for the default store. Missing weights are pulled.
        progress: called after every frame with frames done, frames expected (or None) and frames without the face.

    Returns:
        What was done, with warnings.

    Raises:
        FaceloomError: see ``edit_clip``.
    """
    recipe = build_recipe(
        {
            "take": {name: os.fspath(path) for name, path in (take or {}).items()},
            "retouch": retouch if isinstance(retouch, str) else list(retouch),
            "method": method,
            "strength": float(strength),
            "face": face,
            "reference_face": reference_face,
            "occlusion": occlusion,
            "seed": seed,
            "options": dict(options or {}),
        },
        where="edit()",
    )
    mask = None if show_mask is None else Path(show_mask)
    output = Output(codec, crf, preset, overwrite, start, end, allow_partial, audio=audio, show_mask=mask)
    return edit_clip(recipe, target, out, output, store=store, progress=progress)
