"""``faceloom benchmark`` and ``faceloom evaluate`` in processes of their own, from videos to the report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.benchmark import FRAMES, write_sources
from support.command import COMMAND, environment, faceloom
from support.footage import Picture

from faceloom.errors import RecipeError
from faceloom.serve.commands.benchmark import parse_parts
from faceloom.types import Attribute
from faceloom.weights import Store

METHODS = "multiband,unwarped_paste"
ITEMS = "items/*/[!.]*/item.json"
BUILD = ("--targets", "2", "--refs-per-part", "1", "--parts", "mouth", "--min-frames", str(FRAMES), "--size", "128",
         "--min-face", "40", "--jobs", "1")  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, portraits: Mapping[str, Picture], store: Store) -> Path:
    """A folder with videos/, portraits/ and bench/."""
    folder = tmp_path_factory.mktemp("bench")
    write_sources(folder, portraits)
    built = faceloom("benchmark", "build", "videos", "-o", "bench", *BUILD, "--portraits", "portraits", cwd=folder)
    assert built.returncode == 0, built.stderr
    assert "2 targets; references: 1 mouth" in built.stdout
    return folder


@dataclass(frozen=True)
class Resumed:
    """A run that was killed and started again: what was finished before, with its time, and what was said then."""

    folder: Path
    finished: dict[Path, int]
    told: str


@pytest.fixture(scope="module")
def resumed(bench: Path) -> Resumed:
    out = bench / "run"
    command = [str(COMMAND), "benchmark", "run", "bench", "-o", "run", "--methods", METHODS, "-q", "--jobs"]
    process = subprocess.Popen([*command, "2"], cwd=bench, env=environment(), start_new_session=True)
    wait_for(lambda: bool(list(out.glob(ITEMS))))
    process.kill()
    process.wait()
    wait_for(lambda: not alive(process.pid), 20)
    finished = {file: file.stat().st_mtime_ns for file in out.glob(ITEMS)}
    done = faceloom(*command[1:], "1", cwd=bench)
    assert done.returncode == 0, done.stderr
    return Resumed(out, finished, done.stdout)


def wait_for(what: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def alive(group: int) -> bool:
    """Whether a process of the group is left: workers must not outlive what started them."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_run_goes_on_where_it_was(resumed: Resumed) -> None:
    kept = len(resumed.finished)
    assert 1 <= kept < 4
    assert f"{4 - kept} items made, {kept} kept" in resumed.told
    assert all(file.stat().st_mtime_ns == stamp for file, stamp in resumed.finished.items())
    assert len(list(resumed.folder.glob(ITEMS))) == 4 and not list(resumed.folder.rglob("*.partial*"))


def test_evaluate_writes_a_report_without_absolute_paths(resumed: Resumed) -> None:
    run = resumed.folder
    arguments = ("evaluate", "run", "-o", "report", "--metrics", "e_warp,e_warp_part,psnr,clip_i", "--jobs", "1", "-q")
    done = faceloom(*arguments, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert "4 items scored" in done.stdout and "CLIP-I: n/a (needs clip-vit-l14)" in done.stderr
    report = run.parent / "report"
    text = (report / "report.md").read_text()
    assert all(f"\n| {method} |".replace("_", "\\_") in text for method in METHODS.split(","))
    assert "n/a (needs clip-vit-l14)" in text and "gallery/" in text
    assert "data:image/png;base64," in (report / "report.html").read_text()
    for file in [*report.glob("*.*"), *run.rglob("*.json"), *report.rglob("scores/**/*.json")]:
        assert str(run.parent) not in file.read_text(), file
    before = (report / "report.md").read_bytes()
    again = faceloom(*arguments, cwd=run.parent)
    assert again.returncode == 0 and (report / "report.md").read_bytes() == before


def test_an_interrupted_run_says_that_it_can_go_on(bench: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [str(COMMAND), "benchmark", "run", "bench", "-o", str(out), "--methods", METHODS, "--jobs", "1"]
    # A shell without job control starts what runs in the background deaf to Ctrl-C, and children inherit that.
    process = subprocess.Popen(
        command,
        cwd=bench,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for(lambda: (out / "run.json").is_file())
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "finished items are kept" in told and "Traceback" not in told


def test_a_pair_is_scored_and_written(bench: Path, tmp_path: Path) -> None:
    target, result = bench / "videos" / "clip_0.mkv", tmp_path / "pair.json"
    pair = ("--target", target, "--result", target, "--part", "mouth", "--metrics", "rmse,ssim,vgg_i")
    done = faceloom("evaluate", *pair, "-o", result, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "n/a (needs --reference)" in done.stdout
    stored = json.loads(result.read_text())
    assert stored["values"] == {"rmse": 0.0, "ssim": pytest.approx(1.0)}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("benchmark", "build", "nothing", "-o", "b"), 2, "there is no video"),
        (("benchmark", "build", "videos", "-o", "b", "--min-frames", "500", "--jobs", "1"), 2, "fewer than 500"),
        (("benchmark", "run", "bench", "-o", "r", "--methods", "unwarped_past"), 2, "did you mean 'unwarped_paste'"),
        (("benchmark", "run", "broken", "-o", "r"), 3, "benchmark.json"),
        (("evaluate", "videos"), 3, "is no run"),
        (("evaluate", "--target", "videos/clip_0.mkv"), 2, "both --target and --result"),
        (("evaluate", "bench", "--flow", "guess"), 2, "dis or raft"),
        (("evaluate", "bench", "--weight", "arcface=nothing.onnx"), 2, "a file that exists"),
        (("evaluate", "bench", "--weight", "hopnet=bench/benchmark.json"), 2, "did you mean 'hopenet'"),
    ],
)
def test_bad_input(bench: Path, arguments: tuple[str, ...], code: int, told: str) -> None:
    (bench / "nothing").mkdir(exist_ok=True)
    (bench / "broken").mkdir(exist_ok=True)
    (bench / "broken" / "benchmark.json").write_text('{"format": "faceloom-benchmark-1"}')
    done = faceloom(*arguments, cwd=bench)
    assert done.returncode == code, done.stderr
    assert told in done.stderr and "Traceback" not in done.stderr
    assert not (bench / "r").exists() and not (bench / "b" / "benchmark.json").exists()


def test_words_that_are_no_part_or_metric() -> None:
    assert parse_parts("mouth, eyes,mouth") == (Attribute.MOUTH, Attribute.EYES)
    for text in ("hair", ",", "mouth,left_eye"):
        with pytest.raises(RecipeError, match="--parts"):
            parse_parts(text)
