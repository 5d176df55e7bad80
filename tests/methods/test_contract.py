from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from faceloom.errors import RecipeError
from faceloom.methods import contract
from faceloom.methods.contract import as_retoucher, choose, installed, make_method, retouches, suggest, unusable
from faceloom.methods.multiband import Multiband
from faceloom.types import Attribute, Recipe
from faceloom.weights import Store, builtin_records


def entry_points_of(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    """Pretend that exactly these methods are installed: name -> "module:class"."""
    found = [EntryPoint(name, value, contract.GROUP) for name, value in points.items()]
    monkeypatch.setattr(contract, "entry_points", lambda group: found if group == contract.GROUP else [])


class HairAndMouth(Multiband):
    name = "hair_and_mouth"
    takes = frozenset({Attribute.HAIR, Attribute.MOUTH})


HERE = "tests_of_contract_module"
MULTIBAND = "faceloom.methods.multiband:Multiband"


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    module = types.ModuleType(HERE)
    module.HairAndMouth = HairAndMouth  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, HERE, module)
    entry_points_of(monkeypatch, multiband=MULTIBAND, hair_and_mouth=f"{HERE}:HairAndMouth")


@pytest.mark.parametrize("name", sorted(installed()))
def test_every_installed_method_keeps_the_contract(name: str) -> None:
    method = installed()[name]
    assert method.name == name and method.summary and "\n" not in method.summary
    assert method.takes or retouches(method)
    assert all(isinstance(attribute, Attribute) for attribute in method.takes)
    assert method.context >= 0
    assert set(method.needs) <= set(builtin_records())
    instance = method({})
    assert callable(instance.prepare) and callable(instance.apply)
    with pytest.raises(RecipeError):
        method({"no such option": 1})


def test_multiband_takes_every_part() -> None:
    assert installed()["multiband"] is Multiband
    assert {a for a in Attribute if a.parts} == Multiband.takes


@pytest.mark.usefixtures("both")
def test_a_method_is_chosen_by_what_it_takes() -> None:
    assert list(installed()) == ["hair_and_mouth", "multiband"]
    assert choose([Attribute.HAIR]) is HairAndMouth
    assert choose([Attribute.NOSE, Attribute.MOUTH]) is Multiband
    assert choose([Attribute.MOUTH], "multiband") is Multiband
    for attribute in (Attribute.HAIR, Attribute.MOUTH):
        assert choose([attribute], "auto") is choose([attribute])


@pytest.mark.usefixtures("both")
def test_nobody_takes_it() -> None:
    with pytest.raises(RecipeError, match="no installed method takes hair, nose at once"):
        choose([Attribute.NOSE, Attribute.HAIR])
    with pytest.raises(RecipeError, match="'multiband' cannot take hair"):
        choose([Attribute.HAIR, Attribute.MOUTH], "multiband")
    with pytest.raises(RecipeError, match="unknown method 'mulitband'; did you mean 'multiband'"):
        choose([Attribute.MOUTH], "mulitband")


def test_a_broken_package_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken_method_package.py").write_text("raise OSError('no library')")
    monkeypatch.syspath_prepend(tmp_path)
    entry_points_of(monkeypatch, multiband=MULTIBAND, broken="broken_method_package:Method", gone="no_such_module:X")
    assert list(installed()) == ["multiband"]
    assert list(unusable()) == ["broken", "gone"]
    assert "OSError: no library" in unusable()["broken"]
    assert choose([Attribute.MOUTH]) is Multiband
    with pytest.raises(RecipeError, match=r"no library.*repair or uninstall"):
        choose([Attribute.MOUTH], "broken")


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("nozzle", ["nose", "mouth"], "; did you mean 'nose'?"),
        ("xyz", ["nose", "mouth"], ""),
        ("", ["nose"], ""),
        ("nose", [], ""),
    ],
)
def test_suggestions(word: str, known: list[str], hint: str) -> None:
    assert suggest(word, known) == hint


@pytest.mark.parametrize("recipe", [{"take": {Attribute.MOUTH: Path("a.jpg")}}, {"take": {}, "retouch": ("acne",)}])
def test_a_method_reads_its_weights_from_the_callers_store(recipe: dict[str, Any], tmp_path: Path) -> None:
    store = Store(tmp_path, only_permissive=True)
    assert make_method(Recipe(**recipe), store).store is store  # type: ignore[attr-defined]


def test_a_method_without_weights_is_given_no_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Plain(Multiband):
        def __init__(self, options: object) -> None:
            pass

    monkeypatch.setattr(contract, "choose", lambda *args, **kwargs: Plain)
    assert not hasattr(make_method(Recipe(take={}), Store(tmp_path)), "store")


class TestRetouching:
    def test_who_retouches_is_chosen(self) -> None:
        assert choose([], retouch=True).name == choose([], "langbrt", retouch=True).name == "langbrt"
        assert [name for name, method in installed().items() if retouches(method)] == ["langbrt"]

    def test_who_does_not(self) -> None:
        with pytest.raises(RecipeError, match="'multiband' does not retouch; methods that do: langbrt"):
            choose([], "multiband", retouch=True)
        with pytest.raises(RecipeError, match="'langbrt' cannot take mouth"):
            choose([Attribute.MOUTH], "langbrt")

    def test_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        entry_points_of(monkeypatch, multiband=MULTIBAND)
        with pytest.raises(RecipeError, match="no installed method retouches"):
            choose([], retouch=True)

    def test_requests_reach_the_method(self) -> None:
        method = make_method(Recipe(take={}, retouch=("acne", "shine"), options={"grain": 0.5}))
        assert as_retoucher(method) is method
        assert method.options.retouch == ("acne", "shine") and method.options.grain == 0.5  # type: ignore[attr-defined]
        assert as_retoucher(make_method(Recipe(take={Attribute.MOUTH: Path("a.jpg")}))) is None
