"""The worst items of each metric: reference, target and result where the metric says that it is worst."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow

from faceloom.evaluate.benchmark import export
from faceloom.evaluate.benchmark.lossless import read_pictures
from faceloom.evaluate.benchmark.methods import MethodSpec
from faceloom.evaluate.metrics.registry import MetricSpec
from faceloom.evaluate.report.data import Results, Row
from faceloom.evaluate.report.document import Picture, Section
from faceloom.evaluate.report.tables import number
from faceloom.media import read_image
from faceloom.types import Image

FOLDER = "gallery"
METRICS = ("e_warp_part", "flicker", "pose_error", "expression_error", "clip_i", "vgg_i", "identity_outside")
WORST = 3
_SIDE = 176


def draw_gallery(
    results: Results, run: Path, folder: Path, series: Callable[[Row], Mapping[str, Any]]
) -> list[Section]:
    """Write the thumbnails into ``folder``/gallery: a section with the ``WORST`` items of each metric there is."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    specs = {spec.name: spec for spec in results.metrics}
    pictures: list[Picture] = []
    for name in METRICS:
        if name in specs:
            pictures += [_draw(specs[name], row, run, folder, series(row)) for row in worst(results, specs[name])]
    if not pictures:
        return []
    text = "From left to right: reference, target, result; the frame in which the metric is worst, where it says so."
    return [Section("Failure gallery", [text], (), pictures)]


def worst(results: Results, spec: MetricSpec, count: int = WORST) -> list[Row]:
    """The items with the worst values of a metric, worst first; of equal ones the first by name."""
    known = [(value, row) for row in results.rows if (value := row.values.get(spec.name)) is not None]
    sign = -1.0 if spec.direction == "lower" else 1.0
    known.sort(key=lambda pair: (sign * pair[0], pair[1].method, pair[1].id))
    return [row for _, row in known[:count]]


def _draw(spec: MetricSpec, row: Row, run: Path, folder: Path, series: Mapping[str, Any]) -> Picture:
    item = run / "items" / MethodSpec(row.method, "").slug / row.id
    target = run / "targets" / row.target / export.CROP
    frames = export.read_record(item / export.ITEM, export.ItemRecord).frames
    index = worst_frame(spec, series, frames)
    reference = read_image(run / "references" / f"{row.reference}.png")
    strip = np.hstack([_small(one) for one in (reference, _frame(target, index), _frame(item / export.RESULT, index))])
    file = f"{FOLDER}/{spec.name}.{MethodSpec(row.method, '').slug}.{row.id}.jpg"
    Pillow.fromarray(strip).save(folder / file, quality=88)
    text = f"{spec.title} {number(row.values[spec.name])}: {row.method}, clip {row.target}, {row.part}, frame {index}."
    return Picture(file, text)


def worst_frame(spec: MetricSpec, series: Mapping[str, Any], frames: int) -> int:
    """Where the metric's own series is worst; the middle of the clip for a metric without one.

    A value between two frames belongs to the first of them.
    """
    values = np.asarray(series.get(spec.name, ()), float)
    if not values.size or np.isnan(values).all():
        return frames // 2
    return min(int(np.nanargmax(values) if spec.direction == "lower" else np.nanargmin(values)), frames - 1)


def _frame(path: Path, index: int) -> Image:
    with closing(read_pictures(path)) as pictures:
        return next(islice(pictures, index, None))


def _small(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)
