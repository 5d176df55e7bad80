"""Motion templates: what a face does through a clip in a small file, and such a file in the place of a driving clip."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from faceloom.errors import FaceError
from faceloom.media import ClipInfo, probe
from faceloom.media.colour import LIMITED, ColourTags, Matrix
from faceloom.media.formats import PlaneFormat
from faceloom.perceive import Perception
from faceloom.perceive.morphable import (
    MORPHABLE_WEIGHTS,
    MorphableRegressor,
    MotionTemplate,
    RecordedMotion,
    read_morphable_model,
    split_camera,
)
from faceloom.run.performance import read_performance
from faceloom.types import Face, Source
from faceloom.weights import Store

WEIGHTS = ("face_landmarker", "yunet", "sface", *MORPHABLE_WEIGHTS)
"""Weights that recording needs."""
_SUFFIX = ".npz"
_TICK = Fraction(1, 90000)
_HD = 1
"""H.273 code point of BT.709."""


def is_motion(path: Path) -> bool:
    """Whether ``path`` is named as a motion template is."""
    return path.suffix.lower() == _SUFFIX


def record_clip(path: Path, store: Store) -> tuple[MotionTemplate, list[str]]:
    """What the most prominent face of a clip does, and what a person should know about it.

    Raises ``MediaError`` when the clip cannot be read, ``FaceError`` when nobody is seen in it.
    """
    # Imported here: every edit reads this file, and few record.
    from faceloom.methods.unifacegan.driver import record_motion
    from faceloom.methods.unifacegan.fitting import FaceFitter

    info = probe(path)
    source, remarks = read_performance(path, Perception(store))
    if source.performance is None:
        raise FaceError(f"{path}: no face was found; use a clip that shows one from the front")
    fitter = FaceFitter(read_morphable_model(store), MorphableRegressor(store))
    motion, _ = record_motion(source.performance, fitter)
    return replace(motion, width=info.width, height=info.height), remarks


def read_motion(path: Path) -> tuple[Source, list[str]]:
    """A motion template as a source that drives, and what a person should know about it.

    Its picture is a single black pixel: there is none. Raises ``MediaError`` when the file cannot be read,
    ``FaceError`` when it has no landmarks of a face.
    """
    template = MotionTemplate.load(path)
    seen = [index for index in range(len(template)) if template.points(index) is not None]
    points = template.points(seen[0]) if seen else None
    if points is None:
        raise FaceError(f"{path}: no landmarks of a face in this motion template; record it with `faceloom motion`")
    pose = np.eye(4)
    pose[:3, :3] = split_camera(template.cameras[seen[0]])[1]
    face = Face(points.astype(np.float32), np.zeros(52, np.float32), pose, 1.0)
    recorded, remarks = RecordedMotion(template), []
    if recorded.lost:
        remarks.append(f"{path}: the face is lost in {recorded.lost} of {len(template)} frames; the last look holds")
    return Source(path, np.zeros((1, 1, 3), np.uint8), face, recorded), remarks


def driving_info(path: Path) -> ClipInfo:
    """``probe``, also of a motion template, which counts as a silent video. Raises ``MediaError``, ``FaceError``."""
    if not is_motion(path):
        return probe(path)
    template = MotionTemplate.load(path)
    times = template.times
    if not times:
        raise FaceError(f"{path}: there are no frames in this motion template; record it with `faceloom motion`")
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else Fraction(1, 25)
    return ClipInfo(
        path=path,
        kind="video",
        container="npz",
        codec="motion template",
        duration=times[-1] - times[0] + step,
        fps=1 / step,
        frame_count=len(times),
        width=template.width,
        height=template.height,
        rotation=0,
        mirrored=False,
        variable_frame_rate=False,
        pixel_format="yuv420p",
        bit_depth=8,
        colour=ColourTags(_HD, _HD, _HD, LIMITED),
        planes=PlaneFormat("yuv", 8, 2, 2),
        matrix=Matrix(_HD, full=False),
        time_base=_TICK,
    )
