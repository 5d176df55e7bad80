"""Make one item of a run: edit the clip itself, cut the result to the target's alignment, record what happened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceloom.errors import FaceloomError
from faceloom.evaluate.benchmark import export
from faceloom.evaluate.benchmark.editing import edit_losslessly
from faceloom.evaluate.benchmark.export import ItemRecord
from faceloom.evaluate.benchmark.files import sha256_of, whole_folder, without_paths
from faceloom.evaluate.benchmark.plan import Work
from faceloom.evaluate.benchmark.targets import check_length, crop_clip
from faceloom.run import Output
from faceloom.types import Recipe


@dataclass(frozen=True)
class ItemJob:
    """An item to make. ``problem`` is why its target could not be exported, "" if it was."""

    work: Work
    video: Path
    size: int
    bench: Path
    run: Path
    problem: str = ""


def make_item(job: ItemJob) -> ItemRecord:
    """Write the folder of an item, whatever comes of it."""
    pair, folder = job.work.pair, job.run / job.work.folder
    record = ItemRecord(
        id=pair.id,
        method=job.work.method.text,
        target=pair.target.id,
        part=pair.part,
        reference=pair.reference.id,
        status="failed",
        error=job.problem,
    )
    with whole_folder(folder) as partial:
        if not job.problem:
            record = _edit(job, partial, record)
        export.write_record(partial / export.ITEM, record)
    return record


def _edit(job: ItemJob, folder: Path, record: ItemRecord) -> ItemRecord:
    target, edited, result = job.work.pair.target, folder / "edited.mkv", folder / export.RESULT
    start, end = target.span
    try:
        recipe = recipe_of(job.work, job.bench)
        about = edit_losslessly(job.work.method, recipe, job.video, edited, Output("ffv1", start=start, end=end))
        matrices = np.load(job.run / "targets" / target.id / export.ALIGNMENT)
        check_length(about["frames"], target)
        frames = crop_clip(edited, target, matrices, job.size, result, edited=True)
        check_length(frames, target)
    except Exception as error:  # whatever a method does wrong concerns this item alone
        result.unlink(missing_ok=True)
        named = str(error) if isinstance(error, FaceloomError) else f"{type(error).__name__}: {error}"
        text = without_paths(named, folder, job.bench, job.run, job.video.parent)
        return record.model_copy(update={"error": text or type(error).__name__})
    finally:
        edited.unlink(missing_ok=True)
    about["warnings"] = [without_paths(text, job.bench, job.run) for text in about["warnings"]]
    update = {"status": "done", "frames": frames, "result": sha256_of(result), "edit": about}
    return record.model_copy(update=update)


def recipe_of(work: Work, bench: Path) -> Recipe:
    """The recipe of one edit, with the reference in the folder of the benchmark."""
    pair = work.pair
    take = {pair.part: bench / pair.reference.image}
    return Recipe(take, method=work.method.name, options=dict(work.method.options))
