from __future__ import annotations

from pathlib import Path

import pytest

from faceloom.evaluate.compute import NetworkUse
from faceloom.evaluate.speed import SpeedResult, Timing, _result, _Run, measure_speed
from faceloom.methods.timing import Stage
from faceloom.run import build_recipe


def test_medians_decide() -> None:
    alone = Timing(100, (2.0, 9.0, 1.0), {"decode": 0.5})
    edit = Timing(100, (3.0, 2.5, 40.0), {"decode": 0.5, "edit": 1.25})
    result = SpeedResult("clip.mp4", 64, 48, 100, alone, edit)
    assert (alone.median, edit.median, result.ratio) == (2.0, 3.0, 1.5)
    assert (alone.fps, edit.fps) == (50.0, pytest.approx(100 / 3))
    described = result.describe()
    assert described["ratio"] == 1.5 and described["edit"]["stage_seconds"] == {"decode": 0.5, "edit": 1.25}
    assert described["networks"] == {} and described["over_network"] is None


def test_the_method_is_that_of_the_run_of_median_length(monkeypatch: pytest.MonkeyPatch) -> None:
    def used(stages: dict[str, Stage]) -> dict[str, NetworkUse]:
        return {
            name: NetworkUse(own.pictures, own.seconds, 1e9, "cpu", "float32", 1e11)
            for name, own in stages.items()
            if own.pictures
        }

    monkeypatch.setattr("faceloom.evaluate.speed.networks", used)

    def run(seconds: float, edit: float, unet: float) -> _Run:
        recorded = {"align": Stage(0.5, 1), "encode": Stage(0.1, 1, 4), "UNet": Stage(unet, 8, 40)}
        return _Run(seconds, {"edit": edit}, 10, recorded)

    result = _result("clip.mp4", (64, 48), [_Run(1.0, {}, 10)], [run(9, 8, 1), run(5, 4.5, 4), run(3, 2, 2)])
    assert result.edit.seconds == (9, 5, 3) and result.frames == 10
    assert result.stages == {"align": 0.5, "encode": 0.1, "UNet": 4}
    assert result.over_network == pytest.approx(4.5 / 4)  # of the costliest network, not of both
    assert result.describe()["networks"]["UNet"]["flops"] == 40e9


def test_a_method_without_networks() -> None:
    result = _result("clip.mp4", (64, 48), [_Run(1.0, {}, 10)], [_Run(2.0, {"edit": 1.0}, 10)])
    assert result.networks == {} and result.stages == {} and result.over_network is None


def test_it_runs_at_least_once() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        measure_speed(build_recipe({"take": {"mouth": "a.jpg"}}), Path("clip.mp4"), repeats=0)
