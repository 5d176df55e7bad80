"""``faceloom speed`` with a method that has networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from support.command import faceloom
from support.fixtures import Footage, References
from support.vpartswap import tiny_checkpoint

ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def arguments(tmp_path: Path, footage: Footage, references: References) -> tuple[str | Path, ...]:
    checkpoint = tiny_checkpoint(tmp_path)
    return (
        "speed", footage.plain, "-t", f"mouth={references.mouth}", "--method", "vpartswap", "--repeats", "1",
        "--end", "0.2", "--option", f"checkpoint={checkpoint}", "--option", "steps_render=4",
        "--option", "precision=float32", "--option", "device=cpu", "-q",
    )  # fmt: skip


def test_operations_and_stages(arguments: tuple[str | Path, ...], tmp_path: Path) -> None:
    result = faceloom(*arguments, "--json", cwd=tmp_path, **ONE_THREAD)
    assert result.returncode == 0, result.stderr
    measured = json.loads(result.stdout)
    unet, edit = measured["networks"]["UNet"], measured["edit"]["stage_seconds"]["edit"]
    assert measured["frames"] == 5
    # The reference and five frames; exact inversion begins with one pass more.
    assert unet["pictures"] == (1 + 5) * (4 + 1) + 5 * 4
    assert unet["flops"] == pytest.approx(unet["flops_per_picture"] * unet["pictures"])
    assert unet["flops_per_second"] == pytest.approx(unet["flops"] / unet["seconds"], rel=0.01)
    assert (unet["device"], unet["precision"]) == ("cpu", "float32") and unet["matrix_flops_per_second"] > 1e8
    assert measured["over_network"] == pytest.approx(edit / unet["seconds"], rel=0.01)
    assert {"encode", "invert", "UNet", "render"} <= measured["method_seconds"].keys()
    assert measured["method_seconds"]["invert"] < edit


def test_shown_as_tables(arguments: tuple[str | Path, ...], tmp_path: Path) -> None:
    shown = faceloom(*arguments, cwd=tmp_path, **ONE_THREAD).stdout
    for words in ("inside the method", "invert", "render", "GFLOP each", "of the matrix rate", "forward passes"):
        assert words in shown


def test_an_option_that_there_is_not(arguments: tuple[str | Path, ...], tmp_path: Path) -> None:
    wrong = faceloom(*arguments, "--option", "steps_rendr=4", cwd=tmp_path)
    assert wrong.returncode == 2 and "did you mean 'steps_render'?" in wrong.stderr
    shapeless = faceloom(*arguments, "--option", "steps_render", cwd=tmp_path)
    assert shapeless.returncode == 2 and "name=value" in shapeless.stderr
