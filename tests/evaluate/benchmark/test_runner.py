from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from faceloom.errors import MediaError, RecipeError
from faceloom.evaluate.baselines import UnwarpedPaste
from faceloom.evaluate.benchmark import export
from faceloom.evaluate.benchmark.errors import BenchmarkError
from faceloom.evaluate.benchmark.export import ItemRecord
from faceloom.evaluate.benchmark.lossless import read_masks, read_pictures
from faceloom.evaluate.benchmark.methods import parse_methods
from faceloom.evaluate.benchmark.runner import run_benchmark
from faceloom.types import Attribute

BOTH = "multiband,unwarped_paste"


@pytest.fixture
def own(desk, tmp_path: Path) -> Path:
    """A copy of the run, to be changed."""
    shutil.copytree(desk.run, tmp_path / "run")
    return tmp_path / "run"


def records(run: Path) -> list[ItemRecord]:
    return [export.read_record(folder / export.ITEM, ItemRecord) for folder in export.item_folders(run)]


def test_every_method_edits_every_pair(desk) -> None:
    found = records(desk.run)
    assert len(found) == 4 and {record.status for record in found} == {"done"}
    by_method = {method: {one.id for one in found if one.method == method} for method in BOTH.split(",")}
    assert by_method["multiband"] == by_method["unwarped_paste"]
    run = export.read_run(desk.run)
    assert run.methods == tuple(BOTH.split(",")) and run.machine["cores"] >= 1
    assert {"face_landmarker", "yunet", "sface"} <= run.weights.keys()


def test_crops_differ_inside_the_mask_alone(desk) -> None:
    for folder in export.item_folders(desk.run):
        record = export.read_record(folder / export.ITEM, ItemRecord)
        target = desk.run / "targets" / record.target
        streams = (
            read_pictures(target / export.CROP),
            read_pictures(folder / export.RESULT),
            read_masks(export.mask_file(target, record.part)),
        )
        changes = 0
        for before, after, mask in zip(*streams, strict=True):
            changed = np.abs(before.astype(int) - after).max(axis=2) > 8
            changes += int(changed.sum())
            assert not changed[mask == 0].any()
        assert changes > 200


def test_faces_of_the_target_are_in_crop_pixels(desk) -> None:
    for folder in (desk.run / "targets").iterdir():
        faces = export.load_faces(folder / export.FACES)
        assert len(faces) == export.read_record(folder / export.TARGET, export.TargetRecord).frames
        assert all(face is not None and 40 < face.landmarks[4, 0] < 88 for face in faces)


def test_nothing_is_done_twice(desk, own: Path) -> None:
    times = {file: file.stat().st_mtime_ns for file in own.rglob("*.mkv")}
    steps = []
    summary = run_benchmark(desk.bench, own, parse_methods(BOTH), progress=lambda *step: steps.append(step))
    assert (summary.done, summary.failed, summary.kept) == (0, 0, 4) and not steps
    assert times == {file: file.stat().st_mtime_ns for file in own.rglob("*.mkv")}


def test_what_is_missing_is_made_again_and_is_the_same(desk, own: Path) -> None:
    lost = next(export.item_folders(own))
    before = (lost / export.RESULT).read_bytes()
    shutil.rmtree(lost)
    (lost.parent / f".{lost.name}.partial").mkdir()
    summary = run_benchmark(desk.bench, own, parse_methods(BOTH))
    assert (summary.done, summary.kept) == (1, 3)
    assert (lost / export.RESULT).read_bytes() == before
    assert not list(own.rglob("*.partial*"))


def test_a_failing_item_is_recorded_and_stops_nothing(desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self, window, faces, prepared):
        raise ValueError(f"no luck with {desk.bench}/references/x.png")

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(UnwarpedPaste, "apply", broken)
        summary = run_benchmark(desk.bench, run, parse_methods(BOTH))
    assert (summary.done, summary.failed) == (2, 2)
    failed = [record for record in records(run) if record.status == "failed"]
    assert {record.method for record in failed} == {"unwarped_paste"}
    assert {record.error for record in failed} == {"ValueError: no luck with references/x.png"}
    assert not list(run.rglob("edited.mkv"))
    assert run_benchmark(desk.bench, run, parse_methods(BOTH)).done == 0
    again = run_benchmark(desk.bench, run, parse_methods(BOTH), retry_failed=True)
    assert (again.done, again.failed, again.kept, again.errors) == (2, 0, 2, {})


def test_a_changed_video_stops_the_run_by_name(desk, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(desk.videos, videos)
    changed = videos / desk.manifest.targets[1].file
    changed.write_bytes(b"something else")
    with pytest.raises(MediaError, match=changed.name):
        run_benchmark(desk.bench, tmp_path / "run", parse_methods("multiband"), videos=videos)


def test_a_changed_reference_stops_the_run_by_name(desk, tmp_path: Path) -> None:
    bench = tmp_path / "bench"
    shutil.copytree(desk.bench, bench)
    changed = bench / desk.manifest.references[0].mask
    changed.write_bytes(b"something else")
    with pytest.raises(MediaError, match=changed.name):
        run_benchmark(bench, tmp_path / "run", parse_methods("multiband"), videos=desk.videos)


def test_a_run_belongs_to_one_benchmark(desk, own: Path) -> None:
    values = json.loads((own / export.RUN).read_text()) | {"benchmark": "0" * 64}
    (own / export.RUN).write_text(json.dumps(values))
    with pytest.raises(BenchmarkError, match="another benchmark"):
        run_benchmark(desk.bench, own, parse_methods(BOTH))


def test_a_folder_with_other_things_is_refused(desk, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(MediaError, match="is no run"):
        run_benchmark(desk.bench, tmp_path, parse_methods(BOTH))


def test_a_target_without_a_face_fails_its_items(desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from faceloom.evaluate.benchmark import targets

    monkeypatch.setattr(targets, "follow", lambda frames, perception: [None for _ in frames])
    summary = run_benchmark(desk.bench, tmp_path / "run", parse_methods("unwarped_paste"), limit=1)
    assert summary.failed == 1
    assert "no face was found in any frame" in records(tmp_path / "run")[0].error


def test_a_part_that_no_pool_has(desk, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="nose"):
        run_benchmark(desk.bench, tmp_path / "run", parse_methods(BOTH), parts=[Attribute.NOSE])


def test_an_unknown_method(desk) -> None:
    with pytest.raises(RecipeError, match="unknown method"):
        parse_methods("facewizard")
