"""Hashes, and files and folders that get their name only when they are whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faceloom.errors import MediaError


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal. Raises MediaError if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def check_hash(path: Path, expected: str, what: str) -> None:
    """Raise MediaError, naming the file, unless it has this SHA-256. ``what`` says whose file it is."""
    found = sha256_of(path)
    if found != expected:
        raise MediaError(
            f"{path}: is not the file that {what} was made with (its SHA-256 begins with {found[:12]}, expected "
            f"{expected[:12]}); get the original file, or build the benchmark again"
        )


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text under a temporary name, then rename it. Raises MediaError if it cannot be written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror}); check the folder and free space") from error
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, whole or not at all; NaN is written as null. Raises MediaError as ``write_text``."""
    write_text(path, json.dumps(without_nan(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def without_nan(value: Any) -> Any:
    """The same lists and tables with None for floats that are no finite number: JSON has no word for them."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def read_json(path: Path, what: str) -> Any:
    """The JSON in a file. Raises MediaError, naming the file, if it is missing or no JSON; ``what`` it should be."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MediaError(f"{path}: {what} cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:
        raise MediaError(f"{path}: {what} is damaged ({error}); make it again") from error


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that becomes it when the block ends well, and is removed when it does not.

    What a killed process left under the temporary name is removed first; a folder already at ``path`` is replaced.
    """
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.rename(path)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror}); check the folder and free space") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_new_folder(path: Path, overwrite: bool) -> None:
    """Raise MediaError unless ``path`` can become a folder: it holds something and ``overwrite`` is False."""
    if path.exists() and not path.is_dir():
        raise MediaError(f"{path}: is a file; name a folder")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise MediaError(f"{path}: exists already and is not empty; choose another name, or pass --overwrite")


def without_paths(text: str, *places: Path) -> str:
    """A message for a report: paths inside ``places`` become relative, and other absolute ones lose their folder."""
    for place in sorted({str(p) for given in places for p in (given, given.resolve())}, key=len, reverse=True):
        if len(place) > 1:
            text = text.replace(place + os.sep, "")
    words = []
    for word in text.split(" "):
        core = word.strip("'\"(),:;")
        is_path = core.startswith(("/", "~/")) and core.count("/") > 1
        words.append(word.replace(core, Path(core).name) if is_path else word)
    return " ".join(words)
