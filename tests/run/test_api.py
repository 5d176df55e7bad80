"""What Python users call."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fixtures import Footage, References

import faceloom
from faceloom.errors import FaceloomError, RecipeError
from faceloom.weights import Store


def test_the_front_door(tmp_path: Path, footage: Footage, references: References, store: Store) -> None:
    report = faceloom.edit(
        str(footage.plain), str(tmp_path / "o.mkv"), take={"mouth": str(references.mouth)}, store=store
    )
    assert isinstance(report, faceloom.Report)
    with faceloom.open_clip(tmp_path / "o.mkv") as clip:
        assert len(list(clip)) == report.frames_read == 16


def test_names_that_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="no attribute 'edti'"):
        _ = faceloom.edti  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "wrong",
    [{"take": {}}, {"take": {"mouht": "a.jpg"}}, {"strength": 7}, {"method": "none such"}, {"face": "smallest"}],
)
def test_requests_are_checked_before_anything_is_opened(tmp_path: Path, wrong: dict[str, object]) -> None:
    arguments = {"take": {"mouth": "a.jpg"}} | wrong
    with pytest.raises(RecipeError):
        faceloom.edit("missing.mp4", tmp_path / "o.mp4", **arguments)  # type: ignore[arg-type]


def test_every_error_is_one_family() -> None:
    from faceloom import errors

    kinds = [kind for kind in vars(errors).values() if getattr(kind, "__module__", "") == errors.__name__]
    assert len(kinds) >= 6 and all(issubclass(kind, FaceloomError) for kind in kinds)
    codes = [kind.exit_code for kind in kinds if kind is not errors.TruncatedMediaError]
    assert len(set(codes)) == len(codes) and 0 not in codes
