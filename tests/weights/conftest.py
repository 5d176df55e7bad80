"""A package index of our own: tiny archives in a folder, found by the real pip."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from faceloom.weights.records import Archive, IndexSource, Source, WeightRecord

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
HOSTILE_SETUP = (
    "import pathlib, setuptools\npathlib.Path({marker!r}).touch()\nsetuptools.setup(name={name!r}, version='1.0')\n"
)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def record(name: str, data: bytes, *sources: Source, **changes: object) -> WeightRecord:
    """A record of ``data`` in ``NAME.bin``."""
    fields: dict[str, object] = {
        "name": name,
        "role": "test",
        "file": f"{name}.bin",
        "bytes": len(data),
        "sha256": sha256(data),
        "licence": "MIT",
        "permissive": True,
        "paper": "none",
        "preprocessing": "none",
        "sources": sources,
    }
    return WeightRecord(**(fields | changes))  # type: ignore[arg-type]


class Index:
    """Builds archives in a folder that pip searches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.marker = folder / "code-of-the-archive-ran"

    def wheel(self, name: str, members: dict[str, bytes]) -> Archive:
        file = self.folder / f"{name}-1.0-py3-none-any.whl"
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(file, "w") as bundle:
            for member, data in members.items():
                bundle.writestr(member, data)
            bundle.writestr(f"{info}/METADATA", METADATA.format(name=name))
            bundle.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            bundle.writestr(f"{info}/RECORD", "")
        return self._archive(name, file)

    def source_archive(self, name: str, members: dict[str, bytes]) -> Archive:
        """An archive whose ``setup.py`` leaves a marker when it runs."""
        file = self.folder / f"{name}-1.0.tar.gz"
        setup = HOSTILE_SETUP.format(marker=str(self.marker), name=name).encode()
        files = {"setup.py": setup, "PKG-INFO": METADATA.format(name=name).encode()} | members
        with tarfile.open(file, "w:gz") as tar:
            for member, data in files.items():
                entry = tarfile.TarInfo(f"{name}-1.0/{member}")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        return self._archive(name, file)

    @staticmethod
    def _archive(name: str, file: Path) -> Archive:
        return Archive(f"{name}==1.0", file.name, file.stat().st_size, sha256(file.read_bytes()))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """An index in a folder; pip sees no other, and there is no mirror."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("FACELOOM_MIRROR", raising=False)
    return Index(folder)


def member(archive: Archive, name: str) -> IndexSource:
    return IndexSource(archive, name)
