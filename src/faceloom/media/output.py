"""Where an output goes: checked first, written under a temporary name, renamed only when it is whole."""

from __future__ import annotations

import os
from pathlib import Path

from faceloom.errors import MediaError

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".nut", ".ts")


class OutputFile:
    """An output path and the temporary file beside it: ``out.mp4`` is written as ``.out.partial.mp4``."""

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool, source: Path | None = None) -> None:
        """Check that ``path`` can be written.

        Raises MediaError if the extension is unknown, the folder is missing or may not be written, ``path`` is a
        folder or the input itself, or it exists and ``overwrite`` is False.
        """
        self.path = Path(path)
        self.overwrite = overwrite
        folder = self.path.parent
        if self.path.suffix.lower() not in PICTURES + VIDEOS:
            raise MediaError(
                f"{self.path}: unknown extension {self.path.suffix!r}. "
                f"Use one of {' '.join(VIDEOS)} for video, {' '.join(PICTURES)} for pictures."
            )
        if not folder.is_dir():
            raise MediaError(f"{self.path}: the folder {folder} does not exist. Create it first.")
        if self.path.is_dir():
            raise MediaError(f"{self.path}: is a folder. Name a file in it.")
        if source is not None and self.path.exists() and self.path.samefile(source):
            raise MediaError(f"{self.path}: is the input itself. Choose another output name.")
        self._check_free()
        if not os.access(folder, os.W_OK | os.X_OK):
            raise MediaError(f"{self.path}: the folder {folder} may not be written. Choose another folder.")
        self.temporary = self.path.with_name(f".{self.path.stem}.partial{self.path.suffix}")

    @property
    def is_picture(self) -> bool:
        """Whether the extension is a picture's."""
        return self.path.suffix.lower() in PICTURES

    def commit(self) -> None:
        """Give the temporary file its final name. Raises MediaError if a file of that name has appeared meanwhile."""
        self._check_free()
        self.temporary.replace(self.path)

    def discard(self) -> None:
        """Delete the temporary file if there is one."""
        self.temporary.unlink(missing_ok=True)

    def _check_free(self) -> None:
        if self.path.exists() and not self.overwrite:
            raise MediaError(f"{self.path}: exists already. Pass --overwrite to replace it, or choose another name.")
