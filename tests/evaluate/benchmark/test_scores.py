from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.footage import moving, write_video

from faceloom.errors import MediaError
from faceloom.evaluate.benchmark import export, scores
from faceloom.evaluate.benchmark.errors import BenchmarkError
from faceloom.evaluate.benchmark.export import ItemRecord
from faceloom.evaluate.benchmark.pair import score_pair
from faceloom.evaluate.benchmark.scores import Scoring, read_arrays, read_scores, score_file, score_run
from faceloom.evaluate.metrics.errors import MetricError
from faceloom.types import Attribute

QUICK = Scoring(("e_warp", "psnr"))


def test_scores_come_from_the_exports_alone(desk, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(desk.run, run)
    found = score_run(run, tmp_path / "report", QUICK)
    assert len(found) == 4
    for record in found:
        assert set(record.values) == {"e_warp", "psnr"} and not record.error
        assert 15 < record.values["psnr"] < 60 and record.values["e_warp"] > 0
    place = score_file(tmp_path / "report", next(export.item_folders(run)))
    assert read_arrays(place, "series")["e_warp"].shape == (5,)


def test_only_what_is_missing_is_computed(desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    true_score = scores.score_item

    def counting(item, networks, metrics):
        asked.append(tuple(metrics))
        return true_score(item, networks, metrics)

    monkeypatch.setattr(scores, "score_item", counting)
    first = score_run(desk.run, tmp_path, QUICK)
    assert asked == [("e_warp", "psnr")] * 4
    assert score_run(desk.run, tmp_path, QUICK) == first and len(asked) == 4
    more = score_run(desk.run, tmp_path, Scoring(("psnr", "pose_error")))
    assert asked[4:] == [("pose_error",)] * 4
    assert all({"e_warp", "psnr", "pose_error"} <= set(record.values) for record in more)
    place = score_file(tmp_path, next(export.item_folders(desk.run)))
    assert {"e_warp", "pose_error"} <= read_arrays(place, "series").keys()
    place.write_text("{")
    score_run(desk.run, tmp_path, QUICK)
    assert asked[8:] == [("e_warp", "psnr")] and read_scores(place).values["psnr"] is not None


def test_scores_of_an_older_result_are_made_again(desk, tmp_path: Path) -> None:
    score_run(desk.run, tmp_path, QUICK)
    folder = next(export.item_folders(desk.run))
    place = score_file(tmp_path, folder)
    old = read_scores(place).model_copy(update={"result": "0" * 64, "values": {"psnr": 1.0, "e_warp": 1.0}})
    place.write_text(old.model_dump_json())
    score_run(desk.run, tmp_path, QUICK)
    assert read_scores(place).values["psnr"] != 1.0


def test_metrics_without_weights_are_absent_with_the_reason(desk, tmp_path: Path) -> None:
    for record in score_run(desk.run, tmp_path, Scoring(("psnr", "clip_i"))):
        assert record.absent == {"clip_i": "n/a (needs clip-vit-l14)"} and "clip_i" not in record.values


def test_a_result_that_was_changed_is_named(desk, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(desk.run, run)
    result = next(export.item_folders(run)) / export.RESULT
    result.write_bytes(b"broken")
    with pytest.raises(MediaError, match=r"result\.mkv"):
        score_run(run, tmp_path / "report", QUICK)


def test_an_item_of_the_wrong_length_is_recorded_and_stops_nothing(desk, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(desk.run, run)
    folder = next(export.item_folders(run))
    record = export.read_record(folder / export.ITEM, ItemRecord)
    faces = run / "targets" / record.target / export.FACES
    export.save_faces(faces, export.load_faces(faces)[:-1])
    found = score_run(run, tmp_path / "report", QUICK)
    wrong = [one for one in found if one.error]
    assert len(wrong) == 2 and all("5 faces of the target and 6 of the result" in one.error for one in wrong)


def test_what_is_no_run_and_no_metric(desk, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="is no run"):
        score_run(tmp_path, tmp_path / "r", QUICK)
    with pytest.raises(MetricError, match="beauty"):
        score_run(desk.run, tmp_path / "r", Scoring(("beauty",)))


def test_a_pair_that_is_the_same_has_ideal_scores(portraits, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mkv", moving(portraits["person_01"], 6, 224))
    found = score_pair(clip, clip, Scoring(("rmse", "e_warp_ratio", "pose_error", "vgg_i")), part=Attribute.MOUTH)
    assert found.values["rmse"] == 0 and found.values["pose_error"] == pytest.approx(0, abs=1e-6)
    assert found.values["e_warp_ratio"] == pytest.approx(1)
    assert found.absent["vgg_i"] == "n/a (needs --reference)"


def test_a_pair_that_does_not_match(portraits, tmp_path: Path) -> None:
    pictures = moving(portraits["person_01"], 6, 224)
    clip = write_video(tmp_path / "a.mkv", pictures)
    short = write_video(tmp_path / "b.mkv", pictures[:5])
    small = write_video(tmp_path / "c.mkv", moving(portraits["person_01"], 6, 160))
    with pytest.raises(BenchmarkError, match=r"b\.mkv: has 5 frames.*has 6"):
        score_pair(clip, short, QUICK)
    with pytest.raises(BenchmarkError, match="160x160"):
        score_pair(clip, small, QUICK)


def test_a_pair_without_a_face(tmp_path: Path, footage) -> None:
    from faceloom.errors import FaceError

    with pytest.raises(FaceError, match=r"nobody\.mkv.*no face"):
        score_pair(footage.nobody, footage.nobody, QUICK)


def test_arrays_of_an_item_that_was_not_scored(tmp_path: Path) -> None:
    assert read_arrays(tmp_path / "x.json", "series") == {}
    (tmp_path / "x.npz").write_bytes(np.zeros(10).tobytes())
    with pytest.raises(MediaError, match=r"x\.npz"):
        read_arrays(tmp_path / "x.json", "series")
