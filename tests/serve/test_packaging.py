"""What an installation contains: the wheel is built, and its files are looked at."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import faceloom
from faceloom.errors import MediaError
from faceloom.serve.examples import EYES, MOUTH, TARGET, example
from faceloom.weights import builtin_records

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_has_what_the_package_reads(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {f"faceloom/examples/{name}" for name in (TARGET, MOUTH, EYES)} <= names
    assert {"faceloom/weights/manifest.toml", "faceloom/py.typed", "faceloom/serve/cli.py"} <= names
    assert not [name for name in names if name.endswith((".onnx", ".pth", ".task", ".ckpt")) or "tests" in name]


def test_weights_of_our_own_are_in_the_wheel_with_their_cards(wheel: zipfile.ZipFile) -> None:
    """And no weights that the manifest does not know."""
    bundled = {record.bundled for record in builtin_records().values() if record.bundled is not None}
    assert bundled
    names = {name for name in wheel.namelist() if name.startswith("faceloom/models/")}
    weights = {f"faceloom/models/{path.name}" for path in bundled}
    assert weights == {name for name in names if not name.endswith(".md")}
    for path in bundled:
        info = wheel.getinfo(f"faceloom/models/{path.name}")
        assert info.file_size == path.stat().st_size < 40e6
        assert path.with_suffix(".md").is_file(), "a model card beside it"
        assert f"faceloom/models/{path.stem}.md" in names


def test_every_module_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    source = ROOT / "src"
    modules = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    assert modules <= set(wheel.namelist())


def test_the_version_is_the_packages(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    assert f"\nVersion: {faceloom.__version__}\n" in wheel.read(metadata).decode()


def test_every_requirement_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines if not line.startswith("#")}
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    wanted = [name for name in wanted if not name.startswith("faceloom[")]
    assert {name.partition(">")[0].lower() for name in wanted} <= pinned
    assert all("==" in line for line in lines if not line.startswith("#"))


def test_examples_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert all(example(name).is_file() for name in (TARGET, MOUTH, EYES))
    inside = tmp_path / "site" / "faceloom"
    (inside / "examples").mkdir(parents=True)
    monkeypatch.setattr(faceloom, "__file__", str(inside / "__init__.py"))
    with pytest.raises(MediaError, match=r"target\.mp4: the example file is missing"):
        example(TARGET)
    (inside / "examples" / TARGET).touch()
    assert example(TARGET) == inside / "examples" / TARGET
