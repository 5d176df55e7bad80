from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from faceloom.errors import RecipeError
from faceloom.evaluate.benchmark import methods
from faceloom.evaluate.benchmark.methods import MethodSpec, parse_methods
from faceloom.methods.vpartswap.options import read_options
from faceloom.types import Attribute


class Tuned:
    """A method with options, as an ablation wants them."""

    name: ClassVar[str] = "tuned"
    takes: ClassVar[frozenset[Attribute]] = frozenset({Attribute.MOUTH})
    seen: ClassVar[list[Mapping[str, Any]]] = []

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.seen.append(options)
        if "nonsense" in options:
            raise RecipeError("tuned has no option nonsense")


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Tuned]]:
    monkeypatch.setitem(methods.BASELINES, "tuned", Tuned)  # type: ignore[attr-defined]
    yield Tuned
    Tuned.seen.clear()


def test_names_of_installed_methods_and_baselines() -> None:
    specs = parse_methods("multiband, unwarped_paste,seamless_clone")
    assert [spec.name for spec in specs] == ["multiband", "unwarped_paste", "seamless_clone"]
    assert [spec.is_baseline for spec in specs] == [False, True, True]
    assert [spec.slug for spec in specs] == [spec.text for spec in specs]


def test_options_belong_to_the_method_before_them(tuned: type[Tuned]) -> None:
    plain, ablation = parse_methods("tuned,tuned:tps=false,steps=20,word=off,scale=0.5")
    assert plain.options == ()
    assert dict(ablation.options) == {"tps": False, "steps": 20, "word": "off", "scale": 0.5}
    assert ablation.text == "tuned:tps=false,steps=20,word=off,scale=0.5"
    assert tuned.seen == [{}, dict(ablation.options)]


def test_ablations_of_vpartswap_leave_out_one_component_each() -> None:
    pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")
    specs = parse_methods("multiband,vpartswap-ablations:steps_render=10,depth=1.0")
    assert [spec.text for spec in specs] == [
        "multiband",
        "vpartswap:steps_render=10,depth=1.0",
        "vpartswap:steps_render=10,depth=1.0,inject=off",
        "vpartswap:steps_render=10,depth=1.0,tps=off",
        "vpartswap:steps_render=10,depth=1.0,stochastic=off",
        "vpartswap:steps_render=10,depth=1.0,attention=off",
    ]
    assert len({spec.slug for spec in specs}) == len(specs)
    paper = parse_methods("vpartswap-ablations:stochastic=band,depth=1.0")
    assert paper[0].text == "vpartswap:stochastic=band,depth=1.0"
    assert paper[3].text == "vpartswap:depth=1.0,stochastic=off"
    # The methods read these as settings: on and off mean what the names of the components say.
    assert [spec.text for spec in parse_methods("vpartswap-ablations")][:2] == ["vpartswap", "vpartswap:inject=off"]
    options = [read_options(dict(spec.options)) for spec in specs[1:]]
    assert [one.inject for one in options] == ["all", "off", "all", "all", "all"]
    assert [one.tps for one in options] == [True, True, False, True, True]
    assert [one.stochastic for one in options] == [None, None, None, "off", None]
    assert [one.attention for one in options] == ["dis", "dis", "dis", "dis", "off"]


def test_slugs_of_different_texts_differ() -> None:
    texts = ["a:x=1", "a:x,1", "a x=1", "a"]
    slugs = {MethodSpec(text, "a").slug for text in texts}
    assert len(slugs) == len(texts)
    assert all("/" not in slug and ":" not in slug and "," not in slug for slug in slugs)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("multibnd", "did you mean 'multiband'"),
        ("steps=20", "comes before any method"),
        ("multiband,multiband", "twice"),
        ("vpartswap,vpartswap-ablations", "'vpartswap' twice"),
        ("vpartswap-ablation", "did you mean 'vpartswap-ablations'"),
        (" , ", "names no method"),
        ("multiband:steps", "key=value"),
        ("unwarped_paste:steps=3", "no options"),
    ],
)
def test_mistakes_are_found_before_anything_is_edited(text: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        parse_methods(text)


def test_a_refused_option_is_found(tuned: type[Tuned]) -> None:
    with pytest.raises(RecipeError, match="nonsense"):
        parse_methods("tuned:nonsense=1")


def test_the_class_of_a_method_says_what_it_takes(tuned: type[Tuned]) -> None:
    (spec,) = parse_methods("tuned")
    assert spec.method() is tuned and spec.method().takes == {Attribute.MOUTH}
