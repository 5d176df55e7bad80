"""Weights that come with the package: used where they lie, never copied, never pulled."""

from __future__ import annotations

from pathlib import Path

import pytest

import faceloom
from faceloom.errors import WeightsError
from faceloom.weights import Status, Store, read_manifest
from faceloom.weights.records import PackageSource

from .conftest import sha256

FILE = "weights/manifest.toml"
"""A file that is in the package for sure."""
LYING = Path(faceloom.__file__).parent / FILE
MANIFEST = """
[weights.w]
role = "r"
file = "w.bin"
bytes = {bytes}
sha256 = "{digest}"
licence = "CC BY-NC-SA 4.0"
permissive = false
paper = "p"
preprocessing = "none"
sources = [{{ package = "{file}" }}]
"""


def store(tmp_path: Path, file: str = FILE, digest: str | None = None, **given: bool) -> Store:
    data = LYING.read_bytes()
    path = tmp_path / "mine.toml"
    path.write_text(MANIFEST.format(file=file, bytes=len(data), digest=digest or sha256(data)), "utf-8")
    return Store(tmp_path / "home", records=read_manifest(path), **given)


def test_the_source_is_read_from_a_manifest(tmp_path: Path) -> None:
    record = store(tmp_path).record("w")
    assert record.sources == (PackageSource(FILE),)
    assert record.bundled == LYING and str(record.sources[0]) == f"this package ({FILE})"


def test_it_is_used_where_it_lies(tmp_path: Path) -> None:
    own = store(tmp_path)
    assert own.status("w") is Status.PRESENT and own.verify() == {"w": Status.PRESENT}
    assert own.path("w") == own.location("w") == LYING
    assert list(own.ensure(["w"])) == list(own.pull(["w"])) == [LYING]
    assert not own.home.exists()


def test_the_mirror_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w.bin").write_bytes(LYING.read_bytes())
    monkeypatch.setenv("FACELOOM_MIRROR", str(tmp_path))
    assert list(store(tmp_path).pull(["w"])) == [LYING]


def test_a_missing_one_is_the_installations_fault(tmp_path: Path) -> None:
    own = store(tmp_path, file="models/none.bin")
    assert own.status("w") is Status.MISSING
    for call in (own.path, lambda name: own.pull([name]), lambda name: own.ensure([name])):
        with pytest.raises(WeightsError, match=r"none\.bin, which comes with faceloom, is missing; install .* again"):
            call("w")
    assert not (own.home / "weights").exists()


def test_a_damaged_one_is_neither_used_nor_overwritten(tmp_path: Path) -> None:
    before = LYING.read_bytes()
    own = store(tmp_path, digest="0" * 64)
    assert own.status("w") is Status.DAMAGED
    for call in (own.path, lambda name: own.pull([name]), lambda name: own.ensure([name])):
        with pytest.raises(WeightsError, match="which comes with faceloom, is damaged"):
            call("w")
    assert LYING.read_bytes() == before


def test_its_licence_counts(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="'w' is not permitted"):
        store(tmp_path, only_permissive=True).path("w")


def test_a_source_with_more_keys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = MANIFEST.format(file=FILE, bytes=1, digest="0" * 64).replace("package =", 'member = "m", package =')
    path.write_text(text, "utf-8")
    with pytest.raises(WeightsError, match="a source needs 'url', 'package', or 'archive' and 'member'"):
        read_manifest(path)
