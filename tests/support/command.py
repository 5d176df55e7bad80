"""The real ``faceloom`` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

COMMAND = Path(sysconfig.get_path("scripts")) / "faceloom"


def environment(**changes: str) -> dict[str, str]:
    """This process's environment for a plain terminal of 200 columns, with changes."""
    return os.environ | {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"} | changes


def faceloom(*arguments: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in ``cwd``; ``variables`` are added to the environment."""
    return subprocess.run(
        [str(COMMAND), *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def listing(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
