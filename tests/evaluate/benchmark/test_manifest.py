from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.benchmark import fabricated, target

from faceloom.errors import MediaError
from faceloom.evaluate.benchmark.manifest import NAME, Manifest, Rejected, Target, read_manifest
from faceloom.types import Attribute

MANIFEST = fabricated(2, 3, (Attribute.EYES, Attribute.MOUTH))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    assert read_manifest(tmp_path) == MANIFEST == read_manifest(tmp_path / NAME)


@pytest.mark.parametrize("path", ["/etc/passwd", "../up.mp4", "a/../../b.mp4", "C:/x.mp4", "a\\b.mp4", ""])
def test_paths_that_leave_the_folder_are_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="relative path"):
        Target.model_validate(target(1).model_dump() | {"file": path})


def test_text_that_is_no_json_names_the_file(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"format": ')
    with pytest.raises(MediaError, match=rf"{NAME}.*damaged"):
        read_manifest(tmp_path)


def test_a_missing_manifest_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=NAME):
        read_manifest(tmp_path)


def test_a_wrong_value_names_file_and_key(tmp_path: Path) -> None:
    values = MANIFEST.model_dump(mode="json")
    values["targets"][1]["sha256"] = "not a hash"
    (tmp_path / NAME).write_text(json.dumps(values))
    with pytest.raises(MediaError, match=rf"{NAME}.*targets\.1\.sha256"):
        read_manifest(tmp_path)


def test_a_changed_reference_is_named(tmp_path: Path) -> None:
    file = tmp_path / "references" / "one.png"
    file.parent.mkdir()
    file.write_bytes(b"picture")
    reference = MANIFEST.references[0].model_copy(update={"files": {"references/one.png": "a" * 64}})
    manifest = MANIFEST.model_copy(update={"references": (reference,)})
    with pytest.raises(MediaError, match=r"one\.png: is not the file"):
        manifest.check_references(tmp_path)


def test_pools_are_by_part() -> None:
    assert [one.id for one in MANIFEST.pool(Attribute.EYES)] == ["eyes-001", "eyes-002", "eyes-003"]
    assert MANIFEST.pool(Attribute.NOSE) == []


def test_rejections_are_told_most_frequent_first() -> None:
    told = Rejected(videos={"no face": 1, "cannot be read": 4}, samples={"blur": 2}).tell()
    assert told == "videos left out: cannot be read 4, no face 1; reference samples left out: blur 2"


def test_a_manifest_of_another_format_is_refused(tmp_path: Path) -> None:
    values = MANIFEST.model_dump(mode="json") | {"format": "faceloom-benchmark-2"}
    with pytest.raises(ValidationError):
        Manifest.model_validate(values)
