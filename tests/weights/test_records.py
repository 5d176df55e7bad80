from __future__ import annotations

from pathlib import Path

import pytest

from faceloom.errors import WeightsError
from faceloom.weights import builtin_records, read_manifest
from faceloom.weights.records import IndexSource, parse_manifest

RECORD = """
[archives.a]
requirement = "a==1.0"
file = "a-1.0.tar.gz"
bytes = 10
sha256 = "{digest}"

[weights.w]
role = "r"
file = "{file}"
bytes = 3
sha256 = "{digest}"
licence = "MIT"
permissive = true
paper = "p"
preprocessing = "none"
sources = [{{ archive = "a", member = "m" }}, {{ url = "https://example.org/w.bin" }}]
"""


def test_builtin_records_are_complete_and_distinct() -> None:
    records = builtin_records()
    assert len(records) >= 22
    assert len({record.file for record in records.values()}) == len(records)
    assert len({record.sha256 for record in records.values()}) == len(records)
    for name, record in records.items():
        assert record.name == name
        assert record.sources, f"{name} can be had from nowhere"
        assert record.bytes > 0
        for text in (record.role, record.licence, record.paper, record.preprocessing):
            assert text.strip(), name


def test_non_commercial_weights_are_not_called_permissive() -> None:
    for name, record in builtin_records().items():
        restricted = any(word in record.licence for word in ("non-commercial", "research", "-NC-"))
        assert record.permissive is not restricted, name


def test_archives_are_pinned_to_one_version() -> None:
    sources = [source for record in builtin_records().values() for source in record.sources]
    archives = [source.archive for source in sources if isinstance(source, IndexSource)]
    assert archives
    assert all("==" in archive.requirement for archive in archives)


def test_manifest_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "weights of mine.toml"
    path.write_text(RECORD.format(digest="0" * 64, file="folder/w.bin"), "utf-8")
    record = read_manifest(path)["w"]
    assert record.file == "folder/w.bin"
    assert str(record.sources[0]) == "package index (a==1.0)"
    assert str(record.sources[1]) == "https://example.org/w.bin"


@pytest.mark.parametrize("file", ["../w.bin", "/etc/w.bin", "a/../../w.bin", "", "..\\\\\\\\w.bin"])
def test_manifest_cannot_name_a_file_outside_the_store(file: str) -> None:
    with pytest.raises(WeightsError, match="outside the store"):
        parse_manifest(RECORD.format(digest="0" * 64, file=file), "here")


@pytest.mark.parametrize("digest", ["", "0" * 63, "G" * 64, "A" * 64])
def test_manifest_needs_a_sha256(digest: str) -> None:
    with pytest.raises(WeightsError, match="SHA-256"):
        parse_manifest(RECORD.format(digest=digest, file="w.bin"), "here")


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        "[weights.w]\nrole = 'only'",
        RECORD.format(digest="0" * 64, file="w.bin").replace('archive = "a"', 'archive = "b"'),
        RECORD.format(digest="0" * 64, file="w.bin").replace('url = "', 'address = "'),
        RECORD.format(digest="0" * 64, file="w.bin") + "surprise = 1\n",
        "weights = 3",
    ],
)
def test_what_is_not_a_manifest_is_refused_by_name(text: str) -> None:
    with pytest.raises(WeightsError, match=r"my\.toml is not a weights manifest"):
        parse_manifest(text, "my.toml")


def test_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read"):
        read_manifest(tmp_path / "none.toml")
