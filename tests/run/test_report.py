from __future__ import annotations

import json
import threading
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from faceloom.errors import MediaError
from faceloom.run.recipe import build_recipe
from faceloom.run.report import Report, StageTimes, describe_recipe, versions
from faceloom.types import Attribute, Recipe


def test_stages_add_up_over_threads() -> None:
    times = StageTimes()

    def work() -> None:
        with times("work"):
            time.sleep(0.02)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with times("other"):
        pass
    assert times.seconds["work"] >= 0.06 and 0 <= times.seconds["other"] < 0.02


def test_a_stage_that_fails_is_timed_too() -> None:
    times = StageTimes()
    with pytest.raises(ZeroDivisionError), times("bad"):
        time.sleep(0.01)
        _ = 1 / 0
    assert times.seconds["bad"] >= 0.01


def test_json_has_every_field(tmp_path: Path) -> None:
    report = Report("t.mp4", "ö.mp4", {"take": {}}, "multiband", warnings=["ß"])
    report.write(tmp_path / "r.json")
    read = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert set(read) == {field.name for field in fields(Report)}
    assert read["output"] == "ö.mp4" and read["warnings"] == ["ß"]
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_a_described_recipe_can_be_read_again() -> None:
    recipe = Recipe(
        {Attribute.NOSE: Path("a.jpg")},
        method="multiband",
        strength=0.25,
        face="3",
        reference_face=2,
        seed=9,
        options={"x": 1},
    )
    values = json.loads(json.dumps(describe_recipe(recipe)))
    assert build_recipe(values) == recipe
    retouching = Recipe(take={}, retouch=("acne", "shine"))
    assert build_recipe(json.loads(json.dumps(describe_recipe(retouching)))) == retouching


def test_versions_are_those_installed() -> None:
    found = versions()
    assert found["numpy"] == np.__version__ and "python" in found and "faceloom" in found


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="the report cannot be written"):
        Report("t", "o", {}, "m").write(tmp_path / "none" / "r.json")
