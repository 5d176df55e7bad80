"""``faceloom train`` in processes of its own."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from support.command import COMMAND, environment, faceloom, listing
from support.training import MODEL, PORTRAITS

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
RECIPE = "\n".join(
    [
        "[model]",
        *(f"{name} = {value}" for name, value in MODEL.items()),
        "[data]",
        'hold_out = ["person_04"]',
        "[run]",
        "samples = 8",
        'precision = "fp32"',
        "log_every = 1",
        "[[stages]]",
        "size = 32",
        "batch = 4",
    ]
)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a recipe and four portraits."""
    (tmp_path / "tiny.toml").write_text(RECIPE)
    (tmp_path / "faces").mkdir()
    for number in range(1, 5):
        shutil.copy(PORTRAITS / f"person_{number:02d}.jpg", tmp_path / "faces")
    return tmp_path


def train(desk: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = ("train", "diffae", "--data", "faces", "--recipe", "tiny.toml", "-o", "out", "--device", "cpu")
    return faceloom(*command, *flags, cwd=desk, **ONE_THREAD)


def test_train_on_a_folder_of_pictures(desk: Path) -> None:
    done = train(desk)
    assert done.returncode == 0, done.stderr
    assert "out/faces: 3 faces for training, 1 held out, at 32 pixels" in done.stdout
    assert "out/last.ckpt: step 2, 8 pictures; loss" in done.stdout and "held-out" in done.stdout
    files = listing(desk / "out")
    assert {"last.ckpt", "log.csv", "model.safetensors", "sheet_0000002.png", "faces/index.json"} <= set(files)
    with (desk / "out" / "log.csv").open(newline="") as file:
        assert [line["step"] for line in csv.DictReader(file)] == ["1", "2"]

    again = train(desk)
    assert again.returncode == 2 and "exists already; go on with --resume" in again.stderr
    longer = train(desk, "--resume", "--samples", "16")
    assert longer.returncode == 0, longer.stderr
    assert "going on from out/last.ckpt: step 2" in longer.stderr and "step 4, 16 pictures" in longer.stdout

    measured = faceloom(
        "train", "reconstruct", "out/model.safetensors", "--data", "faces", "--aligned", "--steps", "10", "--json",
        cwd=desk, **ONE_THREAD,
    )  # fmt: skip
    assert measured.returncode == 0, measured.stderr
    (result,) = json.loads(measured.stdout)
    assert result["steps"] == 10 and result["faces"] == 4 and 0 < result["psnr"] < 60
    shown = faceloom(
        "train", "reconstruct", "out/last.ckpt", "--data", "faces", "--aligned", "--steps", "60", cwd=desk, **ONE_THREAD
    )
    assert shown.returncode == 2 and "60 steps cannot be spaced evenly" in shown.stderr


def test_an_interrupt_leaves_a_checkpoint(desk: Path) -> None:
    run = subprocess.Popen(
        [str(COMMAND), "train", "diffae", "--data", "faces", "--recipe", "tiny.toml", "-o", "out", "--aligned",
         "--samples", "1000000"],
        cwd=desk, env=environment(**ONE_THREAD), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    log, deadline = desk / "out" / "log.csv", time.monotonic() + 120
    while not (log.exists() and log.read_text().count("\n") > 2):
        assert run.poll() is None and time.monotonic() < deadline, "training is under way before it is stopped"
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 143
    assert "go on with the same command and --resume" in said and "Traceback" not in said
    step = torch.load(desk / "out" / "last.ckpt", weights_only=True)["global_step"]
    done = train(desk, "--resume", "--samples", str(4 * (step + 2)))
    assert done.returncode == 0 and f"step {step + 2}, {4 * (step + 2)} pictures" in done.stdout, done.stderr


def test_pack(desk: Path) -> None:
    (desk / "faces" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    done = faceloom(
        "train", "pack", "faces", "-o", "packed", "--size", "16", "--size", "32", "--hold-out", "*_02", "--aligned",
        cwd=desk,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "packed: 3 faces for training, 1 held out, at 16, 32 pixels" in done.stdout
    assert "broken.jpg" in done.stderr
    assert listing(desk / "packed") == ["faces_16.npy", "faces_32.npy", "index.json"]


@pytest.mark.parametrize(
    ("change", "flags", "code", "message"),
    [
        ("", ("--data", "nowhere"), 3, "nowhere: is not a folder"),
        ("", ("--data", "empty"), 3, "empty: there is no picture in it"),
        ("", ("--data", "walls"), 5, "walls: no face was found in any picture"),
        ("", ("--recipe", "none.toml"), 2, "cannot read the recipe none.toml"),
        ("[los]\n", (), 2, "unknown key 'los'; did you mean 'loss'?"),
        ("", ("--init", "none.ckpt"), 4, "no checkpoint at none.ckpt"),
    ],
)
def test_bad_input(desk: Path, change: str, flags: tuple[str, ...], code: int, message: str) -> None:
    (desk / "empty").mkdir()
    (desk / "walls").mkdir()
    Pillow.fromarray(np.full((64, 64, 3), 200, np.uint8)).save(desk / "walls" / "wall.png")
    (desk / "tiny.toml").write_text(change + RECIPE)
    done = train(desk, *flags)
    assert done.returncode == code, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (desk / "out" / "last.ckpt").exists()


def test_without_the_libraries(desk: Path) -> None:
    """As where faceloom was installed without its extra: torch cannot be found."""
    hidden = desk / "sitecustomize.py"
    hidden.write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name in ('torch', 'accelerate') else find(name, *rest)\n"
    )
    done = faceloom(
        "train", "diffae", "--data", "faces", "--recipe", "tiny.toml", "-o", "out", cwd=desk, PYTHONPATH=str(desk)
    )
    assert done.returncode == 1
    assert "training needs torch and accelerate" in done.stderr and "pip install 'faceloom[train]'" in done.stderr
