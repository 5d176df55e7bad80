"""Faces packed once into files that training maps into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

import cv2
import numpy as np

from faceloom.errors import FaceError, MediaError
from faceloom.perceive import Perception
from faceloom.train.data.align import Complaint, aligned_faces, picture_files
from faceloom.types import Image

INDEX = "index.json"
_VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One packed face: file relative to the source folder, which face of it, SHA-256 of its pixels, held out or not."""

    file: str
    face: int
    sha256: str
    held_out: bool


def pack_faces(
    folder: Path,
    output: Path,
    sizes: Sequence[int],
    *,
    perception: Perception | None,
    hold_out: Iterable[str] = (),
    complain: Complaint = lambda message: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Entry]:
    """Align and pack the faces of all pictures below ``folder``.

    Writes ``faces_<size>.npy``, (N, size, size, 3) uint8 RGB, for each size, and then ``index.json``, without which
    the folder does not count as packed. Faces with the same pixels are kept once.

    Args:
        folder: pictures, at any depth.
        output: folder to write; made if missing.
        sizes: sides in pixels; smaller ones are reduced from the largest.
        perception: finds and aligns the faces; None if the pictures are aligned faces already.
        hold_out: patterns of file names (with or without extension) whose faces are not for training.
        complain: told about each picture that is left out.
        progress: told how many pictures are done, of how many.

    Raises:
        MediaError: no pictures, or the output cannot be written.
        FaceError: no face in any picture, or nothing left to train on.
    """
    files, largest, patterns = picture_files(folder), max(sizes), tuple(hold_out)
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / INDEX).unlink(missing_ok=True)
        with _Columns(output, sizes) as columns:
            entries, seen = list[Entry](), set[str]()
            for path, number, face in _counted(files, largest, perception, complain, progress):
                digest = hashlib.sha256(face.tobytes()).hexdigest()
                if digest not in seen:
                    seen.add(digest)
                    columns.append(face)
                    entries.append(Entry(str(path.relative_to(folder)), number, digest, is_held_out(path, patterns)))
            _check(entries, folder, patterns)
            columns.finish(len(entries))
        _write_index(output, sizes, patterns, entries)
    except OSError as error:
        raise MediaError(f"{output}: cannot be written ({error.strerror or error}). Check the free space.") from error
    return entries


def is_packed(folder: Path) -> bool:
    """Whether ``pack_faces`` has finished in this folder."""
    return (folder / INDEX).is_file()


def is_held_out(path: Path, patterns: Iterable[str]) -> bool:
    """Whether a file's name, with or without its extension, matches one of the patterns."""
    return any(fnmatch(path.name, pattern) or fnmatch(path.stem, pattern) for pattern in patterns)


def _counted(
    files: Sequence[Path],
    size: int,
    perception: Perception | None,
    complain: Complaint,
    progress: Callable[[int, int], None],
) -> Iterable[tuple[Path, int, Image]]:
    for done, path in enumerate(files, 1):
        yield from aligned_faces([path], size, perception, complain)
        progress(done, len(files))


def _check(entries: Sequence[Entry], folder: Path, patterns: Sequence[str]) -> None:
    if not entries:
        raise FaceError(f"{folder}: no face was found in any picture; if they are aligned faces, say --aligned")
    if all(entry.held_out for entry in entries):
        raise FaceError(f"{folder}: every face is held out by {', '.join(patterns)}; nothing is left to train on")


def _write_index(output: Path, sizes: Sequence[int], patterns: Sequence[str], entries: Sequence[Entry]) -> None:
    content = {
        "version": _VERSION,
        "sizes": sorted(sizes),
        "hold_out": list(patterns),
        "faces": [asdict(entry) for entry in entries],
    }
    temporary = output / f".{INDEX}.partial"
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(output / INDEX)


class _Columns:
    """One growing file of pixels for each size, made into an .npy file when the number of faces is known."""

    def __init__(self, output: Path, sizes: Sequence[int]) -> None:
        self._partial = {size: output / f".faces_{size}.partial" for size in sizes}
        self._final = {size: output / f"faces_{size}.npy" for size in sizes}

    def __enter__(self) -> _Columns:
        # Room for the header, which can be written only at the end; .npy headers are padded to a multiple of 64.
        self._files = {size: path.open("wb") for size, path in self._partial.items()}
        for file in self._files.values():
            file.write(bytes(_HEADER))
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._files.values():
            file.close()
        for path in self._partial.values():
            path.unlink(missing_ok=True)

    def append(self, face: Image) -> None:
        """Add a face, reduced to each size."""
        for size, file in self._files.items():
            small = face if size == len(face) else cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
            file.write(np.ascontiguousarray(small).tobytes())

    def finish(self, count: int) -> None:
        """Write the headers and give the files their names."""
        for size, file in self._files.items():
            file.seek(0)
            file.write(_npy_header((count, size, size, 3)))
            file.close()
            self._partial[size].replace(self._final[size])


_HEADER = 128


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """The first ``_HEADER`` bytes of an .npy file of format 1.0 with uint8 in C order."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape})
    return b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little") + text.ljust(_HEADER - 11).encode() + b"\n"
