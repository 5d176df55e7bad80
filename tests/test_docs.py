"""The examples of the README and the docs: those marked to be run are run, all others must at least be valid Python.

See "Examples in the docs" in docs/contributing.md.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from support.command import environment
from support.footage import Picture, moving, write_video

from faceloom.weights import Store

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^(?P<run><!-- run -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A fenced block of a page."""

    where: str
    language: str
    text: str
    run: bool


def examples(page: Path) -> Iterator[Example]:
    content = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(content):
        line = content.count("\n", 0, match.start("text"))
        yield Example(f"{page.name}:{line}", match["language"], match["text"], match["run"] is not None)


def pages_to_run() -> list[Path]:
    return [page for page in PAGES if any(example.run for example in examples(page))]


@pytest.fixture
def desk(tmp_path: Path, portraits: Mapping[str, Picture], store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the examples name: clip.mp4, photo.jpg, ref.jpg, other.jpg, edit.toml, and examples/."""
    frames = moving(portraits["person_01"], 30, 256)
    write_video(tmp_path / "clip.mp4", frames, codec="libx264", audio="aac", faststart=True)
    for name, person in (("photo", "person_02"), ("ref", "person_07"), ("other", "person_03")):
        Pillow.fromarray(portraits[person]).save(tmp_path / f"{name}.jpg", quality=92)
    (tmp_path / "edit.toml").write_text('[take]\nmouth = "ref.jpg"\n')
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_console(example: Example, folder: Path) -> None:
    """Every line that begins with ``$`` is a command; it must succeed. What it prints is not compared."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    commands = [line.removeprefix("$ ") for line in example.text.splitlines() if line.startswith("$ ")]
    assert commands, f"{example.where}: no line begins with '$ '"
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment(PATH=path), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{example.where}: {command}\n{done.stderr}"


@pytest.mark.parametrize("page", pages_to_run(), ids=lambda page: page.name)
def test_marked_examples_run(page: Path, desk: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for example in examples(page):
        if not example.run:
            continue
        assert example.language in ("python", "console"), f"{example.where}: cannot run {example.language}"
        if example.language == "python":
            exec(compile(example.text, example.where, "exec"), names)
        else:
            run_console(example, desk)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_are_valid(page: Path) -> None:
    for example in examples(page):
        if example.language == "python":
            ast.parse(example.text, example.where)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_something_is_run() -> None:
    assert {page.name for page in pages_to_run()} >= {"run.md", "serve.md", "compose.md"}
