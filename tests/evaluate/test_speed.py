from __future__ import annotations

from pathlib import Path

import pytest

from faceloom.evaluate.speed import SpeedResult, Timing, measure_speed
from faceloom.run import build_recipe


def test_medians_decide() -> None:
    alone = Timing(100, (2.0, 9.0, 1.0), {"decode": 0.5})
    edit = Timing(100, (3.0, 2.5, 40.0), {"decode": 0.5, "edit": 1.25})
    result = SpeedResult("clip.mp4", 64, 48, 100, alone, edit)
    assert (alone.median, edit.median, result.ratio) == (2.0, 3.0, 1.5)
    assert (alone.fps, edit.fps) == (50.0, pytest.approx(100 / 3))
    described = result.describe()
    assert described["ratio"] == 1.5 and described["edit"]["stage_seconds"] == {"decode": 0.5, "edit": 1.25}


def test_it_runs_at_least_once() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        measure_speed(build_recipe({"take": {"mouth": "a.jpg"}}), Path("clip.mp4"), repeats=0)
