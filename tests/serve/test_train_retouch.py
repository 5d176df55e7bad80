"""``faceloom train langbrt`` and ``faceloom train blemishes`` in processes of their own."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from support.command import faceloom, listing
from support.training import PORTRAITS

from faceloom.serve.training import beginning
from faceloom.weights import Store

CLIP = Path(__file__).parents[1] / "data" / "perceive" / "clip_tiny"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
RECIPE = """
[model]
image_size = 64
widths = [8, 16]
blocks = [1, 1]
detect_width = 8
depth = 2
heads = 2
window = 4
critic_widths = [8, 16]
[data]
hold_out = ["person_04"]
[blemishes]
parser = false
[retouch]
perceptual = "none"
[run]
samples = 4
precision = "fp32"
log_every = 1
[[stages]]
size = 64
batch = 2
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a recipe and four portraits."""
    pytest.importorskip("tokenizers")
    (tmp_path / "tiny.toml").write_text(RECIPE)
    (tmp_path / "faces").mkdir()
    for number in range(1, 5):
        shutil.copy(PORTRAITS / f"person_{number:02d}.jpg", tmp_path / "faces")
    return tmp_path


def train(desk: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = ("train", "langbrt", "--data", "faces", "--recipe", "tiny.toml", "-o", "out", "--device", "cpu")
    return faceloom(*command, "--aligned", *flags, cwd=desk, **ONE_THREAD)


def test_train_and_resume(desk: Path) -> None:
    done = train(desk, "--share", "0.5")
    assert done.returncode == 0, done.stderr
    assert "out/faces: 3 faces for training, 1 held out, at 64 pixels" in done.stdout
    assert "step 2, 4 pairs; loss" in done.stdout and "out/model.safetensors: for use" in done.stdout
    assert {"last.ckpt", "log.csv", "model.safetensors", "faces/anatomy.npz", "sheet_0000002.png"} <= set(
        listing(desk / "out")
    )
    again = train(desk)
    assert again.returncode == 2 and "go on with --resume" in again.stderr
    longer = train(desk, "--resume", "--samples", "8", "--workers", "1")
    assert longer.returncode == 0, longer.stderr
    assert "step 4, 8 pairs" in longer.stdout


def test_another_text_encoder_and_weights_to_begin_with(desk: Path) -> None:
    done = train(desk, "--text-encoder", str(CLIP), "--samples", "2")
    assert done.returncode == 0, done.stderr
    flags = ("--data", "out/faces", "--recipe", "tiny.toml", "--device", "cpu", "--init", "out/model.safetensors")
    begun = faceloom("train", "langbrt", *flags, "-o", "two", "--text-encoder", str(CLIP), cwd=desk, **ONE_THREAD)
    assert begun.returncode == 0, begun.stderr
    assert "beginning with out/model.safetensors, weights for use" in begun.stderr and "step 2" in begun.stdout
    without = faceloom("train", "langbrt", *flags, "-o", "three", cwd=desk, **ONE_THREAD)
    assert without.returncode == 4 and "here 'minilm_int8'; --text-encoder FOLDER gives another" in without.stderr


def test_what_to_begin_with_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = Path("langbrt_small")
    assert beginning(name, quiet=True) == Store().path("langbrt_small")
    assert beginning(Path("none.ckpt"), quiet=True) == Path("none.ckpt") and beginning(None, quiet=True) is None
    name.touch()
    assert beginning(name, quiet=True) == name, "a file of that name is what was meant"


def test_limited_data(desk: Path) -> None:
    done = train(desk, "--limited-data", "--samples", "2", "-q")
    assert done.returncode == 0, done.stderr
    with (desk / "out" / "limited_data.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["share"]) for row in rows] == [0.01, 0.05, 0.1, 0.2, 1.0]
    assert all(float(row["ssim"]) > 0.5 and float(row["psnr_outside"]) > 30 for row in rows)
    assert all((desk / "out" / f"share_{part:03}" / "model.safetensors").is_file() for part in (1, 5, 10, 20, 100))
    both = train(desk, "--limited-data", "--share", "0.1")
    assert both.returncode == 2 and "leave out --share" in both.stderr


def test_real_pairs(desk: Path) -> None:
    (desk / "after").mkdir()
    for path in (desk / "faces").glob("*.jpg"):
        with Pillow.open(path) as picture:
            brighter = np.clip(np.asarray(picture).astype(int) + 6, 0, 255).astype(np.uint8)
        Pillow.fromarray(brighter).save(desk / "after" / f"{path.stem}.png")
    done = train(desk, "--after", "after")
    assert done.returncode == 0, done.stderr
    assert (desk / "out" / "faces" / "after_64.npy").is_file() and "step 2, 4 pairs" in done.stdout
    (desk / "after" / "person_02.png").unlink()
    missing = faceloom(
        "train", "langbrt", "--data", "faces", "--after", "after", "--recipe", "tiny.toml", "-o", "other",
        cwd=desk, **ONE_THREAD,
    )  # fmt: skip
    assert missing.returncode == 3 and "person_02.jpg: has no retouched version in after" in missing.stderr


def test_a_sheet_of_blemishes(desk: Path) -> None:
    flags = ("--data", "faces", "--sheet", "sheet.png", "--size", "128", "--count", "2", "--colour-skin")
    done = faceloom("train", "blemishes", *flags, "--kind", "acne", "--kind", "dark circles", cwd=desk, **ONE_THREAD)
    assert done.returncode == 0, done.stderr
    with Pillow.open(desk / "sheet.png") as sheet:
        assert sheet.size == (5 * 128, 2 * 128)
    wrong = faceloom("train", "blemishes", *flags, "--kind", "acme", cwd=desk, **ONE_THREAD)
    assert wrong.returncode == 2 and "unknown kind 'acme'; did you mean 'acne'?" in wrong.stderr


def test_bad_recipes(desk: Path) -> None:
    (desk / "tiny.toml").write_text(RECIPE + "[augment]\nrotate = 5\n")
    moved = train(desk)
    assert moved.returncode == 2 and "pairs are not moved" in moved.stderr and "Traceback" not in moved.stderr
