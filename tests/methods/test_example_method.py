"""The example method, installed as a stranger would install it, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.command import faceloom
from support.fixtures import Footage, References
from support.footage import planes

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "method"


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the example installed in it."""
    folder = tmp_path_factory.mktemp("plugins")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--target", folder, EXAMPLE], check=True, capture_output=True, text=True)
    return str(folder)


def test_it_is_short() -> None:
    assert len((EXAMPLE / "tint.py").read_text().splitlines()) <= 60


def test_the_page_shows_it_as_it_is() -> None:
    page = (ROOT / "docs" / "adding-a-method.md").read_text()
    blocks = re.findall(r"```(?:python|toml)\n(.*?)```", page, re.DOTALL)
    assert (EXAMPLE / "tint.py").read_text() in blocks
    assert (EXAMPLE / "pyproject.toml").read_text() in blocks


def test_it_is_listed(plugins: str, tmp_path: Path) -> None:
    listed = faceloom("methods", cwd=tmp_path, PYTHONPATH=plugins)
    assert listed.returncode == 0
    assert "tint" in listed.stdout and "multiband" in listed.stdout and "eyebrows" in listed.stdout
    assert "tint" not in faceloom("methods", cwd=tmp_path).stdout


def test_it_edits(plugins: str, tmp_path: Path, footage: Footage, references: References) -> None:
    result = faceloom(
        "edit", footage.plain, "-o", "o.mkv", "-t", f"mouth={references.mouth}", "--method", "tint", "--codec", "ffv1",
        cwd=tmp_path, PYTHONPATH=plugins,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    before, after = planes(footage.plain), planes(tmp_path / "o.mkv")
    moved = [np.abs(old[2].astype(int) - new[2]) for old, new in zip(before, after, strict=True)]
    assert all(plane.max() > 2 for plane in moved), "the colour of the lips has changed"
    assert all((plane > 0).mean() < 0.1 for plane in moved), "and nothing else has"


@pytest.mark.parametrize("option", ["amount=3", "amount=much", "shine=1"])
def test_it_checks_its_options(
    plugins: str, tmp_path: Path, footage: Footage, references: References, option: str
) -> None:
    result = faceloom(
        "edit", footage.plain, "-o", "o.mkv", "-t", f"mouth={references.mouth}", "--method", "tint",
        "--option", option, cwd=tmp_path, PYTHONPATH=os.pathsep.join([plugins]),
    )  # fmt: skip
    assert result.returncode == 2 and "one option: amount" in result.stderr
    assert list(tmp_path.iterdir()) == []
