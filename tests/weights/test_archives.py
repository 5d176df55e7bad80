"""Watching a download grow."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

from faceloom.weights.archives import _largest_file


def test_folders_may_vanish_while_they_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(bytes(1000))
    stop = Event()

    def churn() -> None:
        nested = tmp_path / "tracker" / "inner"
        while not stop.is_set():
            nested.mkdir(parents=True)
            (nested / "part").write_bytes(bytes(10))
            (nested / "part").unlink()
            nested.rmdir()
            nested.parent.rmdir()

    thread = Thread(target=churn)
    thread.start()
    try:
        found = {_largest_file(tmp_path) for _ in range(2000)}
    finally:
        stop.set()
        thread.join()
    assert found == {1000}


def test_the_largest_file_counts(tmp_path: Path) -> None:
    assert _largest_file(tmp_path) == 0
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "large").write_bytes(bytes(7))
    (tmp_path / "small").write_bytes(bytes(3))
    assert _largest_file(tmp_path) == 7
